"""Answers one prediction request: finds the route, applies the limit, decodes the body by its interface, picks the
version, computes. Nothing here awaits, so a request is answered without interruption.

The cost does not depend on the number of routes or versions: every lookup is by key in the compiled snapshot.
"""

import itertools
import logging
import re
from collections.abc import Callable

from linplane_api.names import HEADER_REQUEST_ID

from ..errors import (
    Internal,
    MethodNotAllowed,
    MissingFeature,
    PredictionRefusal,
    RateLimited,
    shown,
)
from ..problems import Headers
from ..state.counters import Series
from ..state.serving import Serving
from ..state.snapshot import Route, Snapshot, Version
from .client_identity import ClientIdentity
from .interface import Answer, Asked, Call, Interface, Target
from .router import Source, choose, current_version, find_version, unknown_route
from .rows import by_name, check_names, compute_rows

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
        interface, name, version = target
        sent = call.headers.get(_REQUEST_ID)
        request_id = sent if sent is not None and _sane(sent) else b"%b-%x" % (self._prefix, next(self._numbers))
        route: Route | None = None
        named: Version | None = None
        try:
            route = self._find(self._store.snapshot, name, call.headers)
            self._admit(route, call)
            if version is not None:
                named = find_version(route, version)
            elif route.splitter is None:
                current_version(route)
            asked = interface.decode(route, call)
            (out, content), series = self._predict(interface, route, named, asked, call)
            status = 200
        except PredictionRefusal as refusal:
            series = self._count(route, refusal, named)
            public = shown(refusal, names=self._public_names)
            status, out, content = interface.refuse(public, request_id.decode())
        except Exception:
            _log.exception("a prediction failed")
            failure = Internal("the server failed; the cause is in its log")
            series = self._count(route, failure, named)
            status, out, content = interface.refuse(failure, request_id.decode())
        out.append((_REQUEST_ID, request_id))
        if version is not None and route is not None and series is not route.version_series(None):
            series.named += 1
        series.observe(interface.protocol, self._clock() - begin)
        return status, out, content

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

    def _admit(self, route: Route, call: Call) -> None:
        if call.method != "POST":
            raise MethodNotAllowed("predictions are requested by POST")
        bucket = route.bucket
        if bucket is not None:
            wait = self._limiter.acquire(bucket, self._identity(call.peer, call.fields) if bucket.per_client else "")
            if wait:
                raise RateLimited(wait)

    def _predict(
        self, interface: Interface, route: Route, named: Version | None, asked: Asked, call: Call
    ) -> tuple[tuple[Headers, bytes], Series]:
        version, source = _assign(route, asked, call) if named is None else _by_path(named)
        if not asked.rows:
            check_names(route, version, asked.names, asked.place(0))
        values = compute_rows(route, version, asked.rows, asked.place, self._blocks)
        return interface.encode(route, asked, version, source, values), version.series

    def _count(self, route: Route | None, refusal: PredictionRefusal, named: Version | None) -> Series:
        series = self._unrouted
        if route is not None:
            series = route.version_series(refusal.version or (named.name if named is not None else None))
            if isinstance(refusal, MissingFeature):
                series.record_missing(refusal.features)
        series.record_refusal(refusal.kind)
        return series


def _by_path(version: Version) -> tuple[Version, Source]:
    return version, "version"


def _assign(route: Route, asked: Asked, call: Call) -> tuple[Version, Source]:
    if route.splitter is None:
        return current_version(route), "current"
    header = call.headers.get(route.header) if route.header else None
    text = header.decode("utf-8", "surrogateescape") if header else None
    version, source = choose(route, asked.key, text, lambda: by_name(route, asked.rows, asked.place))
    return current_version(route) if version is None else version, source
