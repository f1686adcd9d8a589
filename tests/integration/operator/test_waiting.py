"""Other tools and our status: real Helm 4 waits for progress, and fails at once if there can be none.

The ModelServer says in its Deployment's and pods' own words what they wait for, and is Ready only with the pods of its
spec; earlier pods go on serving.
"""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import helm_python
import pytest

from integration.cluster.objects import config_map, route, version
from integration.operator import fake_statuses
from integration.operator.site import Site
from linplane_api.kinds import CONFIG_MAP, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER
from linplane_api.names import API_VERSION
from support import eventually

Object = dict[str, Any]
BAD_IMAGE = "registry.example/bad:1"
SYNTHETIC = {"data": {"synthetic": {"samples": 50, "featureCount": 1}}}
LIMITS = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "floor"}}
LIMITS["spec"] = {"limits": [{"type": "Container", "min": {"cpu": "150m"}}]}  # type: ignore[assignment]
WEIGHTS = '{"coefficients": {"x": 2}, "intercept": 1}'


@pytest.fixture(scope="module", autouse=True)
def served(site: Site) -> None:
    """A route that one pod serves."""
    site.kubelet.fake_statuses[""] = lambda pod: fake_statuses.image_pull(pod) if _image(pod) == BAD_IMAGE else None
    site.apply(server(replicas=1), config_map("iris", **{"model.json": WEIGHTS}), version("v1"), route("v1"))
    site.comes_to(MODEL_ROUTE, "iris", "Ready", "True")


def _image(pod: Object) -> str:
    return str(pod["spec"]["containers"][0]["image"])


def server(**spec: object) -> Object:
    return {"apiVersion": API_VERSION, "kind": "ModelServer", "metadata": {"name": "default"}, "spec": spec}


@pytest.fixture
def install(site: Site, tmp_path: Path) -> Callable[..., float]:
    """install(name, seconds, objects): by Helm, waiting so long at most; gives how long it took."""
    kubeconfig = tmp_path / "helm.kubeconfig"
    site.plane.write_kubeconfig(kubeconfig, site.admin.token)
    config = helm_python.Config(kubeconfig_path=str(kubeconfig), namespace=site.namespace)

    def run(name: str, seconds: int, *objects: Object) -> float:
        chart = tmp_path / name
        (chart / "templates").mkdir(parents=True)
        (chart / "Chart.yaml").write_text(f"apiVersion: v2\nname: {name}\nversion: 0.1.0\n")
        for number, body in enumerate(objects):
            (chart / "templates" / f"{number}.yaml").write_text(json.dumps(body))
        begun = time.monotonic()
        try:
            config.install(str(chart), name, {}, namespace=site.namespace, timeout=seconds, wait="watcher")
        finally:
            run.took = time.monotonic() - begun  # type: ignore[attr-defined]
        return run.took  # type: ignore[attr-defined, no-any-return]

    return run


def test_new_object_has_an_observed_generation_of_zero(site: Site) -> None:
    """Before any controller has looked: kstatus takes an object without a status for a finished one."""
    body = site.admin.create({**version("v1", "new"), "metadata": {"name": "new-v1"}}, site.namespace)
    assert body["status"] == {"observedGeneration": 0}
    site.admin.delete(LINEAR_MODEL, "new-v1", site.namespace)


def test_helm_returns_once_all_is_ready(site: Site, install: Callable[..., float]) -> None:
    """Also the candidate, which trains when the route is made."""
    versions = [version(name, "good", training={**SYNTHETIC, "seed": seed}) for seed, name in enumerate(("v1", "v2"))]
    objects = [*versions, route("v1", "v2", name="good", model="good")]
    took = install("good", 60, *objects)
    for body in objects:
        kind = LINEAR_MODEL if body["kind"] == "LinearModel" else MODEL_ROUTE
        assert site.condition(kind, body["metadata"]["name"], "Ready")[0] == "True"
    assert site.versions("good", {"x1": 1.0}) <= {"v1", "v2"}
    print(f"Helm waited {took:.1f} s")


