"""The last good document of a route, from its own status: for an operator that has never seen the document itself."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from linplane_api.conditions import Reason
from linplane_api.resources import ModelRouteStatus, Share
from linplane_api.routing import Candidate, RouteDocument, SplitKey, Unavailable

from .artifacts import Version
from .objects import Object, name_of, spec_of, status_of
from .statuses import read_status, readable_status


def has_served(route: Object) -> bool:
    """The status names a version that served once."""
    status = readable_status(ModelRouteStatus, status_of(route))
    return bool(status.version or status.switches)


def document_of_status(route: Object) -> RouteDocument | None:
    """Current version, split and previous version, without weights; None if the status has no current version.

    Without `split`, as an earlier operator wrote it, a candidate that had no share then is not in the split either.
    """
    if not status_of(route).get("version"):
        return None
    try:
        status = read_status(ModelRouteStatus, status_of(route))
        document = RouteDocument(
            route=name_of(route),
            model=spec_of(route)["model"],
            current=status.version,
            split=tuple(
                Candidate(s.version, _share(s))
                for s in status.split or status.traffic or ()
                if s.version != status.version
            ),
            split_key=SplitKey(name_of(route)),
            versions={},
            features_by_version={},
            previous=status.previous_version,
            unavailable=Unavailable(Reason.VERSION_NOT_READY, f"the current version {status.version} is not Ready"),
        )
        return msgspec.convert(msgspec.to_builtins(document), RouteDocument)  # a constructor checks no types
    except (ArithmeticError, ValueError):  # edited by hand, past what the CRD allows
        return None


def digests_of_status(route: Object) -> dict[str, str]:
    """The digests of the versions that had traffic. An earlier operator's status has none."""
    try:
        shares = read_status(ModelRouteStatus, status_of(route)).traffic or ()
    except ValueError:
        return {}
    return {share.version: share.digest for share in shares if share.digest}


def proven(
    document: RouteDocument, digests: Mapping[str, str], versions: Mapping[str, Version]
) -> RouteDocument | None:
    """The document without candidates that are Ready with another digest: they were made again and mean something else.
    None if the current version is.
    """
    files = {name: version.verdict.file for name, version in versions.items()}
    other = {name for name, digest in digests.items() if (file := files.get(name)) and file.digest != digest}
    if document.current in other:
        return None
    split = tuple(candidate for candidate in document.split if candidate.version not in other)
    return msgspec.structs.replace(document, split=split)


def without_weights(document: RouteDocument) -> RouteDocument:
    """The same traffic, with the weights still to be found."""
    gone = Unavailable(Reason.VERSION_NOT_READY, "its weights are not known")
    return msgspec.structs.replace(document, versions={}, unavailable=gone)


def _share(share: Share) -> int:
    return int(Decimal(share.percent) * 100)


def missing_versions(
    document: RouteDocument, versions: Mapping[str, Version], before: RouteDocument | None
) -> tuple[str, ...]:
    """The versions that had traffic in `before`, still have a place in `document`, and have no weights there for now.

    Empty if one of them is frozen: a freeze is meant, and waits for nothing.
    """
    if before is None:
        return ()
    placed = {document.current, *(candidate.version for candidate in document.split)}
    missing = [v for v, _ in before.traffic() if v in placed and v not in document.versions]
    frozen = any(version in versions and versions[version].frozen for version in missing)
    return () if frozen else tuple(missing)
