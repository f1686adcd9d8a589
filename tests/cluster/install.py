"""Applies the CRDs and admission policies of crds/, which a cluster needs before Linplane."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from support import eventually

from .client import ApiError, Client
from .kinds import CRD, POLICY, POLICY_BINDING

FOLDER = Path(__file__).parents[2] / "crds"


def documents(path: Path) -> list[dict[str, Any]]:
    """The objects in a YAML file."""
    return [body for body in yaml.safe_load_all(path.read_text("utf-8")) if body]


def _all() -> Iterator[dict[str, Any]]:
    for path in sorted(FOLDER.glob("*.yaml")):
        yield from documents(path)


def install(admin: Client) -> None:
    """Applies every file in crds/, and waits until the new kinds are served. A policy is in force a moment later."""
    bodies = list(_all())
    for body in bodies:
        admin.apply(body, force=True)
    for body in bodies:
        if body["kind"] == CRD.kind:
            eventually(partial(_is_established, admin, body["metadata"]["name"]), timeout=30)
    assert all(body["kind"] in (CRD.kind, POLICY.kind, POLICY_BINDING.kind) for body in bodies)


def _is_established(admin: Client, name: str) -> bool:
    crd = admin.get(CRD, name)
    conditions = {c["type"]: c["status"] for c in crd.get("status", {}).get("conditions", ())}
    if conditions.get("Established") != "True":
        return False
    version = crd["spec"]["versions"][0]["name"]
    try:
        admin.call("GET", f"/apis/{crd['spec']['group']}/{version}/{crd['spec']['names']['plural']}")
    except ApiError as error:
        if error.code in (404, 429):  # not routed yet, or its storage is being made
            return False
        raise
    return True
