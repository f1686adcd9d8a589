"""Memory of the operator, of a server with one route and with 300, and of a training."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e.chart import SYSTEM
from e2e.figures import RecordFigure
from e2e.kubectl import Kubectl, first_answer
from e2e.objects import Object, config_map, route, server, trained, version
from support import eventually

ROUTES = 300
FEATURES = 10
IDLE = 60  # MB
ROWS, COLUMNS = 1_000_000, 60
_STATUS = "print(open('/proc/1/status').read())"


def _resident(status: str, field: str = "VmRSS") -> float:
    """A process's memory in MB, from /proc."""
    return int(status.partition(f"{field}:")[2].split()[0]) * 1024 / 1e6


def _of_pods(kubectl: Kubectl, component: str) -> float:
    """The largest current memory among the first processes of the component's pods."""
    pods = [pod["metadata"]["name"] for pod in kubectl.list("pods", f"app.kubernetes.io/component={component}")]
    return max(_resident(kubectl("exec", pod, "--", "python", "-c", _STATUS)) for pod in pods)


def _fleet() -> Iterator[Object]:
    for number in range(ROUTES):
        name = f"m{number:03}"
        coefficients = ", ".join(f'"feature_{n}": {number / 7 + n / 3}' for n in range(FEATURES))
        yield config_map(name, {"model.json": f'{{"coefficients": {{{coefficients}}}, "intercept": {number}}}'})
        yield version(name, "v1", weights={"configMapKeyRef": {"name": name, "key": "model.json"}})
        yield route(name, "v1")


@pytest.mark.timeout(600)
def test_300_routes_share_a_server(kubectl: Kubectl, record_figure: RecordFigure) -> None:
    fleet = list(_fleet())
    kubectl.apply(server(), *fleet[:3])
    kubectl.wait("Ready", "modelroute/m000")
    idle = _of_pods(kubectl, "server")
    record_figure("memory of a server with 1 route, idle, MB", f"{idle:.0f}", f"<= {IDLE}")
    assert idle <= IDLE
    kubectl.apply(*fleet[3:])

    def all_are_ready() -> bool:
        found = [c for body in kubectl.list("modelroutes") for c in (body.get("status") or {}).get("conditions") or ()]
        return sum(c["type"] == "Ready" and c["status"] == "True" for c in found) == ROUTES

    eventually(all_are_ready, 240, interval=2)
    features = {f"feature_{n}": 1.0 for n in range(FEATURES)}
    status, answer = first_answer(kubectl, f"http://m{ROUTES - 1}/predict", {"features": features})
    assert (status, answer["route"]) == (200, f"m{ROUTES - 1}")
    assert answer["prediction"] == pytest.approx(FEATURES * (ROUTES - 1) / 7 + 45 / 3 + ROUTES - 1)
    record_figure(f"memory of a server with {ROUTES} routes, MB", f"{_of_pods(kubectl, 'server'):.0f}", "")
    record_figure(
        f"memory of the operator, with {ROUTES} routes, MB", f"{_of_pods(Kubectl(SYSTEM), 'operator'):.0f}", ""
    )


class _Most:
    """Polls for the largest memory of any process with this word in its command."""

    def __init__(self, word: bytes) -> None:
        self.megabytes = 0.0
        self._word = word
        self._over = threading.Event()

    @contextmanager
    def seen(self) -> Iterator["_Most"]:
        thread = threading.Thread(target=self._look)
        thread.start()
        try:
            yield self
        finally:
            self._over.set()
            thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.02):
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    if self._word in (process / "cmdline").read_bytes():
                        status = (process / "status").read_text()
                        self.megabytes = max(self.megabytes, _resident(status, "VmHWM"))
                except (OSError, IndexError):  # it has ended
                    continue


def test_training_needs_less_than_half_of_the_memory_of_its_rows(kubectl: Kubectl, record_figure: RecordFigure) -> None:
    """A training needs less than half of the memory of its rows."""
    data = {"synthetic": {"samples": ROWS, "featureCount": COLUMNS, "noise": "0.1"}}
    with _Most(b"linplane_trainer").seen() as most:
        kubectl.apply(trained("many", "v1", data))
        kubectl.wait("Trained", "linearmodel/many-v1")
    assert kubectl.get("linearmodel", "many-v1")["status"]["samples"] == pytest.approx(ROWS * 0.8, rel=0.02)
    if "LINPLANE_E2E_NODE" in os.environ:  # its processes are those of this machine
        record_figure(f"memory of a training, {ROWS:,} rows of {COLUMNS} features, MB", f"{most.megabytes:.0f}", "")
        assert 10 < most.megabytes < ROWS * COLUMNS * 8 / 1e6 / 2
