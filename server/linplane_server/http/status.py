"""`GET /status`: the routes that this replica serves, with their counts, as JSON."""

import msgspec

from ..errors import Kind
from ..routing.source import ConfigSource
from ..state.counters import Series
from ..state.readiness import Readiness
from ..state.serving import Serving
from ..state.snapshot import Route
from ..state.switch_log import Switch


class Share(msgspec.Struct, frozen=True):
    """A version's effective share of the traffic, in percent."""

    version: str
    percent: float


class VersionFigures(msgspec.Struct, frozen=True, rename="camel"):
    """Requests that a version was chosen for. `hits` counts all of them, `errors` those without a prediction, and
    `lackedFeature` those of the errors that lacked a feature. `meanLatencyMs` is null if there was no request.
    """

    hits: int
    errors: int
    mean_latency_ms: float | None
    lacked_feature: int


class RouteStatus(msgspec.Struct, frozen=True):
    """A loaded route. `unavailable` is the reason that the current version's share is answered 503; `refused` counts,
    by kind, the requests that were refused before a version was chosen.
    """

    current: str | None
    revision: str
    sequence: int
    traffic: list[Share]
    unavailable: str | None
    versions: dict[str, VersionFigures]
    refused: dict[Kind, int]


class ReplicaStatus(msgspec.Struct, frozen=True, rename={"config_map_uid": "configMapUID"}):
    """One replica. `replica` is the name of its pod, `server` that of its ModelServer; `source` is the source of its
    routing; `rejected` has the reason for each route whose newest document was refused; `switches` are the most recent
    ones that it observed, oldest first.
    """

    replica: str
    server: str
    ready: bool
    source: str
    config_map_uid: str
    sequence: int
    routes: dict[str, RouteStatus]
    rejected: dict[str, str]
    switches: list[Switch]


class Status:
    """Makes the document. `replica` is the name of this pod, `server` that of its ModelServer."""

    def __init__(self, serving: Serving, readiness: Readiness, replica: str, server: str, source: ConfigSource) -> None:
        """`serving`, `readiness` and `source` are read at each call."""
        self._serving = serving
        self._readiness = readiness
        self._replica = replica
        self._server = server
        self._source = source

    def __call__(self) -> bytes:
        """Returns the document."""
        snapshot = self._serving.store.snapshot
        body = ReplicaStatus(
            replica=self._replica,
            server=self._server,
            ready=self._readiness.unready() is None,
            source=self._source.name,
            config_map_uid=snapshot.uid,
            sequence=snapshot.sequence,
            routes={name: self._route(route) for name, route in sorted(snapshot.routes.items())},
            rejected=dict(sorted(snapshot.rejected.items())),
            switches=self._serving.switch_log.last(),
        )
        return msgspec.json.encode(body)

    def _route(self, route: Route) -> RouteStatus:
        counted = self._serving.counters.versions(route.name)
        named = sorted(name for name in counted if name)
        return RouteStatus(
            current=route.current_name,
            revision=route.revision,
            sequence=route.sequence,
            traffic=[Share(version, share / 100) for version, share in route.traffic],
            unavailable=route.unavailable.reason if route.unavailable else None,
            versions={name: _figures(counted[name]) for name in named},
            refused=dict(route.version_series(None).errors),
        )


def _figures(series: Series) -> VersionFigures:
    hits = series.requests
    return VersionFigures(
        hits=hits,
        errors=series.refused,
        mean_latency_ms=round(series.seconds / hits * 1000, 4) if hits else None,
        lacked_feature=series.errors.get("missing_feature", 0),
    )
