"""The contents of the images, read from inside their containers."""

import json

import pytest

from cluster.images import BASE, builder, size_of
from e2e.conftest import ROOT
from e2e.figures import RecordFigure
from e2e.kubectl import Kubectl, from_pod, image, restricted_pod
from e2e.objects import config_map, service
from support import eventually

NAMES = ("operator", "server", "trainer", "local")
UNWANTED = {"modules": ["pip", "uv", "setuptools", "ensurepip._bundled"], "programs": ["pip", "uv", "gcc", "cc", "ld"]}
LOOK = """
import importlib.util, json, os, shutil, sys
unwanted = json.loads(sys.argv[1])
def there(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
found = [name for name in unwanted["modules"] if there(name)] + list(filter(shutil.which, unwanted["programs"]))
print(json.dumps([found, os.getuid()]))
"""
SERVER_MB = 150
EXAMPLE = ROOT / "manifests" / "examples" / "penguins"


@pytest.mark.parametrize("name", NAMES)
def test_image_contains_no_build_tools(kubectl: Kubectl, name: str) -> None:
    """Runs LOOK with the image's own Python, as the image's own user."""
    pod = restricted_pod(
        "look",
        {"image": image(f"linplane-{name}"), "command": ["python", "-c", LOOK, json.dumps(UNWANTED)]},
        securityContext={"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    )
    kubectl.apply(pod)
    kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/look", "--timeout=60s")
    assert json.loads(kubectl("logs", "look")) == [[], 65532]


def test_server_image_is_small(record_figure: RecordFigure) -> None:
    by = builder()
    by.prepare()
    base = size_of(by, BASE) / 1e6
    more = size_of(by, image("linplane-server")) / 1e6 - base
    record_figure("image of the server, on top of python:3.13-slim, MB", f"{more:.0f}", f"<= {SERVER_MB}")
    assert 10 < more <= SERVER_MB


def test_local_mode_image_serves_a_folder_of_manifests(kubectl: Kubectl) -> None:
    """A folder of manifests, read-only, at /models."""
    files = {name: (EXAMPLE / name).read_text("utf-8") for name in ("models.yaml", "penguins-data.yaml", "route.yaml")}
    pod = restricted_pod(
        "local",
        {
            "image": image("linplane-local"),
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
            "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8081}, "periodSeconds": 1},
            "volumeMounts": [
                {"name": "models", "mountPath": "/models"},
                {"name": "state", "mountPath": "/var/lib/linplane"},
            ],
        },
        volumes=[{"name": "models", "configMap": {"name": "models"}}, {"name": "state", "emptyDir": {}}],
    )
    kubectl.apply(config_map("models", files), service("local", 8080), pod)
    kubectl.wait("Ready", "pod/local")
    body = {"features": {"flipper_length_mm": 201}}

    def predicts() -> bool:
        status, found = from_pod(kubectl, "http://local/routes/penguin-mass/predict", body)
        assert (status, found.get("version")) == (200, "v1"), found
        return bool(found["prediction"] == pytest.approx(4206.616657797, abs=1e-6))

    eventually(predicts, 30, interval=0.5)
