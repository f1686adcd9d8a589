"""The control plane of the tests: its parts, and their removal."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster import binaries, gobuild
from cluster.binaries import PROGRAMS, find_binaries
from cluster.client import ApiError
from cluster.controlplane import ControlPlane
from cluster.gobuild import BinariesMissingError
from cluster.kinds import ACCESS_REVIEW, NODE, SELF_REVIEW
from integration.cluster.objects import pod
from linplane_api.kinds import CONFIG_MAP, DEPLOYMENT, POD, SERVICE_ACCOUNT
from support import eventually

TESTS = Path(__file__).parents[2]


# ---- parts ----


def test_token_identifies_its_pod_and_node(control_plane: ControlPlane, namespace: str) -> None:
    admin = control_plane.admin
    admin.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"node-{namespace}"}})
    control_plane.token_for("runner", namespace)
    created = admin.create(pod("one", "runner", nodeName=f"node-{namespace}"), namespace)
    user = _whoami(control_plane, "runner", namespace, "one")
    assert user["username"] == f"system:serviceaccount:{namespace}:runner"
    extra = {key.removeprefix("authentication.kubernetes.io/"): values for key, values in user["extra"].items()}
    assert extra["pod-name"] == ["one"]
    assert extra["pod-uid"] == [created["metadata"]["uid"]]
    assert extra["node-name"] == [f"node-{namespace}"]
    assert "authentication.kubernetes.io/pod-name" not in _whoami(control_plane, "runner", namespace)["extra"]
    admin.delete(NODE, f"node-{namespace}")


def _whoami(control_plane: ControlPlane, account: str, namespace: str, pod_name: str | None = None) -> Any:
    client = control_plane.client_for(account, namespace, pod_name)
    review = {"apiVersion": SELF_REVIEW.api_version, "kind": SELF_REVIEW.kind}
    return client.create(review)["status"]["userInfo"]


def test_requests_are_authorized_and_audited(control_plane: ControlPlane, namespace: str) -> None:
    client = control_plane.client_for("nobody", namespace)
    mark = control_plane.audit.mark()
    with pytest.raises(ApiError, match="cannot list resource"):
        client.list(CONFIG_MAP, namespace)
    event = control_plane.audit.wait_for(
        mark, verb="list", objectRef__namespace=namespace, responseStatus__code=403, objectRef__resource="configmaps"
    )
    assert event["user"]["username"] == f"system:serviceaccount:{namespace}:nobody"
    assert event["annotations"]["authorization.k8s.io/decision"] == "forbid"


def test_requests_without_a_token_are_refused(control_plane: ControlPlane) -> None:
    with pytest.raises(ApiError) as error:
        control_plane.client("wrong").call("GET", "/api")
    assert error.value.code == 401


def test_pods_must_meet_the_security_standard_of_their_namespace(
    control_plane: ControlPlane, make_namespace: Any
) -> None:
    namespace = make_namespace({"pod-security.kubernetes.io/enforce": "restricted"})
    control_plane.token_for("runner", namespace)
    with pytest.raises(ApiError, match='violates PodSecurity "restricted'):
        control_plane.admin.create(pod("one", "runner"), namespace)


def test_deployments_get_pods_and_lose_them(control_plane: ControlPlane, namespace: str) -> None:
    admin = control_plane.admin
    eventually(lambda: admin.find(SERVICE_ACCOUNT, "default", namespace))
    labels = {"app": "any"}
    template = {"metadata": {"labels": labels}, "spec": pod("", "default")["spec"]}
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "any"}, "spec": spec}
    admin.create(body, namespace)
    eventually(lambda: len(admin.list(POD, namespace)) == 2)
    admin.delete(DEPLOYMENT, "any", namespace, "Background")
    eventually(lambda: admin.list(POD, namespace) == [], timeout=20)


def test_kubeconfig_authenticates_as_the_account_of_its_token(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    token = control_plane.token_for("nobody", namespace)
    config = control_plane.write_kubeconfig(tmp_path / "config", token, namespace=namespace)
    assert config.stat().st_mode & 0o077 == 0
    whoami = control_plane.kubectl("auth", "whoami", kubeconfig=config).stdout
    assert f"system:serviceaccount:{namespace}:nobody" in whoami
    refused = control_plane.kubectl("get", "linearmodels", kubeconfig=config, check=False)
    assert refused.returncode == 1
    assert f'in the namespace "{namespace}"' in refused.stderr


def test_admin_client_impersonates_other_users(control_plane: ControlPlane, namespace: str) -> None:
    other = control_plane.admin.impersonating("alice", ["dev", "ops"], {"scopes": "a"})
    review = {"apiVersion": SELF_REVIEW.api_version, "kind": SELF_REVIEW.kind}
    user = other.create(review)["status"]["userInfo"]
    assert (user["username"], set(user["groups"]) >= {"dev", "ops"}) == ("alice", True)
    assert user["extra"]["scopes"] == ["a"]
    asked = {"user": "alice", "resourceAttributes": {"namespace": namespace, "verb": "get", "resource": "pods"}}
    body = {"apiVersion": ACCESS_REVIEW.api_version, "kind": ACCESS_REVIEW.kind, "spec": asked}
    assert control_plane.admin.create(body)["status"]["allowed"] is False


# ---- removal ----


PROGRAM = """
import signal, sys
from cluster.binaries import find_binaries
from cluster.controlplane import control_plane
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
with control_plane(find_binaries(obtain=False)) as plane:
    plane.start_controllers()
    print(f"export KUBECONFIG={plane.kubeconfig}", flush=True)
    signal.pause()
