"""Answers one prediction request: finds the route, applies the limit, decodes the body, picks the version, computes.
Nothing here awaits, so a request is answered without interruption.

The cost does not depend on the number of routes or versions: every lookup is by key in the compiled snapshot.
"""

import itertools
import logging
import re
from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import Meta

from linplane_api.names import HEADER_REQUEST_ID

from ..errors import (
    Internal,
    MethodNotAllowed,
    MissingFeature,
    NothingToServe,
    PredictionRefusal,
    RateLimited,
    RouteNotFound,
    TooLarge,
    UnsupportedBody,
)
from ..problems import Headers, refusal_response
from ..state.counters import Series
from ..state.serving import Serving
from ..state.snapshot import Route, Snapshot
from .body import parse_request
from .client_identity import ClientIdentity
from .router import Source, choose
from .rows import by_name, compute

Answer = tuple[int, Headers, bytes]

HOW_TO_ADDRESS = "no such route is loaded here; address one by path (POST /routes/ROUTE/predict) or by host (POST http://ROUTE/predict)"

_log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode
_sane = re.compile(rb"[A-Za-z0-9._-]{1,64}").fullmatch
_is_json = re.compile(rb"[ \t]*application/([\w.!#$&^+-]+\+)?json[ \t]*(;.*)?", re.IGNORECASE).fullmatch
_REQUEST_ID = HEADER_REQUEST_ID.encode()


_Version = Annotated[str, Meta(description="The version that answered.")]
_AssignedBy = Annotated[
    Source,
    Meta(
        description="The input that the version was chosen by: the request's key, the header, or the feature values; "
        "`current` if all traffic goes to the current version."
    ),
]


class Prediction(msgspec.Struct, rename="camel"):
    """The response to `features`."""

    prediction: float
    version: _Version
    route: str
    assigned_by: _AssignedBy


class Predictions(msgspec.Struct, rename="camel"):
    """The response to `rows`, in their order."""

    predictions: list[float]
    version: _Version
    route: str
    assigned_by: _AssignedBy


class Predictor:
    """The public API without its transport. `clock` returns seconds and measures durations. Ids of requests that bring
    none are `id_prefix` and a number.
    """

    def __init__(
        self,
        serving: Serving,
        identity: ClientIdentity,
        clock: Callable[[], float],
        id_prefix: str,
        *,
        single_route: bool = False,
    ) -> None:
        """`single_route`: if just one route is loaded, it also answers requests whose Host names no route."""
        self._store = serving.store
        self._unrouted = serving.counters.unrouted
        self._limiter = serving.limiter
        self._identity = identity
        self._clock = clock
        self._single_route = single_route
        self._prefix = id_prefix.encode() + b"-"
        self._numbers = itertools.count(1)

    def respond(self, method: str, name: str | None, fields: Headers, peer: str, data: bytes | TooLarge) -> Answer:
        """Returns status, headers and body of the response. Raises nothing: an unexpected exception becomes a 500.

        `name` is the route in the path, None to use Host; `fields` are the request's headers, lower-case; `peer` is the
        connection's address; `data` the body, or the reason that it was not read.
        """
        begin = self._clock()
        headers = dict(fields)
        sent = headers.get(_REQUEST_ID)
        request_id = sent if sent is not None and _sane(sent) else self._prefix + b"%x" % next(self._numbers)
        route: Route | None = None
        try:
            route = self._find(self._store.snapshot, name, headers)
            self._admit(route, method, peer, fields)
            out, content, series = _predict(route, headers, data)
            status = 200
        except PredictionRefusal as refusal:
            series = self._count(route, refusal)
            status, out, content = refusal_response(refusal, request_id.decode())
        except Exception:
            _log.exception("a prediction failed")
            failure = Internal("the server failed; the cause is in its log")
            series = self._count(route, failure)
            status, out, content = refusal_response(failure, request_id.decode())
        out.append((_REQUEST_ID, request_id))
        series.observe(self._clock() - begin)
        return status, out, content

    def _find(self, snapshot: Snapshot, name: str | None, headers: dict[bytes, bytes]) -> Route:
        if name is None:
            host = headers.get(b"host", b"")
            name = host.split(b".", 1)[0].split(b":", 1)[0].decode("latin-1").lower()
            if self._single_route and snapshot.single is not None:
                return snapshot.routes.get(name, snapshot.single)
        route = snapshot.routes.get(name)
        if route is None:
            if self._store.loaded_at is None:
                raise NothingToServe("NotLoaded", "no configuration is loaded yet", None)
            raise RouteNotFound(HOW_TO_ADDRESS)
        return route

    def _admit(self, route: Route, method: str, peer: str, fields: Headers) -> None:
        if method != "POST":
            raise MethodNotAllowed("predictions are requested by POST")
        bucket = route.bucket
        if bucket is not None:
            wait = self._limiter.acquire(bucket, self._identity(peer, fields) if bucket.per_client else "")
            if wait:
                raise RateLimited(wait)

    def _count(self, route: Route | None, refusal: PredictionRefusal) -> Series:
        series = self._unrouted
        if route is not None:
            series = route.version_series(refusal.version)
            if isinstance(refusal, MissingFeature):
                series.record_missing(refusal.features)
        series.record_refusal(refusal.kind)
        return series


CURL_DEFAULT = b"application/x-www-form-urlencoded"
"""The type that `curl -d` declares for any body; a real form is refused as malformed JSON."""


def _check_type(headers: dict[bytes, bytes]) -> None:
    declared = headers.get(b"content-type", b"application/json")
    if declared not in (b"application/json", CURL_DEFAULT) and not _is_json(declared):
        raise UnsupportedBody("the body must be JSON: Content-Type application/json")
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise UnsupportedBody("the body must not be compressed")


def _predict(route: Route, headers: dict[bytes, bytes], data: bytes | TooLarge) -> tuple[Headers, bytes, Series]:
    _check_type(headers)
    if isinstance(data, TooLarge):
        raise data
    body, rows = parse_request(data, route.accepted)
    batch = body.rows is not msgspec.UNSET
    source: Source
    if route.splitter is None:
        version, source = route.current, "current"
    else:
        key = body.key or None
        header = headers.get(route.header) if route.header else None
        text = header.decode("utf-8", "surrogateescape") if header else None
        version, source = choose(route, key, text, lambda: by_name(route, rows, batch))
    if version is None:
        assert route.unavailable is not None
        raise NothingToServe(route.unavailable.reason, route.unavailable.message, route.current_name)
    if batch:
        values = [compute(route, version, row, f"/rows/{i}") for i, row in enumerate(rows)]
        content = _encode(Predictions(values, version.name, route.name, source))
    else:
        value = compute(route, version, rows[0], "/features")
        content = _encode(Prediction(value, version.name, route.name, source))
    return [*version.headers, (b"content-length", b"%d" % len(content))], content, version.series
