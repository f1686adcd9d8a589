"""The files of integrations/ against a real API server, with the operator and a served example."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from cluster.kinds import CRD
from integration.operator.site import EXAMPLES, Site
from integration.tools.test_health import acted, argo_cd, flux
from integration.tools.test_kustomize import OBJECTS, OVERLAY, write, write_base
from linplane_api.kinds import DEPLOYMENT, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, SERVICE
from linplane_api.names import API_VERSION
from support import eventually

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "integrations"
SCHEMAS = sorted((ROOT / "tests/data/schemas").glob("*s.yaml"))
ROUTE = "mroute/penguin-mass"
PENGUIN = {"flipper_length_mm": 201.0}

Object = dict[str, Any]


@pytest.fixture(scope="module", autouse=True)
def example(site: Site) -> None:
    site.kubectl("apply", "-f", str(EXAMPLES))
    site.wait(ROUTE, "Ready", 55)
    site.wait("lmod/penguin-mass-v2", "Ready", 55)


@pytest.fixture(scope="module")
def schemas(site: Site) -> Iterator[None]:
    """The kinds of other tools, as their schemas have them."""
    crds = [yaml.safe_load(path.read_text()) for path in SCHEMAS]
    assert len(crds) == 3
    for crd in crds:
        site.admin.create(crd)
    for crd in crds:
        site.kubectl("wait", f"crd/{crd['metadata']['name']}", "--for=condition=Established", "--timeout=30s")
    yield
    for crd in crds:
        site.admin.delete(CRD, crd["metadata"]["name"])


@pytest.mark.parametrize(
    "path",
    ["http/httproute.yaml", "http/ingress.yaml", "keda/scaledobject.yaml", "flux/kustomization.yaml"],
)
def test_integration_file_is_accepted_by_the_api_server(site: Site, schemas: None, path: str) -> None:
    """By the tool's own schema and rules; a field that it does not know would be refused."""
    text = (FOLDER / path).read_text().replace("namespace: flux-system", f"namespace: {site.namespace}")

    def apply() -> bool:
        return "(server dry run)" in site.kubectl(
            "apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=text
        )

    eventually(apply, 20)  # discovery of a new kind takes a moment


