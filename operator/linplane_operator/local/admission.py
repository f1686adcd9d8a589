"""Admission of local mode: which objects of a manifest are accepted, validated and defaulted as by an API server, and
which of their fields have no effect. Pure, except that the schemas are loaded once.
"""

import base64
import binascii
from difflib import get_close_matches
from typing import Any

from linplane_api import names
from linplane_api.kinds import BY_KIND, CONFIG_MAP, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, OURS, REPLICA_REPORT, Kind
from linplane_api.manifests.manifest import Document
from linplane_api.manifests.schema import SUBDOMAIN, matches
from linplane_api.manifests.validation import load_schemas
from linplane_api.names import MAX_CONFIGMAP_BYTES

from ..compile.objects import Object, meta, name_of, namespace_of, spec_of

ACCEPTED = (CONFIG_MAP, LINEAR_MODEL, MODEL_SERVER, MODEL_ROUTE)

OBJECT_NEEDED = "an object with apiVersion, kind and metadata is needed"
ITEMS_NEEDED = "a List needs `items`, a list of objects, none of them a List"
SAME_KIND = 0.9
"""The similarity (difflib's ratio) from which a kind counts as misspelt; ModelService and ModelServer have 0.87."""
SAME_GROUP = 0.75
_KINDS = {kind.kind: kind.api_version for kind in (*OURS, CONFIG_MAP)}
_CORE = {
    *("Binding", "ComponentStatus", "ConfigMap", "Config", "Endpoints", "Event", "LimitRange", "Namespace"),
    *("Node", "PersistentVolume", "PersistentVolumeClaim", "Pod", "PodTemplate", "ReplicationController"),
    *("ResourceQuota", "Secret", "Service", "ServiceAccount"),
}
"""The kinds of version v1 of the core group (`Config` is kubectl's); any other is a typing error."""
_STORED = {"name", "namespace", "labels", "annotations"}
_CONFIG_MAP_FIELDS = {"apiVersion", "kind", "metadata", "data", "binaryData", "immutable"}
_KEY = r"^[-._a-zA-Z0-9]+$"
KEY_NEEDED = "a key is letters, digits, '-', '_' and '.'"
USED_OF_JOB = ("backoffLimit", "activeDeadlineSeconds")
USED_OF_SERVER = ("trustedProxies", "rootPath", "maxBodyBytes")
DEFAULT_REPLICAS = 2


def kind_of(document: Document) -> Kind | None:
    """The kind of a document, None if local mode does not accept it."""
    kind = BY_KIND.get((str(document.body.get("apiVersion")), document.key[0]))
    return kind if kind in ACCEPTED else None


def problems_of_unaccepted(body: dict[str, Any]) -> list[tuple[str, str]]:
    """The problems of an object that is not accepted, as field and message; none for an object of another program.

    A typing error in `kind` or `apiVersion` must not look like another program's object: the object that the file held
    before would count as deleted.
    """
    kind, version = body.get("kind"), body.get("apiVersion")
    if not isinstance(kind, str) or not isinstance(version, str):
        artifact = "coefficients" in body or "artifact" in body
        hint = "; an artifact goes into a ConfigMap that spec.weights names" if artifact else ""
        return [("", f"{OBJECT_NEEDED}{hint}")]
    if (version, kind) == (REPLICA_REPORT.api_version, REPLICA_REPORT.kind):
        problems = [(p.field, p.message) for p in load_schemas().validate(body)]
        return problems or [("kind", f"a {kind} is written by servers, not applied by users")]
    if kind == "List":  # a List of objects was read as these objects
        return [("items", ITEMS_NEEDED)]
    problem = f'no matches for kind "{kind}" in version "{version}"'
    if kind in _KINDS:
        return [("apiVersion", f"{problem}: {_KINDS[kind]} is needed")]
    if version.partition("/")[0] == names.GROUP or (version == "v1" and kind not in _CORE):
        return [("kind", problem)]
    meant = _resembled(kind, version.partition("/")[0])
    return [("kind", f"{problem}: is {meant} meant?")] if meant else []


def _resembled(kind: str, group: str) -> str:
    """Our kind or group that differs from the given one by about one typing error, empty if there is none."""
    kinds = {one.casefold(): one for one in _KINDS}
    close = get_close_matches(kind.casefold(), kinds, n=1, cutoff=SAME_KIND)
    if close:
        return f"{kinds[close[0]]} in {_KINDS[kinds[close[0]]]}"
    return next(iter(get_close_matches(group.casefold(), [names.GROUP], cutoff=SAME_GROUP)), "")


def has_name(body: dict[str, Any]) -> bool:
    """True if the object has a name."""
    metadata = body.get("metadata")
    return isinstance(metadata, dict) and isinstance(metadata.get("name"), str)


