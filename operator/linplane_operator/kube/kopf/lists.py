"""Kopf's own lists, read before Kopf reads them. After its start, and after 410 Gone, it lists a kind anew.

It would tell of all that is there, each object by a task of its own: of 20,000 that takes seconds. So each is seen
here, at once, and Kopf gets the list without them, which tells it from where to watch. And of what is there no longer
nobody tells: what was known when a list began, and is not in it, is looked for and forgotten.

The first list of each kind is the operator's own, before anything is decided. Kopf goes on from there: of the one that
it begins with it gets no more than the resourceVersion of that, and the watch tells what came since.
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
"""Looks whether objects are there, and forgets those that are not."""

Received = Callable[[Kind, Object], None]
"""Takes an object that is there."""

log = logging.getLogger(__name__)


@dataclass
class _Relist:
    known: dict[Key, str]  # with its UID
    whole: bool = False  # its last part has come: however slow, or often refused, the one before was
    listed: set[Key] = field(default_factory=set)
    warned: bool = False


class ListInterceptor:
    """The lists that are under way."""

    def __init__(
        self,
        cache: ObjectCache,
        kinds: Iterable[Kind],
        scopes: Iterable[str | None],
        received: Received,
        clock: Callable[[], float],
    ) -> None:
        """`scopes`: the namespaces that are listed one by one; None for all at once. `clock` gives seconds that never
        go back.
        """
        self._cache = cache
        self._received = received
        self._clock = clock
        self._paths = {collection_path(kind, scope): (kind, scope) for kind in kinds for scope in scopes}
        self._relists: dict[tuple[Kind, str | None], _Relist] = {}
        self._unlisted: set[tuple[Kind, str | None]] = set()
        self._handed: dict[tuple[Kind, str | None], tuple[str, float]] = {}  # a resourceVersion, and since when

    def hand_over(self, kind: Kind, scope: str | None, version: str) -> None:
        """A complete list came, of that resourceVersion: Kopf's next one of the kind there needs to tell nothing, if
        it comes soon. A watch from long ago would tell over again what is past, and has been seen.
        """
        if version.isdigit() and int(version):  # else there is nothing to watch from
            self._handed[kind, scope] = version, self._clock()

    def reset(self) -> None:
        """Kopf begins: it has to list everything."""
        self._unlisted = set(self._paths.values())

    def unlisted(self) -> set[Kind]:
        """What Kopf has not listed since it began, wherever it is to; a kind that it has not found it never lists, and
        never watches.
        """
        return {kind for kind, _ in self._unlisted}

    def list_started(self, path: str) -> None:
        """A list is begun."""
        if (of := self._paths.get(path)) is None:
            return
        if of in self._handed and self._clock() - self._handed[of][1] <= HANDED_SECONDS:
            return
        self._handed.pop(of, None)
        kind, scope = of
        self._relists[of] = _Relist({key_of(body): uid_of(body) for body in self._cache.all(kind, scope)})

    def filter_page(self, path: str, part: Object) -> Object:
        """A part of a list came: what is left of it for Kopf."""
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
        """By list that is over: what was known when it began, is known still, and was not told of."""
        return {of: self._missing(of[0], relist) for of, relist in self._relists.items() if relist.whole}

    def _missing(self, kind: Kind, relist: _Relist) -> list[Object]:
        return [
            body
            for key in relist.known.keys() - relist.listed
            if (body := self._cache.get(kind, *key)) and uid_of(body) == relist.known[key]
        ]

    async def run(self, confirm: Confirm) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(CONFIRM_SECONDS)
            for of, relist in list(self._relists.items()):
                if relist.whole:
                    await self._confirm_missing(of, relist, confirm)

    async def _confirm_missing(self, of: tuple[Kind, str | None], relist: _Relist, confirm: Confirm) -> None:
        try:
            await confirm(of[0], self._missing(of[0], relist))
        except ApiError as error:
            if not relist.warned:  # once a list: it is tried twice a second
                log.warning("not looked for what a list of %s lacks: %s; tried again", of[0].plural, error)
            relist.warned = True
        else:
            if self._relists.get(of) is relist:  # else the next list has begun meanwhile
                del self._relists[of]

    def session(self, info: kopf.ConnectionInfo) -> kopf.AiohttpSession:
        """The connection that Kopf would make itself, but for its lists."""
        base = urlsplit(info.server).path.rstrip("/")
        interceptor = self

        class Response(aiohttp.ClientResponse):
            async def json(self, **options: Any) -> Any:
                """An answer, without what is seen here; by a decoder that is several times as fast."""
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
