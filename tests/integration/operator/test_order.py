"""The same objects applied in any order, with any pauses, before or after the operator starts: the same final state."""

import json
import random
import secrets
import time
from pathlib import Path
from typing import Any

import pytest

from cluster.controlplane import ControlPlane
from integration.cluster.objects import config_map, route, version
from integration.faults.snapshot import Snapshot, snapshot
from integration.operator.fork_server import ForkServer
from integration.operator.site import Site
from linplane_api.kinds import LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER
from linplane_api.names import API_VERSION

Object = dict[str, Any]
ROWS = "a,y\n1,2\n2,4\n3,6.1\n4,8\n5,10\n6,12\n7,14\n8,16\n"
FROM_ROWS = {"data": {"configMapKeyRef": {"name": "rows", "key": "rows.csv"}}, "target": "y"}
LAST = 3  # the permutation that is applied before the operator starts


def objects() -> list[Object]:
    """Versions by hand, trained, frozen and missing; a server of the user's own; three routes."""
    weights = {"coefficients": {"a": 2.5}, "intercept": 1}
    named = {"apiVersion": API_VERSION, "kind": "ModelServer", "metadata": {"name": "default"}}
    return [
        config_map("homes", **{"model.json": json.dumps(weights)}),
        config_map("rows", **{"rows.csv": ROWS}),
        version("v1", "homes"),
        version("v2", "homes", training=FROM_ROWS),
        version("v3", "homes", frozen=True),
        {**named, "spec": {"replicas": 1}},
        route("v1", "v2", name="homes", model="homes"),
        route("v2", "v3", name="later", model="homes"),
        route("v9", name="never", model="homes"),
    ]


def order(permutation: int) -> list[Object]:
    """0: as they are written; 1: the other way round; else by chance."""
    found = objects()
    if permutation == 1:
        found.reverse()
    elif permutation:
        random.Random(permutation).shuffle(found)
    return found


def reached(plane: ControlPlane, folder: Path, fork_server: ForkServer, permutation: int) -> Snapshot:
    """The final state of a fresh namespace."""
    namespace = f"test-{secrets.token_hex(4)}"
    plane.admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    site = Site(plane, namespace, folder, fork_server)
    pause = random.Random(permutation)
    try:
        if permutation == LAST:
            site.operator.kill()
        for body in order(permutation):
            site.apply(body)
            time.sleep(pause.choice((0, 0, 0.1, 0.5)))
        if permutation == LAST:
            site.start_operator()
        for name in ("homes-v1", "homes-v2"):
            site.comes_to(LINEAR_MODEL, name, "Ready", "True")
        site.comes_to(LINEAR_MODEL, "homes-v3", "Withdrawn", "True")
        site.servers(1)
        site.comes_to(MODEL_ROUTE, "homes", "Ready", "True")
        site.comes_to(MODEL_ROUTE, "later", "Accepted", "False", "CandidateUnavailable")
        site.comes_to(MODEL_ROUTE, "later", "Converged", "True")
        site.comes_to(MODEL_ROUTE, "never", "Accepted", "False", "VersionNotFound")
        site.comes_to(MODEL_SERVER, "default", "Ready", "True")
        site.comes_to(MODEL_ROUTE, "never", "Converged", "True")
        assert site.versions("homes", {"a": 1.0}) <= {"v1", "v2"}
        assert site.versions("later", {"a": 1.0}) == {"v2"}
        assert site.refused() == []
        return settled(site)
    finally:
        site.close()


def settled(site: Site) -> Snapshot:
    """Once nothing has been written for two seconds: counts are written at most once in one."""
    deadline = time.monotonic() + 60
    while True:
        mark = site.plane.audit.mark()
        time.sleep(2)
        if not site.writes(mark) or time.monotonic() > deadline:
            return {key: without(value) for key, value in snapshot(site.admin, site.namespace).items()}


def without(value: Any) -> Any:
    """How often an object was written is no part of it."""
    if isinstance(value, dict):
        kept = {key: without(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if key not in ("generation", "observedGeneration")}
    return [without(item) for item in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def first(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory, fork_server: ForkServer) -> Snapshot:
    return reached(control_plane, tmp_path_factory.mktemp("first"), fork_server, 0)


@pytest.mark.parametrize("permutation", range(1, LAST + 1))
def test_any_order_reaches_the_same_world(
    control_plane: ControlPlane, tmp_path: Path, fork_server: ForkServer, first: Snapshot, permutation: int
) -> None:
    assert reached(control_plane, tmp_path, fork_server, permutation) == first
