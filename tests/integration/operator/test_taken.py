"""Every name that a child needs, taken by foreign objects: reported, nothing of them is changed, and it is ours once
they are gone.
"""

from typing import Any

from integration.cluster.objects import config_map, version
from integration.operator.site import RBAC, Site
from linplane_api.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    JOB,
    LINEAR_MODEL,
    MODEL_SERVER,
    ROLE,
    ROLE_BINDING,
    SERVICE,
    SERVICE_ACCOUNT,
    Kind,
)
from linplane_api.names import API_VERSION
from linplane_api.resources import LinearModelSpec, parse_spec
from linplane_operator.compile.training import result_name
from support import eventually

Object = dict[str, Any]
LABELS = {"app": "theirs"}
TEMPLATE = {
    "metadata": {"labels": LABELS},
    "spec": {"containers": [{"name": "main", "image": "registry.invalid/none"}], "restartPolicy": "Never"},
}
PODS = {"spec": {"containers": TEMPLATE["spec"]["containers"]}, "metadata": TEMPLATE["metadata"]}
THEIRS: dict[Kind, Object] = {
    CONFIG_MAP: {"data": {"theirs": "1"}},
    SERVICE_ACCOUNT: {},
    ROLE: {"rules": []},
    ROLE_BINDING: {"roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "theirs"}},
    SERVICE: {"spec": {"ports": [{"name": "theirs", "port": 99}]}},
    DISRUPTION_BUDGET: {"spec": {"selector": {"matchLabels": LABELS}, "minAvailable": 1}},
    DEPLOYMENT: {"spec": {"replicas": 0, "selector": {"matchLabels": LABELS}, "template": PODS}},
    JOB: {"spec": {"suspend": True, "template": TEMPLATE}},
}
"""Each without an owner; a status is the cluster's."""

OF_A_SERVER = {
    **dict.fromkeys((SERVICE_ACCOUNT, ROLE, ROLE_BINDING, DISRUPTION_BUDGET, DEPLOYMENT), "linplane-server-{}"),
    CONFIG_MAP: "linplane-routing-{}",
    SERVICE: "linplane-{}-admin",
}
SYNTHETIC = {"data": {"synthetic": {"samples": 60, "featureCount": 2, "noise": "0.5"}}}
BY_HAND = {"configMapKeyRef": {"name": "hand", "key": "model.json"}}


def theirs(site: Site, kind: Kind, name: str) -> tuple[Kind, str]:
    body = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}, **THEIRS[kind]}
    site.admin.create(body, site.namespace)
    return kind, name


def model(site: Site, name: str, **spec: Any) -> str:
    """The names of its children, which depend on its UID."""
    body = site.admin.create(version("v1", name, **spec), site.namespace)
    return result_name(body, parse_spec(body, LinearModelSpec))


def without_status(body: Object) -> Object:
    return {key: value for key, value in body.items() if key != "status"}


def test_child_names_that_are_taken_are_reported(own_site: Site) -> None:
    """All at once: for each, an owner of its own."""
    site = own_site
    site.operator.kill()
    taken: dict[tuple[Kind, str], tuple[Kind, str, str]] = {}
    for kind, pattern in OF_A_SERVER.items():
        name = kind.short
        body = {"apiVersion": API_VERSION, "kind": "ModelServer", "metadata": {"name": name}, "spec": {"replicas": 0}}
        site.admin.create(body, site.namespace)
        taken[theirs(site, kind, pattern.format(name))] = (MODEL_SERVER, name, "Converged")
    taken[theirs(site, JOB, model(site, "job", training=SYNTHETIC))] = (LINEAR_MODEL, "job-v1", "Trained")
    taken[theirs(site, CONFIG_MAP, model(site, "result", training=SYNTHETIC))] = (LINEAR_MODEL, "result-v1", "Trained")
    taken[theirs(site, ROLE, "linplane-trainer")] = (LINEAR_MODEL, "role-v1", "Trained")
    model(site, "role", training=SYNTHETIC)
    before = {(kind, name): site.get(kind, name) for kind, name in taken}
    site.start_operator()
    for (kind, name), (owner_kind, owner, condition) in taken.items():
        message = site.comes_to(owner_kind, owner, condition, "False", "NameTaken")
        if owner not in ("job-v1", "result-v1"):  # the Role stands in their way as well
            assert f"{kind.kind} {name} exists and does not belong to" in message
    site.admin.delete(ROLE, "linplane-trainer", site.namespace)
    del before[ROLE, "linplane-trainer"]
    site.comes_to(LINEAR_MODEL, "role-v1", "Ready", "True")
    for (kind, name), body in before.items():
        assert without_status(site.get(kind, name)) == without_status(body)
        owner_kind, owner, condition = taken[kind, name]
        text = f"{kind.kind} {name} exists and does not belong to"  # once the Role is out of the way
        eventually(lambda k=owner_kind, o=owner, c=condition, t=text: t in site.condition(k, o, c)[2], 30)  # type: ignore[misc]
        site.comes_to(owner_kind, owner, condition, "False", "NameTaken")
    for kind, name in before:
        site.admin.delete(kind, name, site.namespace, propagation="Background")
    for name in ("job-v1", "result-v1"):
        site.comes_to(LINEAR_MODEL, name, "Ready", "True")

    def ours() -> bool:
        found = {key: site.get_or_none(*key) for key in before}
        controllers = {key: (body or {}).get("metadata", {}).get("ownerReferences") for key, body in found.items()}
        assert all(controllers.values()), controllers
        return True

    eventually(ours, 35)
    assert site.refused() == []


def test_artifact_name_of_weights_that_is_taken_is_reported(own_site: Site) -> None:
    """A ConfigMap that has its name by chance: the version is Ready once that is gone."""
    site = own_site
    site.apply(config_map("hand", **{"model.json": '{"coefficients": {"x": 2}, "intercept": 1}'}))
    site.apply(version("v1", "hand", weights=BY_HAND))
    site.comes_to(LINEAR_MODEL, "hand-v1", "Ready", "True")
    artifact = site.get(LINEAR_MODEL, "hand-v1")["status"]["artifact"]
    site.operator.kill()
    site.admin.delete(CONFIG_MAP, artifact, site.namespace)
    theirs(site, CONFIG_MAP, artifact)
    site.start_operator()
    message = site.comes_to(LINEAR_MODEL, "hand-v1", "Trained", "False", "NameTaken")
    assert f"ConfigMap {artifact} exists and does not belong to LinearModel hand-v1" in message
    assert site.get(CONFIG_MAP, artifact)["data"] == {"theirs": "1"}
    site.admin.delete(CONFIG_MAP, artifact, site.namespace)
    site.comes_to(LINEAR_MODEL, "hand-v1", "Ready", "True")
