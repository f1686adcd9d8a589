"""Orphans: by --cascade=orphan in place, and a whole namespace restored into another one."""

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.controlplane import ControlPlane
from cluster.kinds import NAMESPACE
from integration.cluster.objects import config_map, route, version
from integration.operator.fork_server import ForkServer
from integration.operator.site import ACCOUNT, Site
from linplane_api.kinds import BY_KIND, CONFIG_MAP, DEPLOYMENT, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, SERVICE
from pages import blocks
from support import eventually

Object = dict[str, Any]
PAGE = Path(__file__).parents[3] / "docs" / "backup.md"
ROUTING = "linplane-routing-default"
HAND = config_map("hand", **{"model.json": json.dumps({"coefficients": {"x": 2}, "intercept": 1})})
WEIGHTS = {"configMapKeyRef": {"name": "hand", "key": "model.json"}}
SERVER = {
    "apiVersion": "linplane.dev/v1alpha1", "kind": "ModelServer", "metadata": {"name": "default"},
    "spec": {"replicas": 1},
}  # fmt: skip
SYNTHETIC = {"data": {"synthetic": {"samples": 60, "featureCount": 2, "noise": "0.1"}}, "seed": 3}
OTHERS = {
    ("ServiceAccount", "default"), ("ServiceAccount", ACCOUNT), ("ConfigMap", "kube-root-ca.crt"),
    ("RoleBinding", "operator"),
}  # fmt: skip
LEFT_OUT = {"Pod", "ReplicaSet", "ReplicaReport", "Event"}


@pytest.fixture
def serving(own_site: Site) -> Site:
    """One route that serves v1 and has v9 in its spec, which does not exist; one whose version is trained."""
    site = own_site
    site.apply(HAND, SERVER, version("v1", "hand", weights=WEIGHTS), version("v1", training=SYNTHETIC))
    site.apply(route("v1", name="hand", model="hand"), route("v1"))
    for name in ("hand", "iris"):
        site.comes_to(MODEL_ROUTE, name, "Ready", "True", timeout=90)
    site.patch_route("hand", version="v9")
    site.comes_to(MODEL_ROUTE, "hand", "Accepted", "False", "VersionNotFound")
    return site


def controller(site: Site, kind: Any, name: str) -> str:
    found = site.get_or_none(kind, name) or {"metadata": {}}
    return next((o["uid"] for o in found["metadata"].get("ownerReferences") or () if o.get("controller")), "")


def test_orphans_of_route_and_server_are_adopted_by_their_successors(serving: Site) -> None:
    """The pod goes on and is not replaced, and the traffic does not change."""
    site = serving
    (pod,) = site.servers(1)
    site.operator.stop()  # else it makes the server again before what it owned has lost its owner
    site.kubectl("delete", "mroute/hand", "mserver/default", "--cascade=orphan", "--timeout=20s")
    assert controller(site, CONFIG_MAP, ROUTING) == controller(site, SERVICE, "hand") == ""
    site.apply(SERVER, route("v9", name="hand", model="hand"))
    site.start_operator()
    site.comes_to(MODEL_ROUTE, "hand", "Converged", "True")
    site.comes_to(MODEL_ROUTE, "iris", "Ready", "True")
    assert site.get(MODEL_ROUTE, "hand")["status"]["trafficSummary"] == "v1 100"
    server = site.get(MODEL_SERVER, "default")["metadata"]["uid"]
    eventually(lambda: controller(site, DEPLOYMENT, "linplane-server-default") == server)
    assert controller(site, CONFIG_MAP, ROUTING) == server
    assert controller(site, SERVICE, "hand") == site.get(MODEL_ROUTE, "hand")["metadata"]["uid"]
    assert [container.name for container in site.servers(1)] == [pod.name]
    assert site.versions("hand", {"x": 3.0}) == {"v1"}


def saved(site: Site) -> list[Object]:
    """The objects of a namespace in a backup, without those of the cluster and of these tests."""
    kinds = [kind for kind in BY_KIND.values() if kind.kind not in LEFT_OUT]
    found = [body for kind in kinds for body in site.admin.list(kind, site.namespace)]
    return [body for body in found if (body["kind"], body["metadata"]["name"]) not in OTHERS]


