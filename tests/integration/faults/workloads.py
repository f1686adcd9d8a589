"""Users' changes in steps, each with the condition that it has taken effect."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from integration.cluster.objects import Object, config_map, route, version
from integration.faults.proxied_site import ProxiedSite
from linplane_api.kinds import CONFIG_MAP, JOB, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, POD
from linplane_api.names import API_VERSION
from support import eventually

TRAINING = {"data": {"synthetic": {"samples": 60, "featureCount": 2, "noise": "0.1"}}, "seed": 3}
PATIENCE = 180.0


@dataclass(frozen=True)
class Workload:
    """`before` prepares; faults are injected during `act`. Both return once their changes have taken effect."""

    before: Callable[[ProxiedSite], None]
    act: Callable[[ProxiedSite], None]


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


def nothing(site: ProxiedSite) -> None:
    """An empty namespace."""


def two_versions(site: ProxiedSite) -> None:
    """v1 and v2; a route serves v1, and v2 to a tenth."""
    site.apply(one_replica(), *by_hand("v1"), *by_hand("v2"), route("v1", "v2"))
    all_is_well(site)


def all_is_well(site: ProxiedSite) -> None:
    """Route, versions and server are Ready, and each knows it."""
    for kind, names in ((LINEAR_MODEL, _names(site)), (MODEL_ROUTE, ["iris"]), (MODEL_SERVER, ["default"])):
        for name in names:
            site.comes_to(kind, name, "Ready", "True", timeout=PATIENCE)


def _names(site: ProxiedSite) -> list[str]:
    return [body["metadata"]["name"] for body in site.admin.list(LINEAR_MODEL, site.namespace)]


def create(site: ProxiedSite) -> None:
    """The operator creates the server, with two pods."""
    site.apply(*by_hand("v1"), route("v1"))
    all_is_well(site)
    site.servers(2)


def train(site: ProxiedSite) -> None:
    site.apply(version("v1", training=TRAINING))
    site.comes_to(LINEAR_MODEL, "iris-v1", "Ready", "True", timeout=PATIENCE)
    jobs_end(site)


def jobs_end(site: ProxiedSite) -> None:
    """Waits for the controller's counts, which take a while."""

    def ended() -> bool:
        statuses = [job.get("status") or {} for job in site.admin.list(JOB, site.namespace)]
        return all(any(c["type"] in ("Complete", "Failed") for c in s.get("conditions") or ()) for s in statuses)

    eventually(ended, PATIENCE, 0.1)


def switch(site: ProxiedSite) -> None:
    site.edit(MODEL_ROUTE, "iris", version="v2", split=None)
    all_is_well(site)


def freeze_and_unfreeze(site: ProxiedSite) -> None:
    site.edit(LINEAR_MODEL, "iris-v2", frozen=True)
    site.comes_to(LINEAR_MODEL, "iris-v2", "Withdrawn", "True", timeout=PATIENCE)
    site.comes_to(MODEL_ROUTE, "iris", "Accepted", "False", "CandidateUnavailable", timeout=PATIENCE)
    site.edit(LINEAR_MODEL, "iris-v2", frozen=None)
    site.comes_to(LINEAR_MODEL, "iris-v2", "Withdrawn", "False", "NotFrozen", timeout=PATIENCE)
    all_is_well(site)


def delete(site: ProxiedSite) -> None:
    """Deletes a version in use, the route, and then everything."""
    site.admin.delete(LINEAR_MODEL, "iris-v2", site.namespace)
    site.comes_to(MODEL_ROUTE, "iris", "Accepted", "False", "VersionNotFound", timeout=PATIENCE)
    site.admin.delete(MODEL_ROUTE, "iris", site.namespace)
    eventually(lambda: list(site.get(CONFIG_MAP, "linplane-routing-default")["data"]) == ["sequence"], PATIENCE, 0.1)
    eventually(lambda: not site.get(LINEAR_MODEL, "iris-v1")["status"].get("servingIn"), PATIENCE, 0.1)
    site.admin.delete(LINEAR_MODEL, "iris-v1", site.namespace)
    site.admin.delete(MODEL_SERVER, "default", site.namespace)
    eventually(lambda: not site.admin.list(POD, site.namespace), PATIENCE, 0.1)


def bad_data(site: ProxiedSite) -> None:
    """One replica without any version."""
    rows = "x,y\n1,2\n2,4\n3,6.1\n4,8\n5,10.2\n6,12\n7,14\n8,16\n"
    site.apply(one_replica(), config_map("rows", **{"rows.csv": rows}))
    site.comes_to(MODEL_SERVER, "default", "Ready", "True", timeout=PATIENCE)


def fail_then_a_new_version(site: ProxiedSite) -> None:
    data = {"configMapKeyRef": {"name": "rows", "key": "rows.csv"}}
    site.apply(version("v1", training={"data": data, "target": "absent"}), route("v1"))
    site.comes_to(LINEAR_MODEL, "iris-v1", "Trained", "False", "BadData", timeout=PATIENCE)
    site.apply(version("v2", training={"data": data, "target": "y"}), route("v2"))
    for kind, name in ((LINEAR_MODEL, "iris-v2"), (MODEL_ROUTE, "iris"), (MODEL_SERVER, "default")):
        site.comes_to(kind, name, "Ready", "True", timeout=PATIENCE)
    jobs_end(site)


WORKLOADS = {
    "create": Workload(nothing, create),
    "train": Workload(nothing, train),
    "switch": Workload(two_versions, switch),
    "freeze and unfreeze": Workload(two_versions, freeze_and_unfreeze),
    "delete": Workload(two_versions, delete),
    "fail, then a new version": Workload(bad_data, fail_then_a_new_version),
}
