"""Features that callers of a route do not send, by what its replicas report: in Servable, and worth an Event."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from linplane_api.conditions import Cause, Condition
from linplane_api.display import display_names
from linplane_api.routing import RouteDocument

from .acknowledgements import Replica
from .conditions import condition

MISSING_FEATURES = "MissingFeatures"
"""The Event's reason."""


@dataclass(frozen=True)
class Lack:
    """Features that requests for one version lacked; `count`: the least number of such requests."""

    version: str
    count: int
    message: str


def lacking_of(replicas: Iterable[Replica], route: str, document: RouteDocument) -> list[Lack]:
    """The features that requests lacked, for each version with a share, from the reports of all replicas."""
    counts: dict[str, Counter[str]] = {}
    for replica in replicas:
        for one in (replica.report.lacking or ()) if replica.report else ():
            if one.route == route:
                counts.setdefault(one.version, Counter())[one.feature] += one.count
    result = []
    for version, _ in document.traffic():
        counted = counts.get(version, Counter())
        features = [name for name in document.features_by_version.get(version, ()) if name in counted]
        if features:
            count = max(counted[name] for name in features)
            also = "" if version == document.current else "also "
            requests = "1 request" if count == 1 else f"{count} requests"
            them = "it" if len(features) == 1 else "them"
            message = f"{version} {also}needs {display_names(features)}: {requests} without {them} got 422"
            result.append(Lack(version, count, message))
    return result


def mentions(message: str, version: str) -> bool:
    """A message of Servable says that requests for this version lack features."""
    return any(part.startswith((f"{version} needs ", f"{version} also needs ")) for part in message.split("; "))


def with_lacking(servable: Condition, lacking: Sequence[Lack]) -> Condition:
    """Servable with what is lacking in its message; it stays True."""
    if servable.status != "True":
        return servable
    message = "; ".join([servable.message, *(lack.message for lack in lacking)])
    return condition(servable.type, Cause(servable.reason, message))
