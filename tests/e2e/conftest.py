"""Fixtures: the installed chart, and a namespace for each test that requests one."""

import os
import secrets
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from e2e import chart, figures
from e2e.chart import RELEASE, SYSTEM
from e2e.figures import RecordFigure
from e2e.kubectl import Kubectl, helm, run, start_client

ROOT = Path(__file__).parents[2]
ENFORCE = "pod-security.kubernetes.io/enforce"
# only a node of the tests' own gives access to its processes, the metrics API and its audit log
_OF_A_NODE = ["test_0_node.py", "test_4_autoscaling.py", "test_7_databases.py", "test_8_gap.py", "test_9_rights.py"]
collect_ignore = [] if "LINPLANE_E2E_NODE" in os.environ else _OF_A_NODE
if "LINPLANE_E2E_CONTEXTS" in os.environ:  # only a named cluster may be changed
    collect_ignore.append("test_8_readme.py")
FAILED = pytest.StashKey[bool]()
MakeNamespace = Callable[..., Kubectl]


@dataclass(frozen=True)
class Release:
    """The installed chart. `seconds`: how long its installation took."""

    seconds: float


def values() -> list[str]:
    """The values that every installation has."""
    return chart.values(os.environ["LINPLANE_E2E_IMAGES"])


@pytest.fixture(scope="session", autouse=True)
def _context() -> None:
    """The cluster is the one that was brought for these tests, or none is touched."""
    wanted = os.environ.get("LINPLANE_E2E_CONTEXT")
    if not wanted:
        pytest.fail("run by `make e2e`, which brings a cluster")
    assert run(["kubectl", "config", "current-context"]).strip() == wanted


@pytest.fixture(scope="session")
def release(_context: None) -> Iterator[Release]:
    """`helm install --wait`, as a user does it."""
    run(["kubectl", "create", "namespace", SYSTEM], check=False)  # there from an earlier run
    run(["kubectl", "label", "namespace", SYSTEM, "--overwrite", f"{ENFORCE}=restricted"])
    began = time.monotonic()
    run(chart.install(os.environ["LINPLANE_E2E_IMAGES"]), timeout=300)
    yield Release(time.monotonic() - began)
    helm("uninstall", RELEASE, f"--namespace={SYSTEM}", "--ignore-not-found", check=False)


@pytest.fixture
def record_figure(capsys: pytest.CaptureFixture[str]) -> RecordFigure:
    """Prints a figure, and keeps it."""

    def record(figure: str, measured: str, asked: str) -> None:
        figures.add(figure, measured, asked)
        with capsys.disabled():
            print(f"\n{figure}: {measured}{f' (asked: {asked})' if asked else ''}", end="")

    return record


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Records which tests failed, so that their objects are kept for inspection."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


@pytest.fixture
def make_namespace(request: pytest.FixtureRequest, release: Release) -> Iterator[MakeNamespace]:
    """Creates namespaces that accept restricted pods only, with a pod to call from. They go at the end of a test that
    passed.
    """
    made: list[str] = []

    def make(level: str = "restricted", *, client: bool = True) -> Kubectl:
        name = f"e2e-{secrets.token_hex(3)}"
        run(["kubectl", "create", "namespace", name])
        made.append(name)
        run(["kubectl", "label", "namespace", name, f"{ENFORCE}={level}"])
        kubectl = Kubectl(name)
        if client:
            start_client(kubectl)
        return kubectl

    yield make
    if made and FAILED not in request.node.stash:
        run(["kubectl", "delete", "namespace", "--wait=false", "--ignore-not-found", *made])


@pytest.fixture
def kubectl(make_namespace: MakeNamespace) -> Kubectl:
    """kubectl in a fresh namespace."""
    return make_namespace()