def test_helm_fails_at_once_on_bad_data(site: Site, install: Callable[..., float]) -> None:
    """A route that waits for that version fails with it."""
    rows = config_map("rows", **{"rows.csv": "x,y\n1,2\n2,much\n3,4\n"})
    data = {"configMapKeyRef": {"name": "rows", "key": "rows.csv"}}
    bad = version("v1", "bad", training={"data": data, "target": "y", "features": ["x"]})
    with pytest.raises(helm_python.HelmError, match="bad-v1"):
        install("bad", 120, rows, bad, route("v1", name="bad", model="bad"))
    assert install.took < 30, install.took  # type: ignore[attr-defined]
    assert site.condition(LINEAR_MODEL, "bad-v1", "Stalled")[:2] == ("True", "BadData")
    assert site.condition(MODEL_ROUTE, "bad", "Stalled")[:2] == ("True", "VersionNotReady")


def test_server_image_that_cannot_be_pulled_leaves_earlier_pods_serving(site: Site) -> None:
    """Over a server that serves: it goes on, and is not Ready before the update is done or undone."""
    before = {server.uid for server in site.servers(1)}
    site.kubectl("patch", "mserver", "default", "--type=merge", "-p", json.dumps({"spec": {"image": BAD_IMAGE}}))
    message = site.comes_to(MODEL_SERVER, "default", "Ready", "False", "ImagePullFailed")
    assert message == f"0 of 1 updated pods ready: ImagePullBackOff {BAD_IMAGE}; 1 earlier pod goes on serving"
    assert site.condition(MODEL_SERVER, "default", "Reconciling")[1] == "ImagePullFailed"
    assert site.condition(MODEL_SERVER, "default", "Available")[0] == "True"
    assert {server.uid for server in site.servers(1)} == before
    assert site.versions("iris", {"x": 1.0}) == {"v1"}
    site.kubectl("patch", "mserver", "default", "--type=merge", "-p", '{"spec": {"image": null}}')
    site.comes_to(MODEL_SERVER, "default", "Ready", "True")


@pytest.fixture
def limits(site: Site) -> Iterator[None]:
    """No container below so much CPU."""
    site.kubectl("create", "-f", "-", stdin=json.dumps(LIMITS))
    yield
    site.kubectl("delete", "limitrange", "floor")


@pytest.mark.usefixtures("limits")
def test_server_pods_refused_by_the_api_server_are_reported(site: Site) -> None:
    site.kubectl("patch", "mserver", "default", "--type=merge", "-p", '{"spec": {"annotations": {"try": "1"}}}')
    message = site.comes_to(MODEL_SERVER, "default", "Ready", "False", "PodRefused")
    assert message.startswith("0 of 1 updated pods ready: minimum cpu usage per Container is 150m"), message
    assert site.versions("iris", {"x": 1.0}) == {"v1"}
    requests = {"resources": {"requests": {"cpu": "150m"}}}
    site.kubectl("patch", "mserver", "default", "--type=merge", "-p", json.dumps({"spec": requests}))
    site.comes_to(MODEL_SERVER, "default", "Ready", "True")


def test_deletion_that_waits_for_a_finalizer_is_reported(site: Site) -> None:
    site.apply({**route("v1"), "metadata": {"name": "held", "finalizers": ["example.com/audit"]}})
    site.comes_to(MODEL_ROUTE, "held", "Ready", "True")
    site.kubectl("delete", "mroute", "held", "--wait=false")
    message = site.comes_to(MODEL_ROUTE, "held", "Ready", "False", "Deleting")
    assert message == "its deletion waits for finalizers: example.com/audit"
    assert "trafficSummary" not in site.get(MODEL_ROUTE, "held")["status"]
    site.kubectl("patch", "mroute", "held", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
    eventually(lambda: site.get_or_none(MODEL_ROUTE, "held") is None)


def test_zero_replicas_are_reported_as_neither_stalled_nor_reconciling(site: Site) -> None:
    site.kubectl("scale", "mserver", "default", "--replicas=0")
    assert site.comes_to(MODEL_SERVER, "default", "Ready", "False", "NoReplicas") == "replicas is 0"
    site.comes_to(MODEL_ROUTE, "iris", "Ready", "False", "NoReplicas")
    for kind, name in ((MODEL_SERVER, "default"), (MODEL_ROUTE, "iris")):
        assert {site.condition(kind, name, waits)[0] for waits in ("Stalled", "Reconciling")} == {""}
    eventually(lambda: not site.kubelet.servers())
    site.kubectl("scale", "mserver", "default", "--replicas=1")
    site.comes_to(MODEL_ROUTE, "iris", "Ready", "True")
    assert site.get(CONFIG_MAP, "linplane-routing-default")["data"]
