"""Answers one prediction request: finds the route, applies the limit, decodes the body by its interface, picks the
version, computes. Nothing here awaits, so a request is answered without interruption.

The cost does not depend on the number of routes or versions: every lookup is by key in the compiled snapshot.
"""

import itertools
import logging
import re
from array import array
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress

from msgspec.structs import replace

from linplane_api.conditions import Reason
from linplane_api.names import HEADER_REQUEST_ID

from ..errors import (
    Internal,
    MethodNotAllowed,
    MissingFeature,
    NothingToServe,
    Overloaded,
    PredictionRefusal,
    RateLimited,
    TooLarge,
    shown,
)
from ..problems import Headers
from ..state.counters import Series
from ..state.serving import Serving
from ..state.snapshot import Route, Snapshot, Version
from .client_identity import ClientIdentity
from .interface import Answer, Asked, Call, Content, Interface, NotStreamed, Stream, Target
from .parts import ALONE, Parts, Steps
from .router import Source, choose, current_version, find_version, picked, unknown_route
from .rows import Row, check_names, compute_rows, groups_of, in_blocks, values_key

_log = logging.getLogger(__name__)
_sane = re.compile(rb"[A-Za-z0-9._-]{1,64}").fullmatch
_REQUEST_ID = HEADER_REQUEST_ID.encode()


