"""What of a manifest local mode takes, and why it does not take the rest. Pure but for the schemas that are
loaded once.
"""

from difflib import get_close_matches
from typing import Any

from linplane_api import names
from linplane_api.kinds import BY_KIND, CONFIG_MAP, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, OURS, REPLICA_REPORT, Kind
from linplane_api.manifests.manifest import Document
from linplane_api.manifests.validation import load_schemas

TAKEN = (CONFIG_MAP, LINEAR_MODEL, MODEL_SERVER, MODEL_ROUTE)

OBJECT_NEEDED = "an object with apiVersion, kind and metadata is needed"
ITEMS_NEEDED = "a List needs `items`, a list of objects, none of them a List"
SAME_KIND = 0.9
"""The similarity (difflib's ratio) from which a kind is a misspelt one: ModelService and ModelServer have 0.87."""
SAME_GROUP = 0.75
_KINDS = {kind.kind: kind.api_version for kind in (*OURS, CONFIG_MAP)}
_CORE = {
    *("Binding", "ComponentStatus", "ConfigMap", "Config", "Endpoints", "Event", "LimitRange", "Namespace"),
    *("Node", "PersistentVolume", "PersistentVolumeClaim", "Pod", "PodTemplate", "ReplicationController"),
    *("ResourceQuota", "Secret", "Service", "ServiceAccount"),
}
"""The kinds of version v1 of the core group (`Config` is that of kubectl): any other is a typing error."""


def kind_of(document: Document) -> Kind | None:
    """The kind that is taken, None for any other."""
    kind = BY_KIND.get((str(document.body.get("apiVersion")), document.key[0]))
    return kind if kind in TAKEN else None


def not_understood(body: dict[str, Any]) -> list[tuple[str, str]]:
    """For an object that is not taken: fields and what is wrong with them; empty for an object of another program.

    A wrong letter in `kind` or `apiVersion` must not look like another program's object: the one that it was before
    would count as deleted.
    """
    kind, version = body.get("kind"), body.get("apiVersion")
    if not isinstance(kind, str) or not isinstance(version, str):
        artifact = "coefficients" in body or "artifact" in body
        hint = "; an artifact goes into a ConfigMap that spec.weights names" if artifact else ""
        return [("", f"{OBJECT_NEEDED}{hint}")]
    if (version, kind) == (REPLICA_REPORT.api_version, REPLICA_REPORT.kind):
        problems = [(p.field, p.message) for p in load_schemas().judge(body)]
        return problems or [("kind", f"a {kind} is not applied by people; servers write it")]
    if kind == "List":  # one that holds objects was read as those
        return [("items", ITEMS_NEEDED)]
    problem = f'no matches for kind "{kind}" in version "{version}"'
    if kind in _KINDS:
        return [("apiVersion", f"{problem}: {_KINDS[kind]} is needed")]
    if version.partition("/")[0] == names.GROUP or (version == "v1" and kind not in _CORE):
        return [("kind", problem)]
    meant = _resembled(kind, version.partition("/")[0])
    return [("kind", f"{problem}: is {meant} meant?")] if meant else []


def _resembled(kind: str, group: str) -> str:
    """The kind or group of ours that another one is within about one typing error of, empty if there is none."""
    kinds = {one.casefold(): one for one in _KINDS}
    close = get_close_matches(kind.casefold(), kinds, n=1, cutoff=SAME_KIND)
    if close:
        return f"{kinds[close[0]]} in {_KINDS[kinds[close[0]]]}"
    return next(iter(get_close_matches(group.casefold(), [names.GROUP], cutoff=SAME_GROUP)), "")


def has_name(body: dict[str, Any]) -> bool:
    """Whether the object can be distinguished from others of its kind."""
    metadata = body.get("metadata")
    return isinstance(metadata, dict) and isinstance(metadata.get("name"), str)
