"""Lists of every kind: one before anything is reconciled, then one a minute, for what a watch may have missed.

They are consistent reads, so none is older than what was seen before it was begun, unless a proxy keeps lists, or etcd
was restored from a copy. After that all that is known is of a future that never was: `Informer` would take what is for
stale, and the watches would wait for resourceVersions that are far away. One older list proves nothing, and changes
nothing. But where a kind's lists are older again and again, minutes apart, the operator ends, and a fresh one begins
with what is there. That is safe even where it was wrong: any start has to bear a stale list.
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
"""So many in succession are no chance."""

log = logging.getLogger(__name__)


class WentBackError(Exception):
    """The API server's resourceVersions are lower than they were."""


@dataclass(frozen=True)
class ListResult:
    """A complete list. `newest`: the highest resourceVersion in it, 0 where it is empty. `date`: its own."""

    newest: int
    date: str


@dataclass
class _Age:
    """Of the lists of a kind."""

    newest: int = 0  # the highest resourceVersion that was seen before the last one was begun
    older: int = 0  # those in succession that are from before that

    def listed(self, older: bool, date: int) -> None:
        """A list came with an object, or a resourceVersion of its own (0: it tells none), from before it was begun."""
        self.older = self.older + 1 if older or 0 < date < self.newest else 0
        self.newest = max(self.newest, date)


class Resync:
    """See the module. `clock` gives seconds that never go back."""

    def __init__(
        self,
        client: HttpClient,
        cache: ObjectCache,
        informer: Informer,
        watch_lag: WatchLag,
        *,
        clock: Callable[[], float],
    ) -> None:
        """Lists where `watches` watch."""
        self._client = client
        self._cache = cache
        self._informer = informer
        self._watch_lag = watch_lag
        self._clock = clock
        self._tried = self._completed = clock()
        self._ages = {(kind, scope): _Age() for kind in WATCHED for scope in watch_lag.scopes}

    @property
    def idle(self) -> float:
        """Seconds since anything was tried, with or without success."""
        return self._clock() - self._tried

    @property
    def age(self) -> float:
        """Seconds since the last complete list of every kind."""
        return self._clock() - self._completed

    async def relist(self, kind: Kind, namespace: str | None = None) -> ListResult:
        """A complete list; what the cache has and the list has not is looked for once more before it is forgotten."""
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
        """Looks for each object, and forgets it where it is gone."""
        for body in bodies:
            self._tried = self._clock()
            live = await self._client.get(kind, *key_of(body))
            if live is None or uid_of(live) != uid_of(body):
                self._informer.deleted(kind, body)

    async def first_list(self, kind: Kind, hand_over: Callable[[Kind, str | None, str], None]) -> None:
        """The first list of a kind, in every namespace that is watched. `hand_over` is told the resourceVersion of
        each: its watch begins there.
        """
        for namespace in self._watch_lag.scopes:
            seen = await self.relist(kind, namespace)
            self._watch_lag.starts_after(kind, namespace, seen.newest)
            hand_over(kind, namespace, seen.date)

    async def run(self, reconcile_all: Callable[[], None]) -> None:
        """Until it is cancelled; has everything reconciled after each try. Raises WentBackError; see the module."""
        while True:
            self._tried = self._clock()
            reconcile_all()
            await asyncio.sleep(EVERY_SECONDS)
            seen = [kind for kind in WATCHED if await self._relist_everywhere(kind)]
            if back := [kind.plural for (kind, _), age in self._ages.items() if age.older >= OLDER_LISTS]:
                raise WentBackError(f"the lists of {', '.join(back)} are older than what was seen, as after a restore")
            if set(OURS) <= set(seen):  # by what owns it: what went with its owner is not made anew
                self._informer.forget_old((*seen, *UNWATCHED))
            if len(seen) == len(WATCHED):
                self._completed = self._clock()

    async def _relist_everywhere(self, kind: Kind) -> bool:
        """Whether it could be listed everywhere; other kinds and namespaces are listed all the same."""
        everywhere = True
        for namespace in self._watch_lag.scopes:
            try:
                self._watch_lag.listed(kind, namespace, (await self.relist(kind, namespace)).newest)
            except ApiError as error:
                log.warning("not every %s could be listed in %s: %s", kind.kind, namespace or "all namespaces", error)
                everywhere = False
        return everywhere


def _is_older(body: Object, known: Object | None) -> bool:
    """The very object that is known, as it was before."""
    return known is not None and uid_of(known) == uid_of(body) and 0 < version_of(body) < version_of(known)
