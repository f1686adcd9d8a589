"""Routing maps from the API server: reads the one ConfigMap by its name, then watches it, for ever.

What the API server delivers always wins, even with a lower sequence: etcd may have been restored. A stream that ends
in order is continued; after everything else the ConfigMap is read again. A ConfigMap that is gone changes nothing:
the last documents stay.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

import msgspec

from linplane_api.api_access import ApiAccess, ApiError, collection_path, object_path
from linplane_api.canonical import FormatError
from linplane_api.kinds import CONFIG_MAP
from linplane_api.routing import RoutingMap, routing_map
from linplane_api.timing import Backoff, jittered

from ..routing.source import Apply
from .connection import MAX_BODY, Connection, Request, connect
from .log_once import LogOnce

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Timing:
    """In seconds."""

    read: float = 10.0
    """A GET, and the head of a watch."""
    patience: float = 1.5
    """How long the first read may take before the server's own copy is served meanwhile."""
    watch: int = 300
    """A watch, after which the API server ends it; by chance up to a tenth longer or shorter."""
    silence: float = 70.0
    """A watch without a word is dead after this: there is a bookmark each minute."""
    first_pause: float = 0.1
    last_pause: float = 5.0
    steady: float = 10.0
    """A watch that lasted this long was a good one."""


class _Metadata(msgspec.Struct, rename="camel"):
    uid: str = ""
    resource_version: str = ""


class _ConfigMap(msgspec.Struct):
    metadata: _Metadata
    data: dict[str, str] | None = None


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _Failure(msgspec.Struct):
    code: int = 0
    reason: str = ""
    message: str = ""


_object = msgspec.json.Decoder(_ConfigMap)
_event = msgspec.json.Decoder(_Event)
_failure = msgspec.json.Decoder(_Failure)

Form = TypeVar("Form")


def _decode(decoder: "msgspec.json.Decoder[Form]", data: bytes | msgspec.Raw) -> Form:
    try:
        return decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise ApiError(0, "Malformed", "the API server sent what is not understood") from error


class ClusterSource:
    """See the module."""

    def __init__(self, access: ApiAccess, name: str, timing: Timing | None = None) -> None:
        """`name` is the ConfigMap's."""
        self._access = access
        self._config_map = name
        self._timing = timing or Timing()
        self._applied: RoutingMap | None = None
        self._connection: Connection | None = None
        self._log_once = LogOnce(_log, "routing ConfigMap not watched, serving what is loaded", "routing watched again")
        self.heard_at: float | None = None
        """Unix time of the API server's last word about the ConfigMap; None before the first."""

    @property
    def name(self) -> str:
        """`api`, or `copy` as long as nothing came from there."""
        return "copy" if self._applied is None else "api"

    async def run(self, apply: Apply, fall_back: Callable[[], Awaitable[None]] | None = None) -> None:
        """Watches until cancelled; see `ConfigSource`. `fall_back` is called once, where the first read fails, or does
        not come at once.
        """
        try:
            version = await self._begin(apply, fall_back)
            await self._follow(version, apply)
        finally:
            self._close()

    async def _follow(self, version: str | None, apply: Apply) -> None:
        timing = self._timing
        backoff = Backoff(timing.first_pause, timing.last_pause, (0.5, 1.5))
        failures = 0
        while True:
            begun = time.monotonic()
            wait = 0.0
            try:
                if version is None:
                    version = await self._read(apply)
                version = await self._watch(version, apply)
            except ApiError as error:
                version = None
                wait = error.retry_after
                self._close()
                if error.status != 410:
                    self._log_once.failed(error)
            failures = 1 if time.monotonic() - begun >= timing.steady else failures + 1
            await asyncio.sleep(max(backoff.delay(failures), wait))

    async def _begin(self, apply: Apply, fall_back: Callable[[], Awaitable[None]] | None) -> str | None:
        """The first read, and the copy where that takes long. The version to watch from; None where it failed."""
        reading = asyncio.ensure_future(self._get())
        try:
            done, _ = await asyncio.wait([reading], timeout=self._timing.patience)
            if fall_back and (not done or reading.exception() or reading.result() is None):
                await fall_back()
            found = await reading
        except ApiError as error:
            self._close()
            self._log_once.failed(error)
            return None
        finally:
            reading.cancel()
        return await self._apply(found, apply) if found else None

    async def _read(self, apply: Apply) -> str:
        """Takes the ConfigMap up as it is. The version to watch from; empty where there is none, to watch for it."""
        found = await self._get()
        if found is None:
            _log.warning("no routing ConfigMap, serving what is loaded", extra={"object": self._config_map})
            return ""
        return await self._apply(found, apply)

    async def _get(self) -> _ConfigMap | None:
        target = object_path(CONFIG_MAP, self._access.namespace, self._config_map)
        connection = await self._connected()
        try:
            answer = await connection.send(Request("GET", target, self._access.authorization()), self._timing.read)
        except ApiError as error:
            if error.status != 404:
                raise
            self.heard_at = time.time()
            return None
        return _decode(_object, bytes(answer.body))

    async def _watch(self, version: str, apply: Apply) -> str:
        """Takes up every event until the stream ends in order. The version to go on from."""
        connection = await self._connected()
        try:
            async with aclosing(self._lines(connection, version)) as lines:
                async for line in lines:
                    version = await self._apply_event(line, version, apply)
        finally:
            self._close()
        return version

    async def _connected(self) -> Connection:
        """The read and the watch after it share a connection."""
        if self._connection is None or not self._connection.usable:
            self._connection = await connect(self._access)
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _lines(self, connection: Connection, version: str) -> AsyncGenerator[bytes, None]:
        timing = self._timing
        query = {
            "watch": "true",
            "fieldSelector": f"metadata.name={self._config_map}",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(round(jittered(timing.watch, (0.9, 1.1)))),
        } | ({"resourceVersion": version} if version else {})
        target = f"{collection_path(CONFIG_MAP, self._access.namespace)}?{urlencode(query)}"
        request = Request("GET", target, self._access.authorization())
        rest = bytearray()
        async for piece in connection.stream(request, timing.read, timing.silence):
            self._log_once.recovered()
            rest += piece
            *lines, last = rest.split(b"\n")
            rest = last
            for line in lines:
                if line.strip():
                    yield bytes(line)
            if len(rest) > MAX_BODY:
                raise ApiError(0, "TooLarge", "an event is too large")

    async def _apply_event(self, line: bytes, version: str, apply: Apply) -> str:
        """The version after it."""
        event = _decode(_event, line)
        if event.type == "ERROR":
            failure = _decode(_failure, event.object)
            raise ApiError(failure.code, failure.reason, failure.message)
        found = _decode(_object, event.object)
        if event.type in {"ADDED", "MODIFIED"}:
            return await self._apply(found, apply)
        self.heard_at = time.time()
        if event.type == "DELETED":
            _log.warning("routing ConfigMap deleted, serving what is loaded", extra={"object": self._config_map})
        return found.metadata.resource_version or version

    async def _apply(self, found: _ConfigMap, apply: Apply) -> str:
        self.heard_at = time.time()
        try:
            routing = routing_map(found.metadata.uid, found.data or {})
        except FormatError as error:
            _log.error("routing ConfigMap damaged, keeping what is loaded", extra={"reason": str(error)})
            return found.metadata.resource_version
        if routing != self._applied:
            self._applied = routing
            await apply(routing)
        return found.metadata.resource_version
