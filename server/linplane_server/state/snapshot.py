"""Compiles routing documents for predictions: all that can be computed before a request arrives is computed here.

A Snapshot is immutable and swapped by one reference assignment, so no response mixes two states.
"""

from collections.abc import Callable, Mapping
from operator import itemgetter
from types import MappingProxyType

from linplane_api.names import HEADER_DIGEST, HEADER_REVISION, HEADER_VERSION
from linplane_api.routing import Entry, RateLimit, RouteDocument, Unavailable
from linplane_api.split import Splitter

from .array_order import array_order
from .counters import UNCHOSEN, Counters, Series
from .example import example_row
from .limiter import Bucket

Values = tuple[float, ...]


class Version:
    """A version with its weights. `values` returns its features, in order, from a row by name; it raises KeyError if
    one is missing.
    """

    __slots__ = (
        "coefficients",
        "digest",
        "features",
        "headers",
        "intercept",
        "name",
        "revision",
        "series",
        "values",
        "width",
    )  # fmt: skip

    def __init__(self, document: RouteDocument, name: str, revision: str, series: Series) -> None:
        """`revision` is that of the document, for responses; `series` counts the requests of this version."""
        served = document.versions[name]
        self.name = name
        self.digest = served.digest
        self.revision = revision
        self.features = served.features
        self.width = len(served.features)
        self.coefficients = served.coefficients
        self.intercept = served.intercept
        self.values = _getter(served.features)
        self.series = series
        self.headers = (
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
    """A compiled route. `splitter` is None if no candidate has a share, so that no key is needed.

    `features_by_version` has the features of each version that the route names, the current one first. `order` is the
    order of features in an array; None if the versions `disagreeing` leave none. `example` is a row that every version
    with weights can answer, by the features that they need.
    """

    __slots__ = (
        "_series",
        "accepted",
        "bucket",
        "candidate_names",
        "candidates",
        "current",
        "current_name",
        "disagreeing",
        "example",
        "features_by_version",
        "header",
        "model",
        "name",
        "order",
        "revision",
        "sequence",
        "splitter",
        "traffic",
        "unavailable",
        "versions",
    )  # fmt: skip

    def __init__(self, entry: Entry, counters: Counters) -> None:
        """Raises ValueError for a document that cannot be compiled."""
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
        self.candidate_names = tuple(candidate.version for candidate in document.split)
        self.splitter: Splitter | None = document.splitter() if any(document.shares()) else None
        self.traffic = document.traffic()
        header = document.split_key.header
        self.header = header.lower().encode() if header else None
        self.features_by_version = _features_by_version(document)
        self.accepted = frozenset(self.features)
        self.order, self.disagreeing = array_order(document)
        self.bucket = route_bucket(self.name, document.rate_limit)
        self.example = example_row(document)
        self._series = {
            name: counters.series(self.name, name)
            for name in (*document.features_by_version, document.current or UNCHOSEN, UNCHOSEN)
        }

    @property
    def features(self) -> tuple[str, ...]:
        """Every feature that a request may contain, in the order in which the versions declare them."""
        return tuple(dict.fromkeys(name for features in self.features_by_version.values() for name in features))

    @property
    def names(self) -> list[str]:
        """The versions that have counters: those that the route names, and UNCHOSEN."""
        return list(self._series)

    def version_series(self, version: str | None) -> Series:
        """Returns the counters of a version; for None, those of requests refused before one was chosen."""
        return self._series[version or UNCHOSEN]


def _features_by_version(document: RouteDocument) -> dict[str, tuple[str, ...]]:
    order = dict.fromkeys((*document.versions_named(), *document.features_by_version))
    return {
        version: document.features_by_version[version] for version in order if version in document.features_by_version
    }


def route_bucket(route: str, limit: RateLimit | None) -> Bucket | None:
    """Returns this replica's part of a limit: all of a Client limit; of a Route limit the rate and burst divided by the
    replicas, with a burst of at least 1.
    """
    if limit is None:
        return None
    if limit.per == "Client":
        return Bucket(route, limit.requests_per_second, limit.burst, per_client=True)
    share = max(1, limit.burst // limit.replicas)
    return Bucket(route, limit.requests_per_second / limit.replicas, share, per_client=False)


class Snapshot:
    """All compiled routes. `uid` and `sequence` are those of the routing map that they were compiled from."""

    __slots__ = ("rejected", "routes", "sequence", "single", "uid", "unread")

    def __init__(
        self,
        uid: str,
        sequence: int,
        routes: Mapping[str, Route],
        rejected: Mapping[str, str],
        unread: frozenset[str] = frozenset(),
    ) -> None:
        """`rejected` has the reason for each route whose newest document was refused; `unread` names those that are not
        served at all, because this release does not support their format.
        """
        self.unread = unread
        self.uid = uid
        self.sequence = sequence
        self.routes = MappingProxyType(dict(routes))
        self.rejected = MappingProxyType(dict(rejected))
        self.single = next(iter(self.routes.values())) if len(self.routes) == 1 else None


EMPTY = Snapshot("", 0, {}, {})
