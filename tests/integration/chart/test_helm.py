"""The life cycle of a release with the real helm on a real API server. Tests that need pods are in tests/e2e."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chart.render import CHART
from cluster import controlplane
from cluster.binaries import find_binaries
from cluster.client import ApiError
from cluster.controlplane import ControlPlane
from cluster.kinds import CRD, POLICY
from integration.cluster.objects import route, version
from integration.conftest import needed_programs
from linplane_api.kinds import LINEAR_MODEL, MODEL_ROUTE
from support import eventually

NAMESPACE = "linplane-system"
FIELD = "tasteOfHoney"


class Helm:
    """helm as the administrator of a separate control plane."""

    def __init__(self, program: Path, plane: ControlPlane, folder: Path) -> None:
        self.plane, self._program = plane, program
        self._environment = {**os.environ, "KUBECONFIG": str(plane.kubeconfig)}
        self._environment |= {f"HELM_{name}_HOME": str(folder / name) for name in ("CACHE", "CONFIG", "DATA")}

    def __call__(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs helm without checking the exit code."""
        argv = [str(self._program), *arguments, "--namespace", NAMESPACE]
        return subprocess.run(argv, env=self._environment, capture_output=True, text=True, timeout=120, check=False)

    def description(self) -> str:
        """Fields of the LinearModel's spec in the cluster's CRD."""
        crd = self.plane.admin.get(CRD, "linearmodels.linplane.dev")
        schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        return str(schema["properties"]["spec"]["properties"].keys())


@pytest.fixture
def helm(control_plane: ControlPlane, tmp_path: Path) -> Iterator[Helm]:
    """Helm with a separate control plane."""
    program = needed_programs(lambda: find_binaries(("helm",), obtain=False))["helm"]
    with controlplane.control_plane(control_plane.binaries) as plane:
        plane.start_controllers()
        yield Helm(program, plane, tmp_path)


def newer(folder: Path) -> Path:
    """A copy of the chart with one more field in a CRD, as in a next release."""
    copy = folder / "linplane"
    shutil.copytree(CHART, copy)
    crd = copy / "templates/crds/linearmodels.yaml"
    text = crd.read_text(encoding="utf-8")
    added = rf"\1{FIELD}:\n\1  type: string\n\1  maxLength: 9\n\1model:\n"
    text, count = re.subn(r"^( +)model:\n", added, text, count=1, flags=re.MULTILINE)
    assert count == 1
    crd.write_text(text, encoding="utf-8")
    return copy


@pytest.mark.timeout(600)
def test_crds_are_upgraded_and_outlive_the_release(helm: Helm, tmp_path: Path) -> None:
    """Install, upgrade, uninstall, reinstall: models are kept, and the CRDs belong to the release again, and to no
    other.
    """
    admin = helm.plane.admin
    assert "helm test linplane" in helm("install", "linplane", str(CHART), "--create-namespace")
    helm.plane.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=60s")
    uid = admin.apply(version("v1"), "default", force=True)["metadata"]["uid"]
    assert FIELD not in helm.description()
    helm("upgrade", "linplane", str(newer(tmp_path)))
    assert FIELD in helm.description()
    helm("uninstall", "linplane")
    assert eventually(lambda: not admin.list(POLICY))
    assert admin.get(LINEAR_MODEL, "iris-v1", "default")["metadata"]["uid"] == uid
    assert "cannot be imported into the current release" in helm.run("install", "other", str(CHART)).stderr
    helm("install", "linplane", str(CHART))
    assert FIELD not in helm.description()
    assert len(admin.list(POLICY)) == 5
    assert admin.get(LINEAR_MODEL, "iris-v1", "default")["metadata"]["uid"] == uid


@pytest.mark.timeout(600)
def test_crds_are_deleted_with_the_release_if_keep_is_off(helm: Helm) -> None:
    helm("install", "linplane", str(CHART), "--create-namespace", "--set", "crds.keep=false")
    assert len(helm.plane.admin.list(CRD)) == 4
    helm("uninstall", "linplane")
    assert eventually(lambda: not helm.plane.admin.list(CRD))


@pytest.mark.timeout(600)
def test_failed_helm_test_does_not_affect_the_next_run(helm: Helm) -> None:
    """Also if a version in use cannot be deleted: there are no pods here, so each test fails, and by that alone."""
    admin = helm.plane.admin
    helm("install", "linplane", str(CHART), "--create-namespace", "--set", "policies.versionInUse=Deny")
    helm.plane.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=60s")
    for body in (version("v1"), route("v1")):
        admin.apply(body, NAMESPACE, force=True)
    assert eventually(lambda: is_denied(helm.plane, "iris-v1"))
    for left in ([], [version("v1", "helm-test"), route("v1", name="helm-test", model="helm-test")]):
        for body in left:  # as an interrupted test leaves them
            admin.apply(body, NAMESPACE, force=True)
        done = helm.run("test", "linplane", "--timeout", "3s")
        said = done.stdout + done.stderr
        assert done.returncode != 0
        assert "linplane-test" in said
        assert "in use" not in said
        assert [body["metadata"]["name"] for body in admin.list(LINEAR_MODEL, NAMESPACE)] == ["iris-v1"], said
        assert [body["metadata"]["name"] for body in admin.list(MODEL_ROUTE, NAMESPACE)] == ["iris"], said


def is_denied(plane: ControlPlane, name: str) -> bool:
    try:
        plane.admin.delete(LINEAR_MODEL, name, NAMESPACE, dryRun="All")
    except ApiError as error:
        return "is in use" in error.message
    return False
