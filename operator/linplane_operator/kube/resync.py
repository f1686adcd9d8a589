"""Lists every kind: once before anything is reconciled, then once a minute for events that a watch missed.

LISTs are consistent reads: none is older than what was seen before it started, unless a proxy caches lists or etcd was
restored from a backup. After an etcd restore resourceVersions go backwards and everything cached looks newer than the
server, so the informer would drop current objects as stale and the watches would wait for distant resourceVersions. A
single older list proves nothing and is ignored. If a kind's lists are older several times in a row, minutes apart, the
operator exits and its next process starts with an empty cache. That is safe even if the restart was unnecessary, as any
start must tolerate a stale list.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from linplane_api.api_access import ApiError
from linplane_api.kinds import OURS, Kind

from ..compile.objects import Object, uid_of
from ..observe.cache import ObjectCache, key_of
from .http import HttpClient
from .informer import Informer, version_of
from .watch_lag import WatchLag
from .watched_kinds import UNWATCHED, WATCHED

EVERY_SECONDS = 60.0
OLDER_LISTS = 3
"""So many in a row cannot be chance."""

log = logging.getLogger(__name__)


class WentBackError(Exception):
    """The API server's resourceVersions went backwards."""


@dataclass(frozen=True)
class ListResult:
    """A complete list. `newest`: the highest resourceVersion of an object in it, 0 if it is empty. `date`: the list's
    own.
    """

    newest: int
    date: str


@dataclass
class _Age:
    """How recent the lists of a kind are."""

    newest: int = 0  # the highest resourceVersion seen before the last list started
    older: int = 0  # consecutive lists from before that

    def listed(self, older: bool, date: int) -> None:
        """Counts a list that is `older` by an object in it, or by `date`, its own resourceVersion (0: unknown)."""
        self.older = self.older + 1 if older or 0 < date < self.newest else 0
        self.newest = max(self.newest, date)


class Resync:
    """Periodic LISTs. `clock` is monotonic, in seconds."""

    def __init__(
        self,
        client: HttpClient,
        cache: ObjectCache,
        informer: Informer,
        watch_lag: WatchLag,
        *,
        clock: Callable[[], float],
    ) -> None:
        """Lists the namespaces that `watch_lag` covers."""
        self._client = client
        self._cache = cache
        self._informer = informer
        self._watch_lag = watch_lag
        self._clock = clock
        self._tried = self._completed = clock()
        self._ages = {(kind, scope): _Age() for kind in WATCHED for scope in watch_lag.scopes}

    @property
    def idle(self) -> float:
        """Seconds since the last call, successful or not."""
        return self._clock() - self._tried

    @property
    def age(self) -> float:
        """Seconds since the last complete list of every kind."""
        return self._clock() - self._completed

    async def relist(self, kind: Kind, namespace: str | None = None) -> ListResult:
        """Lists a kind completely; cached objects that it lacks are confirmed by a live GET before they are dropped."""
        self._tried = self._clock()
        before = {key_of(body): body for body in self._cache.all(kind, namespace)}
        age = self._ages[kind, namespace]
        age.newest = max(age.newest, *map(version_of, before.values()), 0)
        present, newest, older = set(), 0, False
        dates: list[str] = []
        async for body in self._client.list(kind, namespace, WATCHED[kind], dated=dates.append):
            self._tried = self._clock()
            present.add(key_of(body))
            newest = max(newest, version_of(body))
            older = older or _is_older(body, before.get(key_of(body)))
            self._informer.seen(kind, body)
        age.listed(older, max((int(date) for date in dates if date.isdigit()), default=0))
        missing = self._informer.missing(kind, namespace, present)
        await self.confirm(kind, [body for body in missing if key_of(body) in before])
        return ListResult(newest, next(iter(dates), ""))

    async def confirm(self, kind: Kind, bodies: Iterable[Object]) -> None:
        """Reads each object live, and removes it from the cache if it is gone."""
        for body in bodies:
            self._tried = self._clock()
            live = await self._client.get(kind, *key_of(body))
            if live is None or uid_of(live) != uid_of(body):
                self._informer.deleted(kind, body)

    async def first_list(self, kind: Kind, hand_over: Callable[[Kind, str | None, str], None]) -> None:
        """Lists a kind for the first time, in each watched namespace. `hand_over` is called with the resourceVersion of
        each list, from which its watch starts.
        """
        for namespace in self._watch_lag.scopes:
            seen = await self.relist(kind, namespace)
            self._watch_lag.starts_after(kind, namespace, seen.newest)
            hand_over(kind, namespace, seen.date)

    async def run(self, reconcile_all: Callable[[], None]) -> None:
        """Lists every minute until cancelled, and enqueues everything after each attempt. Raises WentBackError."""
        while True:
            self._tried = self._clock()
            reconcile_all()
            await asyncio.sleep(EVERY_SECONDS)
            seen = [kind for kind in WATCHED if await self._relist_everywhere(kind)]
            if older := [kind.plural for (kind, _), age in self._ages.items() if age.older >= OLDER_LISTS]:
                raise WentBackError(
                    f"the lists of {', '.join(older)} are older than the cache, as after an etcd restore"
                )
            if set(OURS) <= set(
                seen
            ):  # owners were listed as well: a child that was deleted with its owner is not recreated
                self._informer.forget_old((*seen, *UNWATCHED))
            if len(seen) == len(WATCHED):
                self._completed = self._clock()

    async def _relist_everywhere(self, kind: Kind) -> bool:
        """True if the kind could be listed in each namespace; an error in one does not stop the others."""
        everywhere = True
        for namespace in self._watch_lag.scopes:
            try:
                self._watch_lag.listed(kind, namespace, (await self.relist(kind, namespace)).newest)
            except ApiError as error:
                log.warning("listing %s in %s failed: %s", kind.plural, namespace or "all namespaces", error)
                everywhere = False
        return everywhere


def _is_older(body: Object, known: Object | None) -> bool:
    """True for an earlier version of the cached object."""
    return known is not None and uid_of(known) == uid_of(body) and 0 < version_of(body) < version_of(known)
