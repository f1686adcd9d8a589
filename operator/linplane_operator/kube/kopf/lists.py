"""Intercepts Kopf's LISTs: Kopf lists a kind when it starts, and after 410 Gone.

Kopf would handle each listed object in a task of its own, which takes seconds for 20,000. So the objects go to the
informer here, and Kopf gets the list without items, with the resourceVersion to watch from. Kopf does not report
objects that are missing from a later list either: objects that were cached when the list started and are not in it are
read live, and removed from the cache if they are gone.

The operator makes the first list of each kind itself, before anything is reconciled. Kopf's own first list is answered
with the resourceVersion of that one only, and its watch delivers all later changes.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import kopf
import msgspec

from linplane_api.api_access import ApiError, collection_path
from linplane_api.kinds import Kind

from ...compile.objects import Object, uid_of
from ...observe.cache import Key, ObjectCache, key_of
from ..http import typed

CONFIRM_SECONDS = 0.5
HANDED_SECONDS = 30.0

Confirm = Callable[[Kind, Iterable[Object]], Awaitable[None]]
"""Reads objects live, and removes those from the cache that are gone."""

Received = Callable[[Kind, Object], None]
"""Called with each listed object."""

log = logging.getLogger(__name__)


@dataclass
class _Relist:
    known: dict[Key, str]  # UIDs of the objects that were cached when the list started
    whole: bool = False  # its last page has arrived
    listed: set[Key] = field(default_factory=set)
    warned: bool = False


class ListInterceptor:
    """Reads the answers to Kopf's LISTs, and tracks the lists in progress."""

    def __init__(
        self,
        cache: ObjectCache,
        kinds: Iterable[Kind],
        scopes: Iterable[str | None],
        received: Received,
        clock: Callable[[], float],
    ) -> None:
        """`scopes`: the namespaces to list one by one; None for all at once. `clock` is monotonic, in seconds."""
        self._cache = cache
        self._received = received
        self._clock = clock
        self._paths = {collection_path(kind, scope): (kind, scope) for kind in kinds for scope in scopes}
        self._relists: dict[tuple[Kind, str | None], _Relist] = {}
        self._unlisted: set[tuple[Kind, str | None]] = set()
        self._handed: dict[tuple[Kind, str | None], tuple[str, float]] = {}  # resourceVersion and time

    def hand_over(self, kind: Kind, scope: str | None, version: str) -> None:
        """Remembers the resourceVersion of our own LIST. If Kopf lists the same kind within HANDED_SECONDS, it gets an
        empty list with it and watches from there; later, that watch would replay old events.
        """
        if version.isdigit() and int(version):  # otherwise there is nothing to watch from
            self._handed[kind, scope] = version, self._clock()

    def reset(self) -> None:
        """Called when Kopf starts: it has to list every kind again."""
        self._unlisted = set(self._paths.values())

    def unlisted(self) -> set[Kind]:
        """The kinds that Kopf has not listed completely since it started. It never lists or watches a kind whose CRD
        was missing at its start.
        """
        return {kind for kind, _ in self._unlisted}

    def list_started(self, path: str) -> None:
        """Called when Kopf sends a LIST: remembers which objects are cached at that moment."""
        if (of := self._paths.get(path)) is None:
            return
        if of in self._handed and self._clock() - self._handed[of][1] <= HANDED_SECONDS:
            return
        self._handed.pop(of, None)
        kind, scope = of
        self._relists[of] = _Relist({key_of(body): uid_of(body) for body in self._cache.all(kind, scope)})

    def filter_page(self, path: str, part: Object) -> Object:
        """Passes on the objects of one page of a LIST; returns the page as Kopf is to see it."""
        if (of := self._paths.get(path)) is None:
            return part
        if handed := self._handed.pop(of, None):
            self._unlisted.discard(of)
            return {**part, "metadata": {"resourceVersion": handed[0]}, "items": []}
        if (relist := self._relists.get(of)) is None:
            return part
        for item in part.get("items") or ():
            body = typed(of[0], item)
            relist.listed.add(key_of(body))
            self._received(of[0], body)
        relist.whole = not (part.get("metadata") or {}).get("continue")
        if relist.whole:
            self._unlisted.discard(of)
        return {**part, "items": []}

    def missing(self) -> dict[tuple[Kind, str | None], list[Object]]:
        """By complete list: objects that were cached when it started, still are, and are not in it."""
        return {of: self._missing(of[0], relist) for of, relist in self._relists.items() if relist.whole}

    def _missing(self, kind: Kind, relist: _Relist) -> list[Object]:
        return [
            body
            for key in relist.known.keys() - relist.listed
            if (body := self._cache.get(kind, *key)) and uid_of(body) == relist.known[key]
        ]

    async def run(self, confirm: Confirm) -> None:
        """Confirms missing objects until cancelled."""
        while True:
            await asyncio.sleep(CONFIRM_SECONDS)
            for of, relist in list(self._relists.items()):
                if relist.whole:
                    await self._confirm_missing(of, relist, confirm)

    async def _confirm_missing(self, of: tuple[Kind, str | None], relist: _Relist, confirm: Confirm) -> None:
        try:
            await confirm(of[0], self._missing(of[0], relist))
        except ApiError as error:
            if not relist.warned:  # once per list, of two attempts a second
                log.warning("objects missing from a list of %s not confirmed: %s; retrying", of[0].plural, error)
            relist.warned = True
        else:
            if self._relists.get(of) is relist:  # otherwise the next list has started meanwhile
                del self._relists[of]

    def session(self, info: kopf.ConnectionInfo) -> kopf.AiohttpSession:
        """The session that Kopf would create itself, with intercepted LISTs."""
        base = urlsplit(info.server).path.rstrip("/")
        interceptor = self

        class Response(aiohttp.ClientResponse):
            async def json(self, **options: Any) -> Any:
                """The decoded answer, by a faster decoder; LISTs are intercepted."""
                if self.method != "GET" or self.status != 200:
                    return await super().json(**options)
                body = msgspec.json.decode(await self.read(), type=dict[str, Any])
                return interceptor.filter_page(self.url.path.removeprefix(base), body)

        async def starts(
            _session: aiohttp.ClientSession, _context: SimpleNamespace, request: aiohttp.TraceRequestStartParams
        ) -> None:
            if request.method == "GET" and not {"watch", "continue"} & request.url.query.keys():
                self.list_started(request.url.path.removeprefix(base))

        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(starts)
        return kopf.AiohttpSession(
            server=info.server,
            default_namespace=info.default_namespace,
            priority=info.priority,
            expiration=info.expiration,
            aiohttp_session=aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=info.as_ssl_context()),
                headers=info.as_http_headers(),
                proxy=info.proxy_url,
                response_class=Response,
                trace_configs=[trace],
            ),
        )
