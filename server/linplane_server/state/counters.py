"""Plain counters of what was answered: incremented on the hot path, read when somebody asks, never shared with user
input.

They are kept by route and version, so they survive the swap of a snapshot; those of a route or version that no
document names are dropped.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping

from linplane_api.report import MAX_LISTED, Lacking

from ..errors import Kind

BOUNDS = (0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25)
"""Upper bounds of the latency histogram, in seconds; one more bucket takes the rest."""

UNCHOSEN = ""
"""The version under which requests are counted that were refused before one was chosen."""


class Series:
    """Requests of one route and version: a latency histogram (its sum is the number of requests), refusals by kind, and
    the features of the version that requests did not bring.
    """

    __slots__ = ("buckets", "errors", "lacked", "seconds")

    def __init__(self) -> None:
        """Starts at zero."""
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0
        self.errors: dict[Kind, int] = {}
        self.lacked: dict[str, int] = {}

    def observe(self, seconds: float) -> None:
        """Counts one request that took this long from read to answered."""
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds

    def refuse(self, kind: Kind) -> None:
        """Counts one refusal; `observe` counts the request itself."""
        self.errors[kind] = self.errors.get(kind, 0) + 1

    def lack(self, features: Iterable[str]) -> None:
        """Counts one request that did not bring these."""
        for feature in features:
            self.lacked[feature] = self.lacked.get(feature, 0) + 1

    @property
    def requests(self) -> int:
        """All requests, refused ones included."""
        return sum(self.buckets)

    @property
    def refused(self) -> int:
        """The requests that got no prediction."""
        return sum(self.errors.values())


class Counters:
    """Every Series of this process. `unrouted` counts requests for no loaded route."""

    def __init__(self) -> None:
        """Starts empty."""
        self.unrouted = Series()
        self._routes: dict[str, dict[str, Series]] = {}

    def series(self, route: str, version: str) -> Series:
        """That of a loaded route and version; the same object at every call."""
        versions = self._routes.setdefault(route, {})
        if version not in versions:
            versions[version] = Series()
        return versions[version]

    def retain(self, routes: Mapping[str, Iterable[str]]) -> None:
        """Drops whatever is not of these routes and versions."""
        kept = {}
        for route, versions in routes.items():
            old = self._routes.get(route, {})
            kept[route] = {version: old[version] for version in (*versions, UNCHOSEN) if version in old}
        self._routes = kept

    def items(self) -> list[tuple[str, str, Series]]:
        """(route, version, series), in a stable order; safe to call from another thread."""
        return [
            (route, version, versions[version])
            for route, versions in sorted(self._routes.items())
            for version in sorted(versions)
        ]

    def missing_features(self) -> list[Lacking]:
        """The features that most requests did not bring, the most frequent first."""
        found = [
            Lacking(route, version, feature, count)
            for route, version, series in self.items()
            for feature, count in sorted(series.lacked.items())
        ]
        return sorted(found, key=lambda one: -one.count)[:MAX_LISTED]

    def versions(self, route: str) -> dict[str, Series]:
        """The series of one route by version."""
        return dict(self._routes.get(route, {}))
