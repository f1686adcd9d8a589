"""Files of integrations/ that can be checked without a cluster: against their published schema, or by their names."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from linplane_api import names
from linplane_api.kinds import LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER
from linplane_operator.compile.services import make_route_service, make_server_network
from unit.api.crd_walk import CRDS
from unit.chart.test_alerts import exported, metrics_named, registries

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "integrations"
SCHEMAS = ROOT / "tests/data/schemas"


def load(path: str) -> Any:
    return yaml.safe_load((FOLDER / path).read_text("utf-8"))


def test_integrations_readme_links_to_each_file() -> None:
    page = (FOLDER / "README.md").read_text("utf-8")
    files = [path for path in FOLDER.rglob("*") if path.is_file() and path.name != "README.md"]
    assert len(files) >= 8
    for path in files:
        assert f"({path.relative_to(FOLDER)})" in page, path


def test_recorded_schemas_are_named_with_their_source_and_licence() -> None:
    page = (SCHEMAS / "README.md").read_text("utf-8")
    for path in SCHEMAS.iterdir():
        assert path.name == "README.md" or f"`{path.name}`" in page, path


def test_k9s_reads_the_plugins() -> None:
    """Plugins are valid by the schema of k9s, are for existing views, and have distinct keys."""
    plugins = load("k9s/plugins.yaml")
    schema = json.loads((SCHEMAS / "k9s-v0.50.16-plugins.json").read_text("utf-8"))
    jsonschema.validate(plugins, schema)
    plurals = {kind.plural for kind in (LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER)}
    assert {scope for plugin in plugins["plugins"].values() for scope in plugin["scopes"]} <= plurals
    keys = [plugin["shortCut"] for plugin in plugins["plugins"].values()]
    assert len(set(keys)) == len(keys)


def test_http_rules_name_the_service_of_the_route() -> None:
    """The Service's name and port are those that the operator sets, and the path is one of predictions."""
    meta = {"name": "penguin-mass", "namespace": "default", "uid": "u"}
    spec = {"model": "penguin-mass", "version": "v1"}
    route = {"apiVersion": names.API_VERSION, "kind": MODEL_ROUTE.kind, "metadata": meta, "spec": spec}
    service = make_route_service(route, None, grpc=False)
    (port,) = service["spec"]["ports"]
    (rule,) = load("http/httproute.yaml")["spec"]["rules"]
    (backend,) = rule["backendRefs"]
    assert (backend["name"], backend["port"]) == (service["metadata"]["name"], port["port"])
    ((path,),) = [entry["http"]["paths"] for entry in load("http/ingress.yaml")["spec"]["rules"]]
    assert path["backend"]["service"] == {"name": service["metadata"]["name"], "port": {"name": port["name"]}}
    (match,) = rule["matches"]
    assert match["path"]["value"] == path["path"] == "/routes/penguin-mass/predict"


def test_keda_scales_a_server_by_a_metric_that_servers_export() -> None:
    """It uses the scale subresource; the query selects the admin Service, which the chart's ServiceMonitor scrapes."""
    spec = load("keda/scaledobject.yaml")["spec"]
    target = spec["scaleTargetRef"]
    assert (target["apiVersion"], target["kind"]) == (names.API_VERSION, MODEL_SERVER.kind)
    (version,) = CRDS[MODEL_SERVER.plural]["spec"]["versions"]
    assert version["subresources"]["scale"]["specReplicasPath"] == ".spec.replicas"
    (trigger,) = spec["triggers"]
    query = trigger["metadata"]["query"]
    assert metrics_named(query) == {"linplane_predict_requests_total"} <= exported(registries()[0])
    meta = {"name": target["name"], "namespace": "default", "uid": "u"}
    server = {"apiVersion": names.API_VERSION, "kind": "ModelServer", "metadata": meta, "spec": {}}
    service, _ = make_server_network(server)
    assert re.findall(r'service="([^"]*)"', query) == [service["metadata"]["name"]]
