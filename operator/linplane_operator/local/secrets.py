"""Secrets among the manifests: read when a training needs one, and never stored. Pure; no problem repeats a value."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from linplane_api.manifests.manifest import Document
from linplane_api.names import MAX_CONFIGMAP_BYTES

from ..compile.objects import Object
from .admission import KEY_NEEDED, is_key, validate_metadata

API_VERSION, KIND = "v1", "Secret"
MAX_BYTES = MAX_CONFIGMAP_BYTES  # a Secret's are as many (corev1.MaxSecretSize)
FIELDS = {"apiVersion", "kind", "metadata", "data", "stringData", "type", "immutable"}


def is_secret(document: Document) -> bool:
    """True for a Secret, valid or not."""
    return document.body.get("apiVersion") == API_VERSION and document.body.get("kind") == KIND


def problems_of_secret(body: Object) -> list[tuple[str, str]]:
    """The problems of a Secret, as field and message; empty if an API server would accept it."""
    problems = [(key, f'unknown field "{key}"') for key in sorted(set(body) - FIELDS)]
    problems += validate_metadata(body.get("metadata"))
    for part in ("data", "stringData"):
        values = body.get(part) or {}
        if not isinstance(values, dict):
            problems.append((part, "a mapping of keys is needed"))
            continue
        found = {key: _problem(key, value, encoded=part == "data") for key, value in values.items()}
        problems += [(f"{part}.{key}", problem) for key, problem in found.items() if problem]
    if not problems and sum(len(value.encode()) for value in keys_of(body).values()) > MAX_BYTES:
        problems.append(("data", f"Too long: may not be more than {MAX_BYTES} bytes"))
    return problems


def keys_of(body: Object) -> Mapping[str, str]:
    """The values by key, of a Secret without problems; those of `stringData` win. What is no UTF-8 is left out."""
    found: dict[str, str] = {}
    for key, value in (body.get("data") or {}).items():
        try:
            found[key] = base64.b64decode(value).decode()
        except UnicodeDecodeError:
            continue
    return found | (body.get("stringData") or {})


def _problem(key: str, value: Any, *, encoded: bool) -> str:
    if not is_key(key):
        return KEY_NEEDED
    if not isinstance(value, str):
        return "must be text: put it into quotes"  # no example, which would have the value
    if encoded:
        try:
            base64.b64decode("".join(value.split()), validate=True)
        except (binascii.Error, ValueError):
            return "base64 is needed; stringData takes plain text"
    return ""