class Predictor:
    """The public API without its transport. `clock` returns seconds and measures durations. Ids of requests that bring
    none are `id_prefix` and a number.
    """

    def __init__(  # noqa: PLR0913 - what it works with, and two settings
        self,
        serving: Serving,
        identity: ClientIdentity,
        clock: Callable[[], float],
        id_prefix: str,
        *,
        single_route: bool = False,
        public_names: bool = True,
    ) -> None:
        """`single_route`: if just one route is loaded, it also answers requests whose Host names no route.
        `public_names`: refusals have the names of routes, versions and features.
        """
        self._store = serving.store
        self._unrouted = serving.counters.unrouted
        self._limiter = serving.limiter
        self._blocks = serving.blocks
        self._identity = identity
        self._clock = clock
        self._single_route = single_route and public_names  # else the answer would name a route that was not asked for
        self._public_names = public_names
        self._prefix = id_prefix.encode()
        self._numbers = itertools.count(1)

    def respond(self, target: Target, call: Call) -> Answer:
        """Returns status, headers and body of the response. Raises nothing: an unexpected exception becomes a 500."""
        begin = self._clock()
        interface = target.interface
        request_id = self._request_id(call)
        route: Route | None = None
        named: Version | None = None
        try:
            route = self._find(self._store.snapshot, target.route, call.headers)
            named = self._admit(route, target, call)
            (out, content), series = self._predict(interface, route, named, interface.decode(route, call), call)
            whole = content if isinstance(content, bytes) else b"".join(content)
            out.append((b"content-length", b"%d" % len(whole)))
            answer: Answer = (200, out, whole)
        except Exception as error:
            answer, series = self._refuse(interface, route, named, error, request_id)
        self._observe(target, route, series, begin)
        answer[1].append((_REQUEST_ID, request_id))
        return answer

    def stream(self, target: Target, call: Call) -> Steps:
        """As `respond`, for a `call` without its body, which is computed as it arrives. See `Steps`.

        The answer is made when the whole body is there. Of one that is refused before, the rest is taken and dropped,
        but not if the server has no room for it.
        """
        parts = Parts(self._clock, call.max_body)
        interface = target.interface
        request_id = self._request_id(call)
        route: Route | None = None
        named: Version | None = None
        try:
            route = self._find(self._store.snapshot, target.route, call.headers)
            named = self._admit(route, target, call)
            (out, content), series = yield from self._predict_parts(interface, route, named, call, parts)
            whole = content if isinstance(content, bytes) else (yield from _joined(content))
            out.append((b"content-length", b"%d" % len(whole)))
            answer: Answer = (200, out, whole)
        except Exception as error:
            if not isinstance(error, TooLarge | Overloaded):
                with suppress(TooLarge, Overloaded):
                    yield from parts.drain()
            answer, series = self._refuse(interface, route, named, error, request_id)
        self._observe(target, route, series, parts.arrived)
        answer[1].append((_REQUEST_ID, request_id))
        return answer

    def count_incomplete(self, target: Target, call: Call) -> None:
        """Counts a request whose body did not come to its end: its client disconnected, or was too slow."""
        series = self._unrouted
        with suppress(PredictionRefusal):
            series = self._find(self._store.snapshot, target.route, call.headers).version_series(None)
        series.record_refusal("incomplete")
        series.observe(target.interface.protocol, 0.0)

    def _request_id(self, call: Call) -> bytes:
        sent = call.headers.get(_REQUEST_ID)
        return sent if sent is not None and _sane(sent) else b"%b-%x" % (self._prefix, next(self._numbers))

    def _find(self, snapshot: Snapshot, name: str | None, headers: dict[bytes, bytes]) -> Route:
        by_path = name is not None
        if name is None:
            host = headers.get(b"host", b"")
            name = host.split(b".", 1)[0].split(b":", 1)[0].decode("latin-1").lower()
            if self._single_route and snapshot.single is not None:
                return snapshot.routes.get(name, snapshot.single)
        route = snapshot.routes.get(name)
        if route is None:
            raise unknown_route(self._store, by_path=by_path)
        return route

    def _admit(self, route: Route, target: Target, call: Call) -> Version | None:
        """Applies method and rate limit. Returns the version that the path names."""
        if call.method != "POST":
            raise MethodNotAllowed("predictions are requested by POST")
        bucket = route.bucket
        if bucket is not None:
            wait = self._limiter.acquire(bucket, self._identity(call.peer, call.fields) if bucket.per_client else "")
            if wait:
                raise RateLimited(wait)
        if target.version is not None:
            return find_version(route, target.version)
        if route.splitter is None:
            current_version(route)
        return None

    def _predict(
        self, interface: Interface, route: Route, named: Version | None, asked: Asked, call: Call
    ) -> tuple[tuple[Headers, Content], Series]:
        version, source = _assign(route, asked, call) if named is None else _by_path(named)
        if not asked.rows:
            check_names(route, version, asked.names, asked.place(0))
        values = compute_rows(route, version, asked.rows, asked.place, self._blocks)
        return interface.encode(route, asked, version, source, values), version.series

    def _predict_parts(
        self, interface: Interface, route: Route, named: Version | None, call: Call, parts: Parts
    ) -> Generator[int | None, bytes | None, tuple[tuple[Headers, Content], Series]]:
        stream = yield from self._open(interface, route, named, call, parts)
        if stream is None:
            yield from parts.keep()
            whole = replace(call, data=parts.release())
            route, named = self._renewed(route, named)
            with suppress(NotStreamed, PredictionRefusal):  # the whole body is refused as well, or by another error
                return (yield from self._predict_pieces(interface, route, named, whole))
            return (yield from self._in_turn(interface, route, named, whole))
        version, source, values = yield from self._compute_parts(route, named, call, stream, parts)
        self._check_in_force(route, version)
        return interface.encode(route, stream.asked, version, source, values), version.series

    def _compute_parts(
        self, route: Route, named: Version | None, call: Call, stream: Stream, parts: Parts
    ) -> Generator[int | None, bytes | None, tuple[Version, Source, "array[float]"]]:
        """Computes a body that is decoded as it arrives. A refusal is raised at its end, since one of what cannot be
        decoded comes first, as it does for a body that is there as a whole.
        """
        values = array("d")
        outcome = _try_assign(route, named, stream.asked, call)
        data: bytes | None = parts.release()
        while True:
            for rows in stream.finish() if data is None else stream.feed(data):
                if isinstance(outcome, tuple):
                    place = _moved(stream.asked.place, len(values))
                    try:
                        values.extend(compute_rows(route, outcome[0], rows, place, self._blocks))
                    except PredictionRefusal as refusal:
                        outcome = refusal
                        del values[:]
                yield None
            if data is None:
                break
            data = yield from parts.take(stream.held + values.itemsize * len(values))
        if not isinstance(outcome, tuple):
            raise outcome
        return *outcome, values

    def _predict_pieces(
        self, interface: Interface, route: Route, named: Version | None, call: Call
    ) -> Generator[int | None, bytes | None, tuple[tuple[Headers, Content], Series]]:
        asked, blocks = yield from interface.open_pieces(route, call)
        if named is not None:
            version, source = _by_path(named)
        elif _needs_values(route, named, asked, call):
            version, source = yield from _assign_by_values(route, asked, blocks)
            asked, blocks = yield from interface.open_pieces(route, call)  # again, as no row was kept
        else:
            version, source = _assign(route, asked, call)
        values = yield from self._compute(route, version, asked, blocks)
        return interface.encode(route, asked, version, source, values), version.series

    def _in_turn(
        self, interface: Interface, route: Route, named: Version | None, call: Call
    ) -> Generator[int | None, bytes | None, tuple[tuple[Headers, Content], Series]]:
        """Predicts slowly, while no other request does: all values of such a body may take sixty times its memory."""
        yield ALONE
        route, named = self._renewed(route, named)
        return (yield from self._predict_slowly(interface, route, named, call))

    def _predict_slowly(
        self, interface: Interface, route: Route, named: Version | None, call: Call
    ) -> Generator[int | None, bytes | None, tuple[tuple[Headers, Content], Series]]:
        asked = yield from interface.decode_in_slices(route, call)
        if asked.rows and _needs_values(route, named, asked, call):
            version, source = yield from _assign_by_values(route, asked, in_blocks(asked.rows))
        else:
            version, source = _assign(route, asked, call) if named is None else _by_path(named)
        if not asked.rows:
            check_names(route, version, asked.names, asked.place(0))
        values = yield from self._compute(route, version, asked, in_blocks(asked.rows))
        return interface.encode(route, asked, version, source, values), version.series

    def _compute(
        self, route: Route, version: Version, asked: Asked, blocks: Iterator[Sequence[Row]]
    ) -> Generator[None, bytes | None, "array[float]"]:
        values = array("d")
        for rows in blocks:
            values.extend(compute_rows(route, version, rows, _moved(asked.place, len(values)), self._blocks))
            yield None
        self._check_in_force(route, version)
        return values

    def _renewed(self, route: Route, named: Version | None) -> tuple[Route, Version | None]:
        """Returns a route as it is now, and the version that the path names."""
        now = self._store.snapshot.routes.get(route.name)
        if now is None:
            raise unknown_route(self._store, by_path=True)
        return now, None if named is None else find_version(now, named.name)

    def _check_in_force(self, route: Route, version: Version) -> None:
        """Raises NothingToServe if a version does not answer any more, as after a freeze that this server has
        acknowledged while the body arrived.
        """
        now = self._store.snapshot.routes.get(route.name)
        found = None if now is None else now.versions.get(version.name)
        if now is not route and (found is None or found.digest != version.digest):
            detail = f"{version.name} has stopped answering while the body arrived; send it again"
            raise NothingToServe(Reason.VERSION_NOT_READY, detail, version.name)

    def _open(
        self, interface: Interface, route: Route, named: Version | None, call: Call, parts: Parts
    ) -> Generator[int | None, bytes | None, Stream | None]:
        """Returns the stream of a body, once its head is there; None if it must be decoded as a whole."""
        try:
            while (opened := interface.open_stream(route, call, bytes(parts.kept))) is None:
                if (yield from parts.take_and_keep()) is None:
                    return None
        except NotStreamed:
            return None
        stream, length = opened
        if _needs_values(route, named, stream.asked, call):
            return None
        del parts.kept[:length]
        return stream

    def _refuse(
        self, interface: Interface, route: Route | None, named: Version | None, error: Exception, request_id: bytes
    ) -> tuple[Answer, Series]:
        if not isinstance(error, PredictionRefusal):
            _log.error("a prediction failed", exc_info=error)
            error = Internal("the server failed; the cause is in its log")
        series = self._unrouted
        if route is not None:
            series = route.version_series(error.version or (named.name if named is not None else None))
            if isinstance(error, MissingFeature):
                series.record_missing(error.features)
        series.record_refusal(error.kind)
        error.__traceback__ = None  # else the call that keeps the error would keep its frames, and so the body
        return interface.refuse(shown(error, names=self._public_names), request_id.decode()), series

    def _observe(self, target: Target, route: Route | None, series: Series, begin: float) -> None:
        if target.version is not None and route is not None and series is not route.version_series(None):
            series.named += 1
        series.observe(target.interface.protocol, self._clock() - begin)


