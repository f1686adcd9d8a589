"""Compiles routing documents for answering: everything that can be decided before a request comes in is decided here.

A Snapshot is immutable and swapped by one reference assignment, so no answer mixes two states.
"""

from collections.abc import Callable, Mapping
from operator import itemgetter
from types import MappingProxyType

from linplane_api.names import HEADER_DIGEST, HEADER_REVISION, HEADER_VERSION
from linplane_api.routing import Entry, RateLimit, RouteDocument, Unavailable
from linplane_api.split import Splitter

from .counters import UNCHOSEN, Counters, Series
from .limiter import Bucket

Values = tuple[float, ...]


class Version:
    """One version that can answer. `values` takes its features, in order, out of a row by name (KeyError where one is
    missing).
    """

    __slots__ = ("coefficients", "features", "headers", "intercept", "name", "series", "values", "width")

    def __init__(self, document: RouteDocument, name: str, revision: str, series: Series) -> None:
        """`revision` is the document's, and `series` counts what this version answers."""
        served = document.versions[name]
        self.name = name
        self.features = served.features
        self.width = len(served.features)
        self.coefficients = served.coefficients
        self.intercept = served.intercept
        self.values = _getter(served.features)
        self.series = series
        self.headers = (
            (b"content-type", b"application/json"),
            (HEADER_VERSION.encode(), name.encode()),
            (HEADER_DIGEST.encode(), served.digest.encode()),
            (HEADER_REVISION.encode(), revision.encode()),
        )


def _getter(features: tuple[str, ...]) -> Callable[[Mapping[str, float]], Values]:
    if len(features) == 1:
        only = features[0]
        return lambda row: (row[only],)
    return itemgetter(*features)


class Route:
    """One route, compiled. `splitter` is None where no candidate has a share, so that no key is needed.

    `named` is the features of each version that the route names, the current one first. `order` is the features in the
    order that an array gives them; None where the named versions do not agree on one.
    """

    __slots__ = (
        "_series",
        "accepted",
        "bucket",
        "candidates",
        "current",
        "current_name",
        "header",
        "model",
        "name",
        "named",
        "order",
        "revision",
        "sequence",
        "splitter",
        "traffic",
        "unavailable",
        "versions",
    )  # fmt: skip

    def __init__(self, entry: Entry, counters: Counters) -> None:
        """Raises ValueError for a document that cannot be answered by."""
        document = entry.document
        self.name = document.route
        self.model = document.model
        self.revision = entry.revision
        self.sequence = entry.sequence
        self.current_name = document.current
        self.versions = {
            name: Version(document, name, entry.revision, counters.series(self.name, name))
            for name in sorted(document.versions)
        }
        self.current = self.versions.get(document.current or "")
        self.unavailable: Unavailable | None = document.unavailable
        self.candidates = tuple(self.versions.get(candidate.version) for candidate in document.split)
        self.splitter: Splitter | None = document.splitter() if any(document.shares()) else None
        self.traffic = document.traffic()
        header = document.split_key.header
        self.header = header.lower().encode() if header else None
        self.named = _named(document)
        self.accepted = frozenset(self.features)
        orders = set(document.features_by_version.values())
        self.order = orders.pop() if len(orders) == 1 else None
        self.bucket = route_bucket(self.name, document.rate_limit)
        self._series = {
            name: counters.series(self.name, name)
            for name in (*document.features_by_version, document.current or UNCHOSEN, UNCHOSEN)
        }

    @property
    def features(self) -> tuple[str, ...]:
        """Every feature that a request may bring, in the order in which the versions declare them."""
        return tuple(dict.fromkeys(name for features in self.named.values() for name in features))

    @property
    def names(self) -> list[str]:
        """Every version that the route names, so that has counters of its own."""
        return list(self._series)

    def version_series(self, version: str | None) -> Series:
        """The counters of a version, or those of requests refused before one was chosen."""
        return self._series[version or UNCHOSEN]


def _named(document: RouteDocument) -> dict[str, tuple[str, ...]]:
    order = dict.fromkeys((*document.versions_named(), *document.features_by_version))
    return {
        version: document.features_by_version[version] for version in order if version in document.features_by_version
    }


def route_bucket(route: str, limit: RateLimit | None) -> Bucket | None:
    """The part of a limit that is this replica's: a Client's whole, a Route's divided by the replicas with a burst of
    at least 1.
    """
    if limit is None:
        return None
    if limit.per == "Client":
        return Bucket(route, limit.requests_per_second, limit.burst, per_client=True)
    share = max(1, limit.burst // limit.replicas)
    return Bucket(route, limit.requests_per_second / limit.replicas, share, per_client=False)


class Snapshot:
    """What is served now. `uid` and `sequence` are those of the routing map that was last taken up."""

    __slots__ = ("rejected", "routes", "sequence", "single", "uid", "unread")

    def __init__(
        self,
        uid: str,
        sequence: int,
        routes: Mapping[str, Route],
        rejected: Mapping[str, str],
        unread: frozenset[str] = frozenset(),
    ) -> None:
        """`rejected` gives the reason of each route whose newest document was refused; `unread` names those that are
        not served at all, because of a format that this release does not read.
        """
        self.unread = unread
        self.uid = uid
        self.sequence = sequence
        self.routes = MappingProxyType(dict(routes))
        self.rejected = MappingProxyType(dict(rejected))
        self.single = next(iter(self.routes.values())) if len(self.routes) == 1 else None


EMPTY = Snapshot("", 0, {}, {})