def cleaned(body: Object, *, owners: bool) -> Object:
    """As a restore makes it: new identity, no status; `owners`: with the references that it had."""
    keys = ("name", "labels", "annotations", *(("ownerReferences",) if owners else ()))
    metadata = {key: body["metadata"][key] for key in keys if key in body["metadata"]}
    spec = {k: v for k, v in (body.get("spec") or {}).items() if k not in ("clusterIP", "clusterIPs")}
    rest = {k: v for k, v in body.items() if k not in ("metadata", "status", "spec")}
    return {**rest, "metadata": metadata, **({"spec": spec} if "spec" in body else {})}


@pytest.fixture
def other(control_plane: ControlPlane, tmp_path: Path, fork_server: ForkServer) -> Iterator[Site]:
    """Another namespace, whose operator starts when all is restored."""
    namespace = f"test-{secrets.token_hex(4)}"
    control_plane.admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    folder = tmp_path / "other"
    folder.mkdir()
    site = Site(control_plane, namespace, folder, fork_server)
    site.operator.stop()
    yield site
    site.close()
    control_plane.admin.delete(NAMESPACE, namespace)


def test_backup_commands_of_the_docs_copy_a_namespace(serving: Site, other: Site, tmp_path: Path) -> None:
    """Each command of docs/backup.md, from one namespace into another: data under any key, and no other app's."""
    data = {"model.json": HAND["data"]["model.json"], "namespace": "a", "uid": "b", "status": "kind: c\n    uid: d\n"}
    serving.apply({**HAND, "data": data}, config_map("theirs", uid="e"))
    serving.patch_route("hand", version="v1")
    serving.comes_to(MODEL_ROUTE, "hand", "Ready", "True")
    other.start_operator()
    environment = {
        **os.environ,
        "KUBECONFIG": str(serving.plane.kubeconfig),
        "PATH": f"{serving.plane.binaries['kubectl'].parent}:{os.environ['PATH']}",
    }
    for command, _ in [command for block in blocks(PAGE) for command in block]:
        adapted = command.replace("-n shop", f"-n {serving.namespace}").replace("-n copy", f"-n {other.namespace}")
        done = subprocess.run(
            ["bash", "-c", adapted],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == 0, (adapted, done.stdout, done.stderr)
    assert other.get(CONFIG_MAP, "hand")["data"] == data
    assert other.get_or_none(CONFIG_MAP, "theirs") is None
    digests = [s.get(LINEAR_MODEL, "iris-v1")["status"]["digest"] for s in (serving, other)]
    assert digests[0] == digests[1]
    assert other.versions("hand", {"x": 3.0}) == {"v1"}


@pytest.mark.parametrize("owners", [False, True], ids=["references stripped", "references kept"])
def test_namespace_restored_into_another_one_serves(serving: Site, other: Site, owners: bool) -> None:
    """All at once, children included. With their old references the garbage collector removes the children."""
    for body in saved(serving):
        if body["kind"] == "Job" or (body["kind"] == "ConfigMap" and body.get("immutable") and owners):
            continue
        other.admin.create(cleaned(body, owners=owners), other.namespace)
    if owners:
        eventually(lambda: other.get_or_none(DEPLOYMENT, "linplane-server-default") is None, 60)
    other.start_operator()
    other.comes_to(LINEAR_MODEL, "iris-v1", "Ready", "True", timeout=90)
    other.comes_to(MODEL_ROUTE, "iris", "Ready", "True", timeout=90)
    before = serving.get(LINEAR_MODEL, "iris-v1")["status"]["digest"]
    assert other.get(LINEAR_MODEL, "iris-v1")["status"]["digest"] == before
    server = other.get(MODEL_SERVER, "default")["metadata"]["uid"]
    eventually(lambda: controller(other, DEPLOYMENT, "linplane-server-default") == server)
    if owners:  # nothing is left that says what served
        other.comes_to(MODEL_ROUTE, "hand", "Servable", "False", "NeverServed")
        other.patch_route("hand", version="v1")
    other.comes_to(MODEL_ROUTE, "hand", "Converged", "True")
    assert other.get(MODEL_ROUTE, "hand")["status"]["trafficSummary"] == "v1 100"
    eventually(lambda: other.versions("hand", {"x": 3.0}) == {"v1"})
    assert [call for call in other.refused() if call[0] == "the-operator"] == []