def load_rules() -> None:
    """Loads the schemas and rules, which takes a second; call it in a thread while the server starts."""
    for kind in (LINEAR_MODEL, MODEL_ROUTE):
        load_schemas().validate({"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "a"}})


def validate(kind: Kind, body: Object, stored: Object | None) -> list[tuple[str, str]]:
    """The problems of an object as an update of `stored`, as field and message; empty if it is accepted."""
    if kind is CONFIG_MAP:
        return validate_config_map(body)
    new = {key: value for key, value in body.items() if key != "status"}
    if stored and "status" in stored:
        new["status"] = stored["status"]
    old = {**stored, "metadata": {"name": name_of(stored)}} if stored else None
    return [(p.field, p.message) for p in load_schemas().validate(new, old)]


def as_stored(kind: Kind, body: Object, manifest: str, before: Object | None) -> Object:
    """The object with defaults, its manifest as an annotation, and the stored status instead of its own."""
    given = meta(body)
    metadata = {
        "name": name_of(body),
        "labels": given.get("labels") or {},
        "annotations": {**(given.get("annotations") or {}), names.ANNOTATION_MANIFEST: manifest},
    }
    parts = {key: value for key, value in body.items() if key not in ("metadata", "status")}
    if kind is not CONFIG_MAP:
        parts = load_schemas().with_defaults(parts | {"metadata": {"name": name_of(body)}})
    status = {"status": before["status"]} if before and "status" in before else {}
    return {**parts, "metadata": metadata, **status}


def is_simple(body: Object) -> bool:
    """True if `as_stored` would drop nothing of its metadata."""
    metadata = body.get("metadata")
    if not isinstance(metadata, dict) or not set(metadata) <= _STORED:
        return False
    return all(isinstance(metadata.get(part) or {}, dict) for part in ("labels", "annotations"))


def content(body: Object) -> Object:
    """The parts of an object that users write, without the manifest annotation and what the store adds."""
    labels, annotations = (dict(meta(body).get(part) or {}) for part in ("labels", "annotations"))
    annotations.pop(names.ANNOTATION_MANIFEST, None)
    return {**body, "metadata": {"labels": labels, "annotations": annotations}}


def validate_config_map(body: Object) -> list[tuple[str, str]]:
    """The problems of a ConfigMap, as field and message; empty if an API server would accept it."""
    problems = [(key, f'unknown field "{key}"') for key in sorted(set(body) - _CONFIG_MAP_FIELDS)]
    problems += validate_metadata(body.get("metadata"))
    if body.get("immutable") is not None and not isinstance(body["immutable"], bool):
        problems.append(("immutable", "true or false is needed"))
    size = 0
    keys: set[str] = set()
    for part in ("data", "binaryData"):
        values = body.get(part) or {}
        if not isinstance(values, dict):
            problems.append((part, "a mapping of text is needed"))
            continue
        for key, value in values.items():
            place = f"{part}.{key}"
            problem = _validate_value(key, value, binary=part == "binaryData", twice=key in keys)
            keys.add(key)
            if problem:
                problems.append((place, problem))
            else:
                size += len(value.encode())
    if size > MAX_CONFIGMAP_BYTES:
        problems.append(("data", f"Too long: may not be more than {MAX_CONFIGMAP_BYTES} bytes"))
    return problems


def validate_metadata(metadata: Any) -> list[tuple[str, str]]:
    """The problems of an object's name, labels and annotations, as field and message."""
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str):
        return [("metadata.name", "Required value")]
    if not matches(SUBDOMAIN, name) or len(name) > 253:
        return [("metadata.name", f'Invalid value: "{name}": a lowercase RFC 1123 subdomain is needed')]
    if name.startswith("linplane-"):
        return [("metadata.name", "names that start with linplane- are reserved")]
    wrong = []
    for part in ("labels", "annotations"):
        texts = metadata.get(part) or {}
        if not isinstance(texts, dict) or not all(isinstance(value, str) for value in texts.values()):
            wrong.append((f"metadata.{part}", "a mapping of text is needed"))
    return wrong


def is_key(key: str) -> bool:
    """True for a key that the data of a ConfigMap or a Secret may have."""
    return matches(_KEY, key) and len(key) <= 253 and key not in (".", "..")


def _validate_value(key: str, value: object, *, binary: bool, twice: bool) -> str:
    if not is_key(key):
        return KEY_NEEDED
    if twice:
        return "is also a key of data"
    if not isinstance(value, str):
        return "text is needed: quote it"
    if binary:
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            return "base64 is needed"
    return ""


def ignored_fields(kind: Kind, body: Object) -> list[str]:
    """One message per field of an accepted object that has no effect here. A field that would change data, fit or
    traffic is not among them: it is refused, or a condition reports it.
    """
    found = []
    spec = spec_of(body)
    if kind is MODEL_SERVER and name_of(body) != names.DEFAULT_SERVER:
        return [f"the server {names.DEFAULT_SERVER} alone runs in local mode"]
    if kind is MODEL_SERVER:
        found = [f"spec.{name}" for name in sorted(spec) if name not in USED_OF_SERVER]
        if spec.get("replicas") in (1, DEFAULT_REPLICAS):
            found.remove("spec.replicas")
    if kind is LINEAR_MODEL:
        job = (spec.get("training") or {}).get("job") or {}
        found = [f"spec.training.job.{name}" for name in sorted(job) if name not in USED_OF_JOB]
    if namespace_of(body) != "default":
        found.append("metadata.namespace")
    return [f"{place} has no effect in local mode" for place in found]