def _joined(content: Iterator[bytes]) -> Generator[None, bytes | None, bytes]:
    parts = []
    for part in content:
        parts.append(part)
        yield None
    return b"".join(parts)


def _moved(place: Callable[[int], str], first: int) -> Callable[[int], str]:
    return lambda number: place(first + number)


def _by_path(version: Version) -> tuple[Version, Source]:
    return version, "version"


def _assign(route: Route, asked: Asked, call: Call) -> tuple[Version, Source]:
    if route.splitter is None:
        return current_version(route), "current"
    version, source = choose(route, asked.key, _header(route, call), lambda: values_key(route, asked.rows, asked.place))
    return current_version(route) if version is None else version, source


def _assign_by_values(
    route: Route, asked: Asked, blocks: Iterator[Sequence[Row]]
) -> Generator[None, bytes | None, tuple[Version, Source]]:
    """As `_assign`, by the values of rows in blocks."""
    assert route.splitter is not None
    picking, count = route.splitter.picking(), 0
    for block in blocks:
        for rows in in_blocks(block):
            picking.add(groups_of(route, rows, _moved(asked.place, count)))
            count += len(rows)
            yield None
        yield None
    return picked(route, picking.pick()) or current_version(route), "features"


def _try_assign(
    route: Route, named: Version | None, asked: Asked, call: Call
) -> tuple[Version, Source] | PredictionRefusal:
    try:
        return _assign(route, asked, call) if named is None else _by_path(named)
    except PredictionRefusal as refusal:
        return refusal


def _needs_values(route: Route, named: Version | None, asked: Asked, call: Call) -> bool:
    """Returns whether the version depends on the values of all rows."""
    return named is None and route.splitter is not None and not (asked.key or _header(route, call))


def _header(route: Route, call: Call) -> str | None:
    header = call.headers.get(route.header) if route.header else None
    return header.decode("utf-8", "surrogateescape") if header else None
