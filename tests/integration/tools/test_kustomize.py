"""Kustomize (kubectl's own) on Linplane's kinds, with the configuration that the project ships."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration.conftest import control_plane_programs
from linplane_api.manifests.validation import load_schemas
from linplane_api.names import API_VERSION
from unit.api.crd_walk import CRDS, nodes, schema_of

ROOT = Path(__file__).parents[3]
CONFIGURATION = ROOT / "integrations/kustomize/linplane.yaml"
REFERENCES = {
    "Name of the ConfigMap": "ConfigMap",
    "Name of the Secret": "Secret",
    "Name of the PersistentVolumeClaim": "PersistentVolumeClaim",
    "The ModelServer of this namespace": "ModelServer",
}

Object = dict[str, Any]


def body(kind: str, name: str, spec: Object, api_version: str = API_VERSION) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec}


ROWS = ["area,rooms,rent", "50,2,710", "60,2,830", "70,3,930", "80,3,1050", "90,4,1152", "100,4,1268"]
WEIGHTS = {"configMapKeyRef": {"name": "rent-weights", "key": "model.json"}}
CLAIM = {"claimName": "rents", "path": "rent.csv"}
SECRETS = [{"name": "registry"}]
SCALED = {"scaleTargetRef": {"apiVersion": API_VERSION, "kind": "ModelServer", "name": "blue"}, "maxReplicas": 9}
OBJECTS = [
    body(
        "LinearModel",
        "rent-v1",
        {
            "model": "rent",
            "version": "v1",
            "training": {"data": {"configMapKeyRef": {"name": "rent-data", "key": "rent.csv"}}, "target": "rent"},
        },
    ),
    body(
        "LinearModel",
        "rent-v2",
        {
            "model": "rent",
            "version": "v2",
            "weights": {"configMapKeyRef": {"name": "rent-weights", "key": "model.json"}},
        },
    ),
    body(
        "LinearModel",
        "rent-v3",
        {
            "model": "rent",
            "version": "v3",
            "training": {
                "data": {"persistentVolumeClaim": CLAIM},
                "target": "rent",
                "job": {"imagePullSecrets": SECRETS},
            },
        },
    ),
    body(
        "ModelRoute",
        "rent",
        {"model": "rent", "version": "v1", "split": [{"version": "v2", "percent": 10}], "serverName": "blue"},
    ),
    body("ModelServer", "blue", {"replicas": 1, "image": "linplane/server:1", "imagePullSecrets": SECRETS}),
    body("PersistentVolumeClaim", "rents", {"accessModes": ["ReadWriteOnce"]}, "v1"),
    body("HorizontalPodAutoscaler", "blue", SCALED, "autoscaling/v2"),
    body("ScaledObject", "blue", SCALED, "keda.sh/v1alpha1"),
]
BASE: Object = {
    "resources": ["objects.yaml"],
    "configMapGenerator": [
        {"name": "rent-data", "files": ["rent.csv"]},
        {"name": "rent-weights", "files": ["model.json"]},
    ],
    "secretGenerator": [{"name": "registry", "literals": ["a=b"]}],
    "configurations": ["linplane.yaml"],
}
OVERLAY: Object = {
    "resources": ["../base"],
    "namePrefix": "dev-",
    "images": [{"name": "linplane/server", "newTag": "2"}],
    "replicas": [{"name": "blue", "count": 3}],
    "configurations": ["linplane.yaml"],
}


def write(folder: Path, kustomization: Object) -> Path:
    """A folder with the shipped configuration next to its kustomization, as the documentation says."""
    folder.mkdir()
    shutil.copy(CONFIGURATION, folder)
    (folder / "kustomization.yaml").write_text(json.dumps(kustomization))
    return folder


def write_base(folder: Path) -> Path:
    write(folder, BASE)
    (folder / "objects.yaml").write_text(yaml.safe_dump_all(OBJECTS))
    (folder / "rent.csv").write_text("\n".join([*ROWS, ""]))
    (folder / "model.json").write_text('{"coefficients": {"area": 12.3, "rooms": -20}, "intercept": 150}')
    return folder


def build(folder: Path) -> dict[tuple[str, str], Object]:
    """Each object by its kind, and by its name without the hash that a generator adds."""
    argv = [control_plane_programs()["kubectl"], "kustomize", folder]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[tuple[str, str], Object] = {}
    for item in yaml.safe_load_all(done.stdout):
        name = item["metadata"]["name"]
        generated = item["kind"] in ("ConfigMap", "Secret")
        found[item["kind"], name.rpartition("-")[0] if generated else name] = item
    return found


def named(found: dict[tuple[str, str], Object], kind: str, name: str) -> str:
    """The full name."""
    return str(found[kind, name]["metadata"]["name"])


def check_references(found: dict[tuple[str, str], Object], prefix: str) -> None:
    """Each reference names the intended object, and Linplane's kinds are valid."""
    v1, v2, v3 = (found["LinearModel", f"{prefix}rent-v{n}"]["spec"] for n in (1, 2, 3))
    route, server = found["ModelRoute", f"{prefix}rent"]["spec"], found["ModelServer", f"{prefix}blue"]["spec"]
    secret = [{"name": named(found, "Secret", f"{prefix}registry")}]
    data, weights = (named(found, "ConfigMap", f"{prefix}rent-{what}") for what in ("data", "weights"))
    assert v1["training"]["data"]["configMapKeyRef"]["name"] == data
    assert v2["weights"]["configMapKeyRef"]["name"] == weights
    assert v3["training"]["data"]["persistentVolumeClaim"]["claimName"] == f"{prefix}rents"
    assert v3["training"]["job"]["imagePullSecrets"] == server["imagePullSecrets"] == secret
    assert (route["model"], route["serverName"]) == (f"{prefix}rent", f"{prefix}blue")
    for kind in ("HorizontalPodAutoscaler", "ScaledObject"):
        assert found[kind, f"{prefix}blue"]["spec"]["scaleTargetRef"]["name"] == f"{prefix}blue"
    schemas = load_schemas()
    for item in found.values():
        if item["apiVersion"] == API_VERSION:
            assert schemas.validate(item) == [], item


def test_references_follow_the_names_that_generators_make(tmp_path: Path) -> None:
    found = build(write_base(tmp_path / "base"))
    assert found["ConfigMap", "rent-data"]["metadata"]["name"] != "rent-data"
    check_references(found, "")


def test_kustomize_overlay_sets_a_prefix_images_and_replicas(tmp_path: Path) -> None:
    write_base(tmp_path / "base")
    found = build(write(tmp_path / "dev", OVERLAY))
    check_references(found, "dev-")
    server = found["ModelServer", "dev-blue"]["spec"]
    assert (server["image"], server["replicas"]) == ("linplane/server:2", 3)


def references(crd: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each field of a spec that names an object of the namespace: its path as kustomize writes it, and the kind."""
    for path, schema in nodes(schema_of(crd)):
        for start, kind in REFERENCES.items():
            if path[:1] == ("spec",) and schema.get("description", "").startswith(start):
                yield "/".join(step for step in path if step != "<items>"), kind


@pytest.mark.parametrize("crd", CRDS.values(), ids=CRDS.keys())
def test_configuration_has_every_reference_of_the_kinds(crd: Mapping[str, Any]) -> None:
    known = {
        (field["path"], entry["kind"])
        for entry in yaml.safe_load(CONFIGURATION.read_text())["nameReference"]
        for field in entry["fieldSpecs"]
        if field["kind"] == crd["spec"]["names"]["kind"]
    }
    assert set(references(crd)) == known
