"""What Kopf does not tell: after its start, and after 410 Gone, it lists a kind anew and tells of all that is there. Of
what is there no longer nobody tells.

So its lists are watched: what was known when one began, and is not told of by its end, is looked for and forgotten.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from urllib.parse import urlsplit

import aiohttp
import kopf
import msgspec

from linplane_api.kinds import Kind

from ..compile.objects import Object, uid_of
from ..world import Key, World, key_of
from .client import ApiError, AwayError, path_of

QUIET_SECONDS = 1.0  # after the last word of a list, for what it told may still be on its way
LOOK_SECONDS = 0.5

Confirm = Callable[[Kind, Iterable[Object]], Awaitable[None]]
"""Looks whether objects are there, and forgets those that are not."""

log = logging.getLogger(__name__)


@dataclass
class _Relist:
    known: dict[Key, str]  # with its UID
    last: float
    whole: bool = False  # its last part has come: however slow, or often refused, the one before was
    told: set[Key] = field(default_factory=set)


class _Metadata(msgspec.Struct):
    further: str = msgspec.field(name="continue", default="")


class _Part(msgspec.Struct):
    """Of an answer to a list, whether there is more."""

    metadata: _Metadata


class Relists:
    """The lists that are under way. `clock` gives seconds that never go back."""

    def __init__(
        self, world: World, kinds: Iterable[Kind], scopes: Iterable[str | None], clock: Callable[[], float]
    ) -> None:
        """`scopes`: the namespaces that are listed one by one; None for all at once."""
        self._world = world
        self._clock = clock
        self._paths = {path_of(kind, scope): (kind, scope) for kind in kinds for scope in scopes}
        self._relists: dict[tuple[Kind, str | None], _Relist] = {}

    def asked(self, path: str) -> None:
        """A list is begun."""
        if (of := self._paths.get(path)) is None:
            return
        kind, scope = of
        known = {key_of(body): uid_of(body) for body in self._world.all(kind, scope)}
        self._relists[of] = _Relist(known, self._clock())

    def answered(self, path: str, part: bytes) -> None:
        """A part of a list came."""
        if (of := self._paths.get(path)) is None or (relist := self._relists.get(of)) is None:
            return
        try:
            relist.whole = not msgspec.json.decode(part, type=_Part).metadata.further
        except msgspec.DecodeError:  # Kopf will make of it what it makes of it
            return
        relist.last = self._clock()

    def told(self, kind: Kind, body: Object) -> None:
        """A list tells of an object."""
        key = key_of(body)
        for scope in (None, key[0]):
            if relist := self._relists.get((kind, scope)):
                relist.told.add(key)
                relist.last = self._clock()

    def missing(self) -> dict[tuple[Kind, str | None], list[Object]]:
        """By list that is over: what was known when it began, is known still, and was not told of."""
        now = self._clock()
        over = {of: one for of, one in self._relists.items() if one.whole and now - one.last >= QUIET_SECONDS}
        return {
            (kind, scope): [
                body
                for key in relist.known.keys() - relist.told
                if (body := self._world.get(kind, *key)) and uid_of(body) == relist.known[key]
            ]
            for (kind, scope), relist in over.items()
        }

    async def run(self, confirm: Confirm) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for (kind, scope), bodies in self.missing().items():
                try:
                    await confirm(kind, bodies)
                except (ApiError, AwayError) as error:
                    log.warning("not looked for what a list of %s lacks: %s; tried again", kind.plural, error)
                else:
                    self._relists.pop((kind, scope), None)

    def session(self, info: kopf.ConnectionInfo) -> kopf.AiohttpSession:
        """The connection that Kopf would make itself, with an eye on its lists."""
        base = urlsplit(info.server).path.rstrip("/")

        async def starts(
            _session: aiohttp.ClientSession, context: SimpleNamespace, request: aiohttp.TraceRequestStartParams
        ) -> None:
            context.list = ""
            if request.method == "GET" and "watch" not in request.url.query:
                context.list = request.url.path.removeprefix(base)
                if "continue" not in request.url.query:
                    self.asked(context.list)

        async def ends(
            _session: aiohttp.ClientSession, context: SimpleNamespace, request: aiohttp.TraceRequestEndParams
        ) -> None:
            if request.response.status != 200:
                context.list = ""

        async def comes(
            _session: aiohttp.ClientSession, context: SimpleNamespace, part: aiohttp.TraceResponseChunkReceivedParams
        ) -> None:
            if context.list:
                self.answered(context.list, part.chunk)

        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(starts)
        trace.on_request_end.append(ends)
        trace.on_response_chunk_received.append(comes)  # one: a body is read as a whole
        return kopf.AiohttpSession(
            server=info.server,
            default_namespace=info.default_namespace,
            priority=info.priority,
            expiration=info.expiration,
            aiohttp_session=aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=info.as_ssl_context()),
                headers=info.as_http_headers(),
                trace_configs=[trace],
            ),
        )
