"""What an API server would refuse a ConfigMap for. Pure."""

import base64
import binascii
from typing import Any

from linplane_api.manifests.schema import SUBDOMAIN, matches
from linplane_api.names import MAX_CONFIGMAP_BYTES

from ..compile.objects import Object

_FIELDS = {"apiVersion", "kind", "metadata", "data", "binaryData", "immutable"}
_KEY = r"^[-._a-zA-Z0-9]+$"


def judge_config_map(body: Object) -> list[tuple[str, str]]:
    """Fields and what is wrong with them; empty where it would be taken."""
    problems = [(key, f'unknown field "{key}"') for key in sorted(set(body) - _FIELDS)]
    problems += _judge_metadata(body.get("metadata"))
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
            problem = _judge_value(key, value, binary=part == "binaryData", twice=key in keys)
            keys.add(key)
            if problem:
                problems.append((place, problem))
            else:
                size += len(value.encode())
    if size > MAX_CONFIGMAP_BYTES:
        problems.append(("data", f"Too long: may not be more than {MAX_CONFIGMAP_BYTES} bytes"))
    return problems


def _judge_metadata(metadata: Any) -> list[tuple[str, str]]:
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str):
        return [("metadata.name", "Required value")]
    if not matches(SUBDOMAIN, name) or len(name) > 253:
        return [("metadata.name", f'Invalid value: "{name}": a lowercase RFC 1123 subdomain is needed')]
    if name.startswith("linplane-"):
        return [("metadata.name", "names that start with linplane- are kept for what linplane makes")]
    wrong = []
    for part in ("labels", "annotations"):
        texts = metadata.get(part) or {}
        if not isinstance(texts, dict) or not all(isinstance(value, str) for value in texts.values()):
            wrong.append((f"metadata.{part}", "a mapping of text is needed"))
    return wrong


def _judge_value(key: str, value: object, *, binary: bool, twice: bool) -> str:
    if not matches(_KEY, key) or len(key) > 253 or key in (".", ".."):
        return "a key is letters, digits, '-', '_' and '.'"
    if twice:
        return "stands in data as well"
    if not isinstance(value, str):
        return "text is needed: quote it"
    if binary:
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            return "base64 is needed"
    return ""