def test_http_rules_lead_to_a_path_that_predicts(site: Site) -> None:
    """On the pods behind the Service and the port that they name, with the host that they have."""
    spec = yaml.safe_load((FOLDER / "http/httproute.yaml").read_text())["spec"]
    (backend,), (match,) = spec["rules"][0]["backendRefs"], spec["rules"][0]["matches"]
    (port,) = site.get(SERVICE, backend["name"])["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (backend["port"], "http")
    body = json.dumps({"features": PENGUIN}).encode()
    for server in site.servers(2):
        assert "http" in [port["name"] for port in server.spec["ports"]]
        status, _, text = server.request(match["method"], match["path"]["value"], body, Host=spec["hostnames"][0])
        assert (status, json.loads(text)["version"]) == (200, "v1")


def test_grpc_of_a_server_is_a_port_of_its_pods_and_of_its_routes(site: Site) -> None:
    """It comes and goes with spec.grpc; this server has no pods."""
    server = {"apiVersion": API_VERSION, "kind": "ModelServer", "metadata": {"name": "fast"}}
    route = {"apiVersion": API_VERSION, "kind": "ModelRoute", "metadata": {"name": "by-grpc"}}
    site.apply({**server, "spec": {"replicas": 0, "grpc": {}}})
    site.apply({**route, "spec": {"model": "penguin-mass", "version": "v1", "serverName": "fast"}})

    def ports() -> tuple[list[str], list[str]]:
        service, deployment = site.get_or_none(SERVICE, "by-grpc"), site.get_or_none(DEPLOYMENT, "linplane-server-fast")
        assert service is not None
        assert deployment is not None
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        return tuple([port["name"] for port in one["ports"]] for one in (service["spec"], container))  # type: ignore[return-value]

    eventually(lambda: ports() == (["http", "grpc"], ["http", "admin", "grpc"]), 30)
    site.kubectl("patch", "mserver", "fast", "--type=merge", "-p", '{"spec": {"grpc": null}}')
    eventually(lambda: ports() == (["http"], ["http", "admin"]), 30)
    site.kubectl("delete", "mroute/by-grpc", "mserver/fast", "--timeout=20s")


def test_argo_cd_accepts_the_settings(site: Site) -> None:
    """kubectl merges them into the ConfigMap of Argo CD, which keeps what it had."""
    settings = FOLDER / "argocd/argocd-cm.yaml"
    site.kubectl("create", "configmap", "argocd-cm", "--from-literal=url=https://argocd.example.com")
    site.kubectl("patch", "configmap", "argocd-cm", "--patch-file", str(settings))
    data = json.loads(site.kubectl("get", "configmap", "argocd-cm", "-o", "json"))["data"]
    assert data == {"url": "https://argocd.example.com", **yaml.safe_load(settings.read_text())["data"]}


def test_ready_objects_are_healthy_to_each_tool(site: Site, judges: ModuleType) -> None:
    for kind, name in ((LINEAR_MODEL, "penguin-mass-v1"), (MODEL_ROUTE, "penguin-mass"), (MODEL_SERVER, "default")):
        site.wait(f"{kind.plural}/{name}", "Ready", 55)
        item = site.get(kind, name)
        verdicts = argo_cd(judges, item)[0], flux(item), judges.kstatus([item])[0].status
        assert verdicts == ("Healthy", "Current", "Current")


def test_new_objects_are_in_progress_to_each_tool(site: Site, judges: ModuleType) -> None:
    """As the API server returns it: the operator has not seen it."""
    for kind, name in ((LINEAR_MODEL, "penguin-mass-v1"), (MODEL_ROUTE, "penguin-mass"), (MODEL_SERVER, "default")):
        spec = site.get(kind, name)["spec"]
        if "model" in spec:
            spec["model"] = "other"
        body = {"apiVersion": API_VERSION, "kind": kind.kind, "metadata": {"name": "other-v1"}, "spec": spec}
        made = site.admin.create(body, site.namespace, dryRun="All")
        verdicts = argo_cd(judges, made)[0], flux(made), judges.kstatus([made])[0].status
        assert verdicts == ("Progressing", "InProgress", "InProgress")


def act(site: Site, judges: ModuleType, action: str) -> None:
    """The route after an action, written like Argo CD: the difference, as a merge patch."""
    item = site.get(MODEL_ROUTE, "penguin-mass")
    spec = acted(judges, item, action)
    changes = {key: spec.get(key) for key in item["spec"] | spec if spec.get(key) != item["spec"].get(key)}
    site.patch_route("penguin-mass", **changes)


def test_argo_cd_promotion_is_undone_by_another_action(site: Site, judges: ModuleType) -> None:
    """A candidate is promoted, which the operator remembers in status.undo; then version and split are as before."""
    site.patch_route("penguin-mass", version="v1", split=[{"version": "v2", "percent": 10}])
    site.comes_to(MODEL_ROUTE, "penguin-mass", "Ready", "True")
    act(site, judges, "promote")
    site.comes_to(MODEL_ROUTE, "penguin-mass", "Ready", "True")
    assert site.get(MODEL_ROUTE, "penguin-mass")["status"]["trafficSummary"] == "v2 100"
    act(site, judges, "undo")
    site.comes_to(MODEL_ROUTE, "penguin-mass", "Ready", "True")
    assert site.get(MODEL_ROUTE, "penguin-mass")["status"]["trafficSummary"] == "v1 90, v2 10"
    act(site, judges, "end-test")
    assert "split" not in site.get(MODEL_ROUTE, "penguin-mass")["spec"]


def press(site: Site, plugin: str, name: str) -> None:
    """Runs a plugin's command as k9s does: its variables replaced."""
    entry = yaml.safe_load((FOLDER / "k9s/plugins.yaml").read_text())["plugins"][f"linplane-{plugin}"]
    context = site.plane.kubectl("config", "current-context").stdout.strip()
    values = {"$NAME": name, "$NAMESPACE": site.namespace, "$CONTEXT": context}
    assert entry["command"] == "kubectl"
    site.plane.kubectl(*(values.get(argument, argument) for argument in entry["args"]))


def test_k9s_keys_do_what_they_say(site: Site) -> None:
    def spec(**expected: object) -> None:
        found = site.get(MODEL_ROUTE, "penguin-mass")["spec"]
        assert {name: found.get(name) or None for name in expected} == expected

    site.patch_route("penguin-mass", version="v1", split=[{"version": "v2", "percent": 10}])
    press(site, "promote", "penguin-mass")
    spec(version="v2", split=None)
    site.comes_to(MODEL_ROUTE, "penguin-mass", "Ready", "True")
    press(site, "back", "penguin-mass")
    spec(version="v1")
    site.patch_route("penguin-mass", split=[{"version": "v2", "percent": 10}])
    press(site, "end-test", "penguin-mass")
    spec(version="v1", split=None)
    press(site, "freeze", "penguin-mass-v2")
    assert site.get(LINEAR_MODEL, "penguin-mass-v2")["spec"]["frozen"] is True
    press(site, "unfreeze", "penguin-mass-v2")
    assert "frozen" not in site.get(LINEAR_MODEL, "penguin-mass-v2")["spec"]


def test_nightly_training_switches_to_the_version_that_it_trained(site: Site, tmp_path: Path) -> None:
    """Its containers run one after the other, with the rights of its ServiceAccount; a second run changes nothing."""
    text = (FOLDER / "cronjob/retrain.yaml").read_text().replace("namespace: default", f"namespace: {site.namespace}")
    site.kubectl("apply", "-f", "-", stdin=text)
    (cron,) = [body for body in yaml.safe_load_all(text) if body["kind"] == "CronJob"]
    pod = cron["spec"]["jobTemplate"]["spec"]["template"]
    check_restricted(site, pod)
    kubeconfig = tmp_path / "kubeconfig"
    token = site.plane.token_for(pod["spec"]["serviceAccountName"], site.namespace)
    site.plane.write_kubeconfig(kubeconfig, token, namespace=site.namespace)
    for _ in range(2):
        run_containers(site, pod["spec"], kubeconfig, tmp_path)
    site.comes_to(MODEL_ROUTE, "penguin-mass", "Ready", "True")
    route = site.get(MODEL_ROUTE, "penguin-mass")
    assert re.fullmatch(r"20\d{6}", route["status"]["version"])
    assert site.versions(features=PENGUIN) == {route["spec"]["version"]}
    assert [item["to"] for item in route["status"]["switches"]].count(route["spec"]["version"]) == 1


def check_restricted(site: Site, pod: Object) -> None:
    """A namespace that enforces the restricted level of the Pod Security Standards would admit its pods."""
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "retrain"}, **pod}
    label = "pod-security.kubernetes.io/enforce=restricted"
    site.plane.kubectl("label", "namespace", site.namespace, label)
    try:
        site.kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", stdin=json.dumps(body))
    finally:
        site.plane.kubectl("label", "namespace", site.namespace, "pod-security.kubernetes.io/enforce-")


