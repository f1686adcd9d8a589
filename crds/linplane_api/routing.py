"""The routing documents: the operator writes them to a ModelServer's routing ConfigMap, its servers serve by them.

The ConfigMap has one key a route, `route.NAME`, and `sequence`. A key's value is an Entry: the document, its
revision and, outside of what is hashed, the sequence at which this revision was added. A document has only what
serving needs, and records the last good state.

Documents grow. The revision is that of the JSON as it is written (RFC 8785), not of the struct that a reader makes of
it, so a reader accepts fields that it does not know, and a writer copies them from the document in force. A field that
an older reader may ignore is optional, and is not written if it is unset; a field whose stale value could make an
answer wrong, or that names a version, raises the format (see `format_of`), which the operator writes only if every
ready replica reports that it reads it. The revision is computed in the same way in every format, so a reader can
distinguish a later format from damage.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from .artifact import Check, Feature, verify_checks
from .canonical import (
    Format,
    FormatError,
    canonical_bytes,
    check_format,
    check_format_of,
    convert,
    digest_of,
    json_of,
    parse_json,
)
from .formats import format_needed, paths_of
from .names import MAX_FEATURES, ROUTE_KEY_PREFIX, SEQUENCE_KEY
from .split import WHOLE, Splitter

# \Z and not $, which Python also finds before a last newline
Digest = Annotated[str, msgspec.Meta(min_length=71, max_length=71, pattern=r"^sha256:[0-9a-f]{64}\Z")]
VERSION_PATTERN = r"^[a-z0-9]+([.][a-z0-9]+)*\Z"
VersionName = Annotated[str, msgspec.Meta(min_length=1, max_length=32, pattern=VERSION_PATTERN)]
Label = Annotated[str, msgspec.Meta(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")]
Features = Annotated[tuple[Feature, ...], msgspec.Meta(min_length=1, max_length=MAX_FEATURES)]

FORMATS = (1,)
"""The formats of documents that this release reads and writes."""
PATH_FORMATS: dict[str, int] = {
    "current": 1,
    "split.<items>.version": 1,
    "versions.<keys>": 1,
    "features_by_version.<keys>": 1,
    "previous": 1,
}
"""The first format that has each path of a document that names a version, or whose stale value could make an answer
wrong.
"""


class _Part(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    pass


class ServedVersion(_Part, frozen=True):
    """The weights of one version, as a server needs them."""

    digest: Digest
    features: Features
    coefficients: tuple[float, ...]
    intercept: float
    checks: tuple[Check, ...] = ()

    def __post_init__(self) -> None:
        """Lengths agree, and the check rows give their answers on this very machine."""
        if len(self.coefficients) != len(self.features):
            raise ValueError("as many coefficients as features are needed")
        if len(set(self.features)) != len(self.features):
            raise ValueError("features: duplicate name")
        verify_checks(self.coefficients, self.intercept, self.checks)


class Candidate(_Part, frozen=True):
    """One slot of the split. `share`, in hundredths of a percent, is that of the spec: a candidate without
    weights in the document (frozen, say) keeps its slot and its share, and the current version answers for it.
    """

    version: VersionName
    share: Annotated[int, msgspec.Meta(ge=0, le=WHOLE)]


class SplitKey(_Part, frozen=True):
    """How a user is identified if a request has no `key`."""

    salt: Annotated[str, msgspec.Meta(max_length=253)]
    header: Annotated[str, msgspec.Meta(max_length=128, pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z")] | None = None


class RateLimit(_Part, frozen=True):
    """A token bucket. `Client` limits are a replica's; `Route` limits are divided by `replicas`, with a burst of at
    least 1.
    """

    requests_per_second: Annotated[float, msgspec.Meta(gt=0)]
    burst: Annotated[int, msgspec.Meta(ge=1)]
    per: Literal["Client", "Route"]
    replicas: Annotated[int, msgspec.Meta(ge=1)] = 1


class Unavailable(_Part, frozen=True):
    """Why the current version's share is answered 503. `reason` is a condition's reason."""

    reason: str
    message: str


class RouteDocument(_Part, frozen=True):
    """Everything a server needs to answer for one route.

    `current` is None if the route never had a version to serve. `versions` holds the weights of those that may
    answer, and of no other: a frozen version is not in it. `features_by_version` (`named` in JSON) gives the features
    of every version that the route names (current, previous, split), for those are the features that a request may
    bring. `unavailable` is set exactly if `current` has no weights here. `format` is set by `make_entry`.
    """

    route: Label
    model: Label
    current: VersionName | None
    split: Annotated[tuple[Candidate, ...], msgspec.Meta(max_length=2)]
    split_key: SplitKey
    versions: dict[VersionName, ServedVersion]
    features_by_version: dict[VersionName, Features] = msgspec.field(name="named")
    previous: VersionName | None = None
    rate_limit: RateLimit | None = None
    unavailable: Unavailable | None = None
    format: Format = 1

    def __post_init__(self) -> None:
        """Checks the format, the cross references, and that the shares are at most 100 % in sum."""
        check_format(self.format, FORMATS)
        Splitter(self.split_key.salt, tuple(candidate.share for candidate in self.split))
        names = [candidate.version for candidate in self.split]
        if len({*names, self.current}) != len(names) + 1:
            raise ValueError("split: duplicate version")
        if (self.current in self.versions) == (self.unavailable is not None):
            raise ValueError("unavailable: must be set exactly if the current version has no weights")
        for version, served in self.versions.items():
            if self.features_by_version.get(version) != served.features:
                raise ValueError("named: must give the features of every version with weights")

    def splitter(self) -> Splitter:
        """The thresholds of this document."""
        return Splitter(self.split_key.salt, self.shares())

    def shares(self) -> tuple[int, ...]:
        """The share that each candidate gets, in hundredths of a percent: 0 without weights."""
        return tuple(candidate.share if candidate.version in self.versions else 0 for candidate in self.split)

    def traffic(self) -> list[tuple[str, int]]:
        """Every version with its share in hundredths of a percent, the current one first, without those that
        have no share.
        """
        candidates = [(c.version, share) for c, share in zip(self.split, self.shares(), strict=True)]
        rest = WHOLE - sum(self.shares())
        current = [(self.current, rest)] if self.current else []
        return [(version, share) for version, share in (*current, *candidates) if share]

    def versions_named(self) -> tuple[str, ...]:
        """Every version that the route names: the current one, the candidates, the previous one; each once. One that
        is frozen or gone is named too.
        """
        named = (self.current, *(candidate.version for candidate in self.split), self.previous)
        return tuple(dict.fromkeys(version for version in named if version))


class Entry(msgspec.Struct, frozen=True):
    """The value of one route's key. `sequence` is 0 until it is placed in a routing ConfigMap. `raw` is the document's
    JSON if it has more than this release writes; None if it has not.
    """

    document: RouteDocument
    revision: str
    sequence: int = 0
    raw: dict[str, Any] | None = None

    @property
    def body(self) -> dict[str, Any]:
        """The document's JSON, of which `revision` is the digest."""
        return json_of(self.document) if self.raw is None else self.raw

    def to_bytes(self) -> bytes:
        """Canonical bytes; `parse_entry` gives the same entry back."""
        return canonical_bytes({"document": self.body, "revision": self.revision, "sequence": self.sequence})