"""


@pytest.fixture
def by_hand(control_plane: ControlPlane, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A program that runs a control plane until it gets SIGTERM."""
    folder = next(iter(control_plane.binaries.values())).parent
    environment = {
        **os.environ,
        "PYTHONPATH": str(TESTS),
        "TMPDIR": str(tmp_path),
        "KUBEBUILDER_ASSETS": str(folder),
    }
    argv = [sys.executable, "-c", PROGRAM]
    process = subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.wait(10)
    assert process.stdout
    process.stdout.close()


def _kubeconfig(process: subprocess.Popen[str]) -> Path:
    """Waits until the program prints it."""
    assert process.stdout
    for line in process.stdout:
        if "export KUBECONFIG=" in line:
            return Path(line.strip().partition("=")[2])
    raise AssertionError("no kubeconfig was printed")


def _processes_in(folder: Path) -> list[str]:
    found = []
    for proc in Path("/proc").glob("[0-9]*"):
        try:
            command = (proc / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if str(folder) in (str((proc / "cwd").readlink()), *command.split()):
                found.append(command)
        except OSError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="processes are read from /proc")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name)
def test_control_plane_leaves_nothing_behind(
    by_hand: subprocess.Popen[str], tmp_path: Path, how: signal.Signals
) -> None:
    folder = _kubeconfig(by_hand).parent
    assert folder.parent == tmp_path
    assert len(_processes_in(folder)) == 4
    by_hand.send_signal(how)
    assert by_hand.wait(10) == (-how if how == signal.SIGKILL else 0)
    if how == signal.SIGKILL:
        eventually(lambda: not folder.exists() and not _processes_in(folder))
    assert list(tmp_path.iterdir()) == []
    assert _processes_in(folder) == []


# ---- sources of its programs ----


@pytest.fixture
def nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any of them, and its cache folder."""
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("shutil.which", lambda *_args, **_options: None)
    return tmp_path / "cache" / "linplane" / gobuild.KUBERNETES


def _put(folder: Path, *programs: str, version: str = "v1.34.0") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for program in programs:
        (folder / program).write_text(f"#!/bin/sh\necho Kubernetes {version}\n")
        (folder / program).chmod(0o755)
    return folder


def test_missing_programs_are_named_with_the_remedy(nothing: Path) -> None:
    with pytest.raises(BinariesMissingError, match=r"etcd, kube-apiserver, .* not found in .*make programs"):
        find_binaries(obtain=False)
    _put(nothing, *PROGRAMS[:3])
    with pytest.raises(BinariesMissingError, match=r"^kubectl not found"):
        find_binaries(obtain=False)


def test_assets_folder_of_the_environment_precedes_the_cache(
    nothing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each program is searched for separately, as setup-envtest's folder has no controller manager."""
    assets = _put(tmp_path / "assets", "etcd", "kube-apiserver", "kubectl")
    _put(nothing, *PROGRAMS)
    assert {path.parent for path in find_binaries(obtain=False).values()} == {nothing}
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    found = find_binaries(obtain=False)
    assert found.pop("kube-controller-manager").parent == nothing
    assert {path.parent for path in found.values()} == {assets}


def test_programs_of_different_minor_versions_are_refused(
    nothing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets = _put(tmp_path / "assets", "etcd", "kube-apiserver", "kubectl", version="v1.30.1")
    _put(nothing, *PROGRAMS)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    with pytest.raises(BinariesMissingError, match="must be of one minor version"):
        find_binaries(obtain=False)


def test_missing_programs_alone_are_built(nothing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _put(nothing, "etcd", "kube-apiserver", "kubectl")
    built: list[str] = []

    def build(programs: list[str], folder: Path) -> None:
        built.extend(programs)
        _put(folder, *programs)

    monkeypatch.setattr(binaries, "build", build)
    for _ in range(2):
        assert set(find_binaries(obtain=True)) == set(PROGRAMS)
    assert built == ["kube-controller-manager"]


def test_programs_are_not_built_without_go(nothing: Path) -> None:
    with pytest.raises(BinariesMissingError, match="go is needed"):
        find_binaries(obtain=True)


@pytest.mark.parametrize(("ci", "outcome"), [("", "skipped"), ("true", "failed")])
def test_missing_programs_skip_on_a_laptop_and_fail_in_ci(
    nothing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ci: str, outcome: str
) -> None:
    from integration import conftest

    monkeypatch.setenv("CI", ci)
    raised = {"skipped": pytest.skip.Exception, "failed": pytest.fail.Exception}[outcome]
    with pytest.raises(raised, match=r"kube-apiserver.* not found"):
        conftest.control_plane_programs()
