"""Counters of requests, incremented on the hot path and read by `/metrics`, `/status` and the report.

They are keyed by route and version, so they survive the swap of a snapshot; those of a route or version that no
document names any more are dropped. No key comes from a request.

They are plain integers instead of prometheus_client's Counter and Histogram, whose locks make one request's counts nine
times as slow (10 us against 1.1 us, measured), and which cannot drop the series of a removed version by route.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Literal

from linplane_api.report import MAX_LISTED, Lacking

from ..errors import Kind

ClientProtocol = Literal["predict", "v2", "v1", "mlflow", "grpc"]
"""The client protocol of a request, as the label `protocol`."""

BOUNDS = (0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25)
"""Upper bounds of the latency histogram, in seconds; one more bucket is unbounded."""

UNCHOSEN = ""
"""The version label of requests that were refused before a version was chosen."""


class Series:
    """Requests of one route and version: a latency histogram (its sum is the number of requests), the same number by
    client protocol, those of them whose path named the version, refusals by kind, and the features of the version that
    requests lacked.
    """

    __slots__ = ("buckets", "errors", "missing", "named", "protocols", "seconds")

    def __init__(self) -> None:
        """All counts start at zero."""
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.protocols: dict[ClientProtocol, int] = {"predict": 0}
        self.named = 0
        self.seconds = 0.0
        self.errors: dict[Kind, int] = {}
        self.missing: dict[str, int] = {}

    def observe(self, protocol: ClientProtocol, seconds: float) -> None:
        """Counts one request, with the time from its last byte read to its response made."""
        self.protocols[protocol] = self.protocols.get(protocol, 0) + 1
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds

    def record_refusal(self, kind: Kind) -> None:
        """Counts one refusal; `observe` counts the request itself."""
        self.errors[kind] = self.errors.get(kind, 0) + 1

    def record_missing(self, features: Iterable[str]) -> None:
        """Counts one request that lacked these features."""
        for feature in features:
            self.missing[feature] = self.missing.get(feature, 0) + 1

    @property
    def requests(self) -> int:
        """The number of requests, refused ones included."""
        return sum(self.buckets)

    @property
    def refused(self) -> int:
        """The number of requests that got no prediction."""
        return sum(self.errors.values())


class Counters:
    """Every Series of this process. `unrouted` counts requests for no loaded route."""

    def __init__(self) -> None:
        """Has no route yet."""
        self.unrouted = Series()
        self._routes: dict[str, dict[str, Series]] = {}

    def series(self, route: str, version: str) -> Series:
        """Returns the series of a loaded route and version; the same object at every call."""
        versions = self._routes.setdefault(route, {})
        if version not in versions:
            versions[version] = Series()
        return versions[version]

    def retain(self, routes: Mapping[str, Iterable[str]]) -> None:
        """Drops the series of all other routes and versions."""
        kept = {}
        for route, versions in routes.items():
            old = self._routes.get(route, {})
            kept[route] = {version: old[version] for version in (*versions, UNCHOSEN) if version in old}
        self._routes = kept

    def items(self) -> list[tuple[str, str, Series]]:
        """Returns (route, version, series) in a stable order; safe to call from another thread."""
        return [
            (route, version, versions[version])
            for route, versions in sorted(self._routes.items())
            for version in sorted(versions)
        ]

    def missing_features(self) -> list[Lacking]:
        """Returns the features that requests lacked, the most frequent first, at most MAX_LISTED."""
        found = [
            Lacking(route, version, feature, count)
            for route, version, series in self.items()
            for feature, count in sorted(series.missing.items())
        ]
        return sorted(found, key=lambda one: -one.count)[:MAX_LISTED]

    def versions(self, route: str) -> dict[str, Series]:
        """Returns the series of one route, by version."""
        return dict(self._routes.get(route, {}))
