"""A node of the tests' own leaves nothing behind, however its starter ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.conftest import ROOT
from support import eventually

STARTER = """
from cluster.binaries import NODE_PROGRAMS, find_binaries
from cluster.node import node
with node(find_binaries(NODE_PROGRAMS, obtain=False), []) as made:
    print(made.folder, flush=True)
    input()
"""


@pytest.fixture
def starter() -> Iterator["subprocess.Popen[str]"]:
    """A process with a node of its own."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}/tests:{ROOT}/crds"}
    with subprocess.Popen(
        [sys.executable, "-c", STARTER], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def _traces(folder: Path) -> list[str]:
    """Remains of a node: processes, mounts, control groups and files."""
    found = [str(folder)] if folder.exists() else []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            cwd = str((process / "cwd").readlink())
        except OSError:
            continue
        if str(folder) in command or cwd.startswith(str(folder)):
            found.append(command)
    found += [line for line in Path("/proc/mounts").read_text().splitlines() if str(folder) in line]
    return found + [str(group) for group in Path("/sys/fs/cgroup").glob(f"**/{folder.name}")]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=lambda how: how.name)
def test_node_leaves_nothing_behind(starter: "subprocess.Popen[str]", how: signal.Signals) -> None:
    assert starter.stdout
    folder = Path(starter.stdout.readline().strip())
    assert len(_traces(folder)) > 10
    starter.send_signal(how)
    assert starter.wait(120) != 0
    eventually(lambda: not _traces(folder), 60, interval=0.5)
