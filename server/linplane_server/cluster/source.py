"""Routing maps from the API server: reads one ConfigMap by name, then watches it.

The state that the API server delivers always takes effect, even with a lower sequence, as etcd may have been restored.
A watch that ends in order is resumed; after any failure the ConfigMap is read again. A deleted ConfigMap changes
nothing: the last documents stay in force.
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
    """Timeout of a GET, and of the head of a watch."""
    fall_back: float = 1.5
    """Time that the first read may take before the local copy is served."""
    watch: int = 300
    """Duration of a watch, with up to a tenth of jitter; the API server then ends it."""
    silence: float = 70.0
    """Time without an event after which a watch counts as dead: the API server sends a bookmark every minute."""
    first_pause: float = 0.1
    last_pause: float = 5.0
    steady: float = 10.0
    """A watch that lasted this long resets the backoff."""


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
        raise ApiError(0, "Malformed", "the API server's response cannot be decoded") from error


class ClusterSource:
    """A `ConfigSource` that watches."""

    def __init__(self, access: ApiAccess, name: str, timing: Timing | None = None) -> None:
        """`name` is that of the ConfigMap."""
        self._access = access
        self._config_map = name
        self._timing = timing or Timing()
        self._applied: RoutingMap | None = None
        self._connection: Connection | None = None
        self._log_once = LogOnce(
            _log, "routing ConfigMap not watched, keeping the routing in force", "routing watched again"
        )
        self.heard_at: float | None = None
        """Unix time of the last response or event about the ConfigMap; None before the first."""

    @property
    def name(self) -> str:
        """`api`, or `copy` before the first state from the API server."""
        return "copy" if self._applied is None else "api"

    async def run(self, apply: Apply, fall_back: Callable[[], Awaitable[None]] | None = None) -> None:
        """Watches until cancelled; see `ConfigSource`. `fall_back` is called once if the first read fails, takes long,
        or finds no ConfigMap.
        """
        try:
            version = await self._first_read(apply, fall_back)
            await self._follow(version, apply)
        finally:
            self._close()

    async def _follow(self, version: str | None, apply: Apply) -> None:
        timing = self._timing
        backoff = Backoff(timing.first_pause, timing.last_pause, (0.5, 1.5))
        failures = 0
        while True:
            started = time.monotonic()
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
            failures = 1 if time.monotonic() - started >= timing.steady else failures + 1
            await asyncio.sleep(max(backoff.delay(failures), wait))

    async def _first_read(self, apply: Apply, fall_back: Callable[[], Awaitable[None]] | None) -> str | None:
        """Reads the ConfigMap; falls back if that takes long. Returns the version to watch from, None on failure."""
        reading = asyncio.ensure_future(self._get())
        try:
            done, _ = await asyncio.wait([reading], timeout=self._timing.fall_back)
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
        """Reads and applies the ConfigMap. Returns the version to watch from; empty if it does not exist yet."""
        found = await self._get()
        if found is None:
            _log.warning("no routing ConfigMap, keeping the routing in force", extra={"object": self._config_map})
            return ""
        return await self._apply(found, apply)

    async def _get(self) -> _ConfigMap | None:
        target = object_path(CONFIG_MAP, self._access.namespace, self._config_map)
        connection = await self._connected()
        try:
            response = await connection.send(Request("GET", target, self._access.authorization()), self._timing.read)
        except ApiError as error:
            if error.status != 404:
                raise
            self.heard_at = time.time()
            return None
        return _decode(_object, bytes(response.body))

    async def _watch(self, version: str, apply: Apply) -> str:
        """Applies every event until the watch ends in order. Returns the version to resume from."""
        connection = await self._connected()
        try:
            async with aclosing(self._lines(connection, version)) as lines:
                async for line in lines:
                    version = await self._apply_event(line, version, apply)
        finally:
            self._close()
        return version

    async def _connected(self) -> Connection:
        """Returns the open connection, or a new one: a read and the watch after it share one."""
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
        async for chunk in connection.stream(request, timing.read, timing.silence):
            self._log_once.recovered()
            rest += chunk
            *lines, last = rest.split(b"\n")
            rest = last
            for line in lines:
                if line.strip():
                    yield bytes(line)
            if len(rest) > MAX_BODY:
                raise ApiError(0, "TooLarge", "an event is too large")

    async def _apply_event(self, line: bytes, version: str, apply: Apply) -> str:
        """Applies one event. Returns its version."""
        event = _decode(_event, line)
        if event.type == "ERROR":
            failure = _decode(_failure, event.object)
            raise ApiError(failure.code, failure.reason, failure.message)
        found = _decode(_object, event.object)
        if event.type in {"ADDED", "MODIFIED"}:
            return await self._apply(found, apply)
        self.heard_at = time.time()
        if event.type == "DELETED":
            _log.warning("routing ConfigMap deleted, keeping the routing in force", extra={"object": self._config_map})
        return found.metadata.resource_version or version

    async def _apply(self, found: _ConfigMap, apply: Apply) -> str:
        self.heard_at = time.time()
        try:
            routing = routing_map(found.metadata.uid, found.data or {})
        except FormatError as error:
            _log.error("routing ConfigMap damaged, keeping the routing in force", extra={"reason": str(error)})
            return found.metadata.resource_version
        if routing != self._applied:
            self._applied = routing
            await apply(routing)
        return found.metadata.resource_version