def run_containers(site: Site, pod: Object, kubeconfig: Path, folder: Path) -> None:
    """Each container's command, its mounted folders replaced by folders of this machine."""
    places: dict[str, Path] = {}
    for volume in pod["volumes"]:
        places[volume["name"]] = folder / volume["name"]
        places[volume["name"]].mkdir(exist_ok=True)
        if "configMap" in volume:
            data = json.loads(site.kubectl("get", "configmap", volume["configMap"]["name"], "-o", "json"))["data"]
            for key, content in data.items():
                (places[volume["name"]] / key).write_text(content)
    path = f"{site.plane.binaries['kubectl'].parent}:/usr/bin:/bin"
    for container in (*pod["initContainers"], *pod["containers"]):
        command = "\0".join(container["command"])
        for mount in container["volumeMounts"]:
            command = command.replace(f"{mount['mountPath']}/", f"{places[mount['name']]}/")
        done = subprocess.run(
            command.split("\0"),
            env={"PATH": path, "KUBECONFIG": str(kubeconfig), "HOME": str(folder)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, (container["name"], done.stdout, done.stderr)


def test_kustomize_output_becomes_ready(site: Site, tmp_path: Path) -> None:
    """The hash and the prefix: trained on one generated ConfigMap, weights read from the other."""
    base = write_base(tmp_path / "base")
    (base / "objects.yaml").write_text(yaml.safe_dump_all([OBJECTS[0], OBJECTS[1], OBJECTS[3], OBJECTS[4]]))
    site.kubectl("apply", "-k", str(write(tmp_path / "dev", {**OVERLAY, "replicas": [{"name": "blue", "count": 1}]})))
    for version in ("v1", "v2"):
        site.wait(f"lmod/dev-rent-{version}", "Ready", 55)
    site.wait("mroute/dev-rent", "Ready", 55)
    assert site.get(MODEL_ROUTE, "dev-rent")["status"]["trafficSummary"] == "v1 90, v2 10"
