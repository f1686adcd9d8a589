"""Failures of a cluster: an API server that is down, an operator process that is stopped."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e.kubectl import run
from support import eventually

AWAY = "away"


def answers() -> bool:
    """The API server does."""
    return run(["kubectl", "get", "--raw", "/readyz"], check=False) == "ok"


@contextmanager
def api_server_away() -> Iterator[None]:
    """On a node of the tests' own, or on kind's."""
    if folder := os.environ.get("LINPLANE_E2E_NODE"):
        with _held(Path(folder)):
            yield
        return
    context = os.environ["LINPLANE_E2E_CONTEXT"]
    if not context.startswith("kind-"):
        pytest.skip("the API server of this cluster is not to be stopped")
    container = f"{context.removeprefix('kind-')}-control-plane"
    manifest, aside = "/etc/kubernetes/manifests/kube-apiserver.yaml", "/etc/kubernetes/kube-apiserver.yaml"
    run(["docker", "exec", container, "mv", manifest, aside])
    try:
        eventually(lambda: not answers(), 60, interval=0.5)
        yield
    finally:
        run(["docker", "exec", container, "mv", aside, manifest])


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Controller manager and scheduler end too, as those do that lose their lease; else the first takes its old view of
    leases for the nodes' silence, and every pod for not ready.
    """
    names = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    for name in names:
        (folder / f"{name}.hold").touch()
    began = time.time()
    try:
        eventually(lambda: all((folder / f"{name}.held").exists() for name in names))
        yield
    finally:
        for name in names:
            (folder / f"{name}.hold").unlink()
            eventually(answers, 60, interval=0.5)
        with (folder / AWAY).open("a") as file:
            file.write(f"{began} {time.time()}\n")
        _renew(folder, "kube-proxy")


def renew_names() -> None:
    """Has the names of new Services found soon; for a moment no name is found at all."""
    if folder := os.environ.get("LINPLANE_E2E_NODE"):
        _renew(Path(folder), "coredns")


def _renew(folder: Path, name: str) -> None:
    """Restarts it: after an outage of the API server it would wait for up to a minute until its next request."""
    (folder / f"{name}.hold").touch()
    eventually((folder / f"{name}.held").exists)
    (folder / f"{name}.hold").unlink()


def was_away(folder: Path, moment: float) -> bool:
    """True if a node's API server was down, or had just started and could not authorize yet (`moment`: epoch)."""
    lines = (folder / AWAY).read_text().splitlines() if (folder / AWAY).exists() else []
    return any(float(began) <= moment <= float(ended) for began, ended in map(str.split, lines))


@contextmanager
def operator_stopped() -> Iterator[None]:
    """Its process gets no time, on a node of the tests' own: pods' processes are this machine's."""
    processes = [file.parent for file in Path("/proc").glob("[0-9]*/cmdline") if _is_operator(file)]
    (number,) = (int(process.name) for process in processes)
    os.kill(number, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(number, signal.SIGCONT)


def _is_operator(file: Path) -> bool:
    try:
        return b"linplane\0operator\0" in file.read_bytes()
    except OSError:  # it has ended
        return False