def format_of(document: RouteDocument) -> int:
    """The format that a document needs for what it holds; one that no release reads, if it names a version in a field
    that has no format yet.
    """
    no_format = max(FORMATS) + 1
    formats = dict.fromkeys(paths_of(type(document), VERSION_PATTERN), no_format) | PATH_FORMATS
    return format_needed(document, {path: number for path, number in formats.items() if number > 1})


def make_entry(document: RouteDocument, sequence: int = 0, before: Entry | None = None) -> Entry:
    """The entry of a document. Unknown fields of `before`, the entry in force, are copied while the part that they
    belong to is unchanged: those of the document itself always, those of a version while its
    digest is unchanged, those of any other part while that part is unchanged. Raises FormatNotSupportedError if the
    document needs a format that this release does not write.
    """
    document = msgspec.structs.replace(document, format=format_of(document))
    body = json_of(document)
    raw = None
    if before is not None and before.raw is not None:
        body = raw = _with_unknown(body, json_of(before.document), before.raw)
    return Entry(document, digest_of(canonical_bytes(body)), sequence, raw)


def _with_unknown(new: dict[str, Any], known: dict[str, Any], raw: dict[str, Any]) -> dict[str, Any]:
    """The document `new` with the unknown fields of `raw`; `known` are the known ones."""
    result = new | _fields_to_copy(RouteDocument, new, known, raw)
    before, read = known["versions"], raw["versions"]
    result["versions"] = {
        name: version | _fields_to_copy(ServedVersion, version, before[name], read[name])
        if name in before and before[name]["digest"] == version["digest"]
        else version
        for name, version in new["versions"].items()
    }
    return result


def _fields_to_copy(
    kind: type[msgspec.Struct], new: dict[str, Any], known: dict[str, Any], raw: dict[str, Any]
) -> dict[str, Any]:
    """The fields of `raw` to copy: unknown ones, and those whose known part is the same in `new`."""
    ours = {field.encode_name for field in msgspec.structs.fields(kind)}
    return {key: value for key, value in raw.items() if key not in ours or new.get(key) == known.get(key)}


def parse_entry(data: bytes | str) -> Entry:
    """Reads one route's key; fields that are not known are kept. Raises FormatError: damaged, or not of its revision;
    FormatNotSupportedError: of a format that this release does not read. No value is repeated.
    """
    body = parse_json(data)
    if not isinstance(body, dict) or not {"document", "revision", "sequence"} <= set(body):
        raise FormatError("", "document, revision and sequence are needed")
    raw = body["document"]
    revision = digest_of(canonical_bytes(raw))
    if body["revision"] == revision:  # else it is damaged, whatever its format seems to be
        check_format_of(raw, FORMATS, "document")
    document = convert(raw, RouteDocument, "document")
    sequence = convert(body["sequence"], int, "sequence")
    if body["revision"] != revision:
        raise FormatError("revision", "is not that of the document")
    return Entry(document, revision, sequence, None if raw == json_of(document) else raw)


class RoutingMap(msgspec.Struct, frozen=True):
    """One state of the routing ConfigMap: its UID, its sequence, and each route's key, not parsed yet."""

    uid: str
    sequence: int
    routes: dict[str, str]

    def to_data(self) -> dict[str, str]:
        """The ConfigMap's `data`."""
        keys = {ROUTE_KEY_PREFIX + name: text for name, text in sorted(self.routes.items())}
        return {**keys, SEQUENCE_KEY: str(self.sequence)}


def routing_map(uid: str, data: Mapping[str, Any]) -> RoutingMap:
    """A ConfigMap's `data` as a RoutingMap. Raises FormatError if the sequence is not a whole number."""
    text = str(data.get(SEQUENCE_KEY, ""))
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise FormatError(SEQUENCE_KEY, "is not a whole number")
    routes = {
        key.removeprefix(ROUTE_KEY_PREFIX): str(value)
        for key, value in data.items()
        if key.startswith(ROUTE_KEY_PREFIX)
    }
    return RoutingMap(uid, int(text), routes)
