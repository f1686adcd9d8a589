"""Deleted in whatever order: nothing hangs, nothing holds a finalizer, and the CRDs can go too."""

import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import controlplane
from cluster.controlplane import ControlPlane
from cluster.install import install
from cluster.kinds import CRD, NAMESPACE
from integration.cluster.objects import config_map, route, version
from integration.operator.fork_server import ForkServer
from integration.operator.site import Site
from linplane_api.kinds import BY_KIND, LINEAR_MODEL, MODEL_ROUTE, OURS
from linplane_api.names import API_VERSION, GROUP
from support import eventually

NAMED = {"model": "lmod/iris-v1", "route": "mroute/iris", "server": "mserver/default"}
SERVER = {"apiVersion": API_VERSION, "kind": "ModelServer", "metadata": {"name": "default"}, "spec": {"replicas": 1}}
WEIGHTS = config_map("iris", **{"model.json": json.dumps({"coefficients": {"x": 2}, "intercept": 1})})
OBJECTS = (WEIGHTS, version("v1"), SERVER, route("v1"))
ORDERS = (
    "model route server operator namespace",
    "route operator model server namespace",
    "server model operator route namespace",
    "namespace model route server operator",
    "operator namespace model route server",
)
SECONDS = 25.0  # for a namespace with all that is in it


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """One whose CRDs may go."""
    with controlplane.control_plane(control_plane.binaries) as own:
        install(own.admin)
        own.start_controllers()
        yield own


@pytest.fixture
def site(plane: ControlPlane, tmp_path: Path, fork_server: ForkServer) -> Iterator[Site]:
    """With a version, a route and a replica that serves it."""
    namespace = f"test-{secrets.token_hex(4)}"
    plane.admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    made = Site(plane, namespace, tmp_path, fork_server)
    try:
        made.apply(*OBJECTS)
        made.comes_to(MODEL_ROUTE, "iris", "Ready", "True")
        yield made
    finally:
        made.close()


def finalizers(site: Site) -> list[str]:
    """Who holds one: a Job's pods do, for the Job controller, but no Job is here."""
    found = [body for kind in BY_KIND.values() for body in site.admin.list(kind, site.namespace)]
    return [body["metadata"]["name"] for body in found if body["metadata"].get("finalizers")]


@pytest.mark.parametrize("order", ORDERS)
def test_deletion_in_any_order_never_hangs(site: Site, order: str) -> None:
    assert finalizers(site) == []
    for what in order.split():
        if what == "operator":
            assert site.operator.stop() == 0
        elif what == "namespace":
            began = time.monotonic()
            site.admin.delete(NAMESPACE, site.namespace)
            eventually(lambda: site.admin.find(NAMESPACE, site.namespace) is None, SECONDS, 0.05)
            print(f"{order}: the namespace was gone after {time.monotonic() - began:.1f} s")
        else:
            site.kubectl("delete", NAMED[what], "--ignore-not-found", "--timeout=20s")
    if order.rsplit(maxsplit=1)[-1] == "namespace":
        assert site.operator.process.poll() == 0


@pytest.mark.parametrize("up", [True, False])
def test_crds_can_be_deleted_and_recreated(site: Site, up: bool) -> None:
    """With objects of theirs still there, and the operator at work or away; then everything can be created again."""
    if not up:
        site.operator.kill()
    began = time.monotonic()
    names = [f"{kind.plural}.{GROUP}" for kind in OURS]
    site.kubectl("delete", "crd", *names, "--timeout=25s")
    print(f"operator {'up' if up else 'down'}: the CRDs were gone after {time.monotonic() - began:.1f} s")
    assert [name for name in names if site.admin.find(CRD, name)] == []
    install(site.admin)
    eventually(lambda: not site.kubelet.servers(), 60)
    site.apply(*OBJECTS)

    def served() -> bool:
        return site.condition(MODEL_ROUTE, "iris", "Ready")[0] == "True" and site.versions("iris", {"x": 1.0}) == {"v1"}

    if not up:
        site.start_operator()
    operator = site.operator.process
    eventually(served, 90, 0.2)
    assert operator.poll() is None, "also where its watches met kinds that were not there"
    _follows_at_once(site)


def _follows_at_once(site: Site) -> None:
    """By watches; a resync would find it once a minute, too."""
    eventually(lambda: site.operator.get("/readyz")[0] == 200, 60, 0.2)
    site.apply(version("v2", weights={"configMapKeyRef": {"name": "iris", "key": "model.json"}}))
    site.comes_to(LINEAR_MODEL, "iris-v2", "Ready", "True", timeout=10)
    site.patch_route("iris", version="v2")
    eventually(lambda: site.versions("iris", {"x": 1.0}) == {"v2"}, 10, 0.1)
    site.comes_to(MODEL_ROUTE, "iris", "Converged", "True", timeout=10)


@pytest.mark.timeout(240)
def test_operator_that_starts_before_the_crds_waits_for_them(site: Site) -> None:
    site.operator.kill()
    names = [f"{kind.plural}.{GROUP}" for kind in OURS]
    site.kubectl("delete", "crd", *names, "--timeout=25s")
    eventually(lambda: not site.kubelet.servers(), 120)  # the garbage collector's own retries: it has lost four kinds
    site.start_operator()

    def says() -> bool:
        status, text = site.operator.get("/readyz")
        assert (status, "waiting for the CRDs of" in text) == (503, True), (status, text)
        return all(kind.plural in text for kind in OURS)

    eventually(says, 30, 0.2)
    install(site.admin)
    site.apply(*OBJECTS)
    site.comes_to(MODEL_ROUTE, "iris", "Ready", "True")
    _follows_at_once(site)
