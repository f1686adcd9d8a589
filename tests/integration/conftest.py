"""The control plane that integration tests share, and a namespace for each test that requests one."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType

import pytest

import cluster.judges
from cluster import controlplane
from cluster.binaries import find_binaries
from cluster.client import Client
from cluster.controlplane import ControlPlane
from cluster.gobuild import BinariesMissingError
from cluster.install import install
from integration.operator.fork_server import ForkServer
from postgresql import postgresql_server  # noqa: F401 (a fixture)
from support import is_ci

MakeNamespace = Callable[..., str]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Shows the output of tests that passed: their figures."""
    passed = [r for r in terminalreporter.stats.get("passed", ()) if r.when == "call" and r.capstdout.strip()]
    if passed:
        terminalreporter.section("figures")
    for report in passed:
        for line in report.capstdout.splitlines():
            terminalreporter.write_line(f"{report.nodeid.rpartition('/')[2]}: {line}")


def needed_programs(find: Callable[[], dict[str, Path]]) -> dict[str, Path]:
    """The programs that `find` returns. If one is missing the test is skipped, and fails if CI=true."""
    try:
        return find()
    except BinariesMissingError as error:
        if is_ci():
            pytest.fail(str(error))
        pytest.skip(str(error))


def control_plane_programs() -> dict[str, Path]:
    """The programs of a control plane."""
    return needed_programs(lambda: find_binaries(obtain=False))


@pytest.fixture(scope="session")
def judges() -> ModuleType:
    """The module cluster.judges, its programs built."""
    needed_programs(cluster.judges.obtain)
    return cluster.judges


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """A control plane with the CRDs and policies of crds/, for all tests of a session."""
    with controlplane.control_plane(control_plane_programs()) as plane:
        install(plane.admin)
        plane.start_controllers()
        yield plane


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer]:
    """Starts programs without the second that their imports take."""
    fork_server = ForkServer()
    yield fork_server
    fork_server.close()


@pytest.fixture
def admin(control_plane: ControlPlane) -> Client:
    """The client of the cluster's administrator."""
    return control_plane.admin


@pytest.fixture
def make_namespace(admin: Client) -> MakeNamespace:
    """Creates namespaces with labels. They are not deleted: that is slow, and the control plane ends as a whole."""

    def make(labels: Mapping[str, str] | None = None) -> str:
        name = f"test-{secrets.token_hex(4)}"
        admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels or {}}})
        return name

    return make


@pytest.fixture
def namespace(make_namespace: MakeNamespace) -> str:
    """The name of a new namespace."""
    return make_namespace()
