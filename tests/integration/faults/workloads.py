"""Users' changes in steps, each with the condition that it has taken effect."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from integration.cluster.objects import Object, config_map, route, version
from integration.faults.lane import Lane
from linplane_api.kinds import CONFIG_MAP, JOB, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, POD
from linplane_api.names import API_VERSION
from support import eventually

TRAINING = {"data": {"synthetic": {"samples": 60, "featureCount": 2, "noise": "0.1"}}, "seed": 3}
PATIENCE = 90.0


@dataclass(frozen=True)
class Workload:
    """`before` prepares; faults are injected during `act`. Both return once their changes have taken effect."""

    before: Callable[[Lane], None]
    act: Callable[[Lane], None]


def weights(model: str, **coefficients: float) -> Object:
    """A ConfigMap with hand-written weights."""
    return config_map(model, **{"model.json": json.dumps({"coefficients": coefficients, "intercept": 1})})


def by_hand(name: str) -> tuple[Object, Object]:
    """A version and its weights, which differ between versions."""
    model = version(name, weights={"configMapKeyRef": {"name": f"iris-{name}", "key": "model.json"}})
    return weights(f"iris-{name}", x=float(name[1:])), model


def one_replica() -> Object:
    """The default server, created by a user, with one pod."""
    return {
        "apiVersion": API_VERSION,
        "kind": "ModelServer",
        "metadata": {"name": "default"},
        "spec": {"replicas": 1},
    }


def nothing(lane: Lane) -> None:
    """An empty namespace."""


def two_versions(lane: Lane) -> None:
    """v1 and v2; a route serves v1, and v2 to a tenth."""
    lane.apply(one_replica(), *by_hand("v1"), *by_hand("v2"), route("v1", "v2"))
    all_is_well(lane)


def all_is_well(lane: Lane) -> None:
    """Route, versions and server are Ready, and each knows it."""
    for kind, names in ((LINEAR_MODEL, _names(lane)), (MODEL_ROUTE, ["iris"]), (MODEL_SERVER, ["default"])):
        for name in names:
            lane.comes_to(kind, name, "Ready", "True", timeout=PATIENCE)


def _names(lane: Lane) -> list[str]:
    return [body["metadata"]["name"] for body in lane.admin.list(LINEAR_MODEL, lane.namespace)]


def create(lane: Lane) -> None:
    """The operator creates the server, with two pods."""
    lane.apply(*by_hand("v1"), route("v1"))
    all_is_well(lane)
    lane.servers(2)


def train(lane: Lane) -> None:
    lane.apply(version("v1", training=TRAINING))
    lane.comes_to(LINEAR_MODEL, "iris-v1", "Ready", "True", timeout=PATIENCE)
    jobs_end(lane)


def jobs_end(lane: Lane) -> None:
    """Waits for the controller's counts, which take a while."""

    def ended() -> bool:
        statuses = [job.get("status") or {} for job in lane.admin.list(JOB, lane.namespace)]
        return all(any(c["type"] in ("Complete", "Failed") for c in s.get("conditions") or ()) for s in statuses)

    eventually(ended, PATIENCE, 0.1)


def switch(lane: Lane) -> None:
    lane.edit(MODEL_ROUTE, "iris", version="v2", split=None)
    all_is_well(lane)


def freeze_and_unfreeze(lane: Lane) -> None:
    lane.edit(LINEAR_MODEL, "iris-v2", frozen=True)
    lane.comes_to(LINEAR_MODEL, "iris-v2", "Withdrawn", "True", timeout=PATIENCE)
    lane.comes_to(MODEL_ROUTE, "iris", "Accepted", "False", "CandidateUnavailable", timeout=PATIENCE)
    lane.edit(LINEAR_MODEL, "iris-v2", frozen=None)
    lane.comes_to(LINEAR_MODEL, "iris-v2", "Withdrawn", "False", "NotFrozen", timeout=PATIENCE)
    all_is_well(lane)


def delete(lane: Lane) -> None:
    """Deletes a version in use, the route, and then everything."""
    lane.admin.delete(LINEAR_MODEL, "iris-v2", lane.namespace)
    lane.comes_to(MODEL_ROUTE, "iris", "Accepted", "False", "VersionNotFound", timeout=PATIENCE)
    lane.admin.delete(MODEL_ROUTE, "iris", lane.namespace)
    eventually(lambda: list(lane.get(CONFIG_MAP, "linplane-routing-default")["data"]) == ["sequence"], PATIENCE, 0.1)
    eventually(lambda: not lane.get(LINEAR_MODEL, "iris-v1")["status"].get("servingIn"), PATIENCE, 0.1)
    lane.admin.delete(LINEAR_MODEL, "iris-v1", lane.namespace)
    lane.admin.delete(MODEL_SERVER, "default", lane.namespace)
    eventually(lambda: not lane.admin.list(POD, lane.namespace), PATIENCE, 0.1)


def bad_data(lane: Lane) -> None:
    """One replica without any version."""
    rows = "x,y\n1,2\n2,4\n3,6.1\n4,8\n5,10.2\n6,12\n7,14\n8,16\n"
    lane.apply(one_replica(), config_map("rows", **{"rows.csv": rows}))
    lane.comes_to(MODEL_SERVER, "default", "Ready", "True", timeout=PATIENCE)


def fail_then_a_new_version(lane: Lane) -> None:
    data = {"configMapKeyRef": {"name": "rows", "key": "rows.csv"}}
    lane.apply(version("v1", training={"data": data, "target": "absent"}), route("v1"))
    lane.comes_to(LINEAR_MODEL, "iris-v1", "Trained", "False", "BadData", timeout=PATIENCE)
    lane.apply(version("v2", training={"data": data, "target": "y"}), route("v2"))
    for kind, name in ((LINEAR_MODEL, "iris-v2"), (MODEL_ROUTE, "iris"), (MODEL_SERVER, "default")):
        lane.comes_to(kind, name, "Ready", "True", timeout=PATIENCE)
    jobs_end(lane)


WORKLOADS = {
    "create": Workload(nothing, create),
    "train": Workload(nothing, train),
    "switch": Workload(two_versions, switch),
    "freeze and unfreeze": Workload(two_versions, freeze_and_unfreeze),
    "delete": Workload(two_versions, delete),
    "fail, then a new version": Workload(bad_data, fail_then_a_new_version),
}
