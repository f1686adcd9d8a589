"""Every command in the README and in docs/ runs, and prints the output that the page shows."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from cluster.gobuild import cache_folder
from integration.conftest import control_plane_programs
from pages import PROMPT, Command, Session, blocks, is_as_said
from support import eventually

ROOT = Path(__file__).parents[2]
TRY_IT = ROOT / "docs" / "try-it.md"
POSTGRESQL = ROOT / "docs" / "postgresql.md"
BACKUP = ROOT / "docs" / "backup.md"  # needs two namespaces: tests/integration/operator/test_restore.py
PAGES = [ROOT / "README.md", *sorted({*(ROOT / "docs").glob("*.md")} - {BACKUP}), ROOT / "CONTRIBUTING.md"]
RUN_ELSEWHERE = {
    "make setup": "done before any test",
    "make demo": "test_demo",
    "make test": "this very run",
    "make lint": "the step before this one in .ci/run",
    "source .venv/bin/activate": "done by the fixture",
}
GET_SECONDS = 20
OTHER_CLUSTER = """\
apiVersion: v1
kind: Config
clusters: [{{name: other, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
contexts: [{{name: other, context: {{cluster: other, user: other}}}}]
users: [{{name: other, user: {{}}}}]
current-context: other
"""


def commands(page: Path) -> list[Command]:
    """The commands of all blocks except the one for a shell on a cluster, which `make e2e` runs."""
    return [command for block in blocks(page) if block[0][0] != "make up" for command in block]


def is_pasted_with_cluster(command: str) -> bool:
    """True for a block of several lines that starts `make cluster`."""
    return "\n" in command and "make cluster" in command


def ports() -> list[int]:
    """Four free ports below the range of ephemeral ports, so that no connection takes them meanwhile."""
    found: list[int] = []
    for port in random.sample(range(20_000, 30_000, 2), 1000):  # no port twice
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == 4:
            break
    return found


class Job(NamedTuple):
    """A process in the background; `kill` sends it this signal."""

    process: subprocess.Popen[bytes]
    signal: signal.Signals


class Shell:
    """Runs a page's commands in one folder; what a page starts in the background ends with it."""

    def __init__(self, folder: Path) -> None:
        public, admin, pod, grpc = ports()
        self._ports = {
            "localhost:8080": f"localhost:{public}",
            "localhost:8081": f"localhost:{admin}",
            "localhost:8090": f"localhost:{pod}",
            "localhost:9000": f"localhost:{grpc}",
            "--grpc-port 9000": f"--grpc-port {grpc}",
        }
        self._folder = folder
        (folder / "home/.kube").mkdir(parents=True)
        self._others = socket.create_server(("127.0.0.1", 0))
        (folder / "home/.kube/config").write_text(OTHER_CLUSTER.format(port=self._others.getsockname()[1]))
        self._environment = {
            **{name: value for name, value in os.environ.items() if name != "KUBECONFIG"},
            "HOME": str(folder / "home"),
            "XDG_CACHE_HOME": str(cache_folder().parent.parent),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "LINPLANE_LOCAL_PORT": str(public),
            "LINPLANE_LOCAL_ADMIN_PORT": str(admin),
            **{
                f"LINPLANE_{word}_URL": f"http://127.0.0.1:{admin}"
                for word in ("STATUS", "SWITCH", "FREEZE", "UNFREEZE")
            },
            "LINPLANE_PREDICT_URL": f"http://127.0.0.1:{public}",
        }
        self._jobs: dict[int, Job] = {}
        self._before = ""  # prefix of each command
        self._session = Session()

    def add_variables(self, variables: Mapping[str, str]) -> None:
        """Sets variables of the environment for all commands that follow."""
        self._environment |= variables

    def run_as_said(self, command: str, expected: str) -> str:
        """The output of the command. `linplane get` is repeated until that is `expected`, as by a person who waits
        for a training; so only the last output counts. Raises AssertionError if the command fails.
        """
        printed = self.run(command)
        deadline = time.monotonic() + GET_SECONDS
        while command.startswith("linplane get") and not is_as_said(expected, printed) and time.monotonic() < deadline:
            time.sleep(0.2)
            printed = self.run(command)
        return printed

    def run(self, command: str) -> str:
        """The output of the command. Raises AssertionError if it fails."""
        for written, real in self._ports.items():
            command = command.replace(written, real)
        if command.startswith(PROMPT):
            with contextlib.chdir(self._folder):
                report = self._session.run(command)
            assert not report, report
            return ""
        if is_pasted_with_cluster(command):
            return self.paste(command)
        if command.endswith(" &"):
            self._start(command[:-2])
            return ""
        if command.startswith("kill %"):
            job = self._jobs.pop(int(command.removeprefix("kill %")))
            job.process.send_signal(job.signal)
            assert job.process.wait(30) == 0
            return ""
        if command.startswith(("source ", "cd ")):
            self._before += f"{command}; "
            return ""
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {self._before}{command}"],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    def paste(self, block: str, make: str = "") -> str:
        """The output of a block that starts `make cluster` in the background, pasted whole: a shell reads it at once.

        What it exports holds for later commands. `make`: instead of `make cluster`. If nothing ends it before, its
        terminal is closed at the end.
        """
        control_plane_programs()
        port = self._ports["localhost:8090"].rpartition(":")[2]
        cluster = f"env PYTHONPATH={ROOT / 'tests'} {sys.executable} -m integration.operator {port}"
        exported, printed = self._folder / "exported", self._folder / "printed"
        block = block.replace("make cluster", make or cluster)
        traps = "trap 'kill -HUP $!' TERM; trap 'kill $!' USR1"
        end = f"{traps}; export -p > new; mv new {exported}; wait $!; wait $!\n"
        with printed.open("w") as file:
            process = subprocess.Popen(
                ["bash"], cwd=self._folder, env=self._environment, stdin=subprocess.PIPE, stdout=file, stderr=file
            )
        assert process.stdin is not None
        process.stdin.write(f"{block}{end}".encode())
        process.stdin.close()
        self._put_in_background(process, signal.SIGUSR1)
        eventually(exported.exists, timeout=90)
        self._before += f"source {exported}; "
        return printed.read_text()

    def _start(self, command: str) -> None:
        process = subprocess.Popen(
            ["bash", "-c", f"{self._before}exec {command}"],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.DEVNULL,
        )
        self._put_in_background(process, signal.SIGTERM)
        eventually(self._local_serves, timeout=60)

    def _put_in_background(self, process: subprocess.Popen[bytes], kill: signal.Signals) -> None:
        """Gives it the number that a shell would: that of a job that has ended is free again."""
        self._jobs[max(self._jobs, default=0) + 1] = Job(process, kill)

    def _local_serves(self) -> bool:
        return any(self._folder.glob("**/models/.linplane/objects/modelroutes")) and self._serving()

    def _serving(self) -> bool:
        """Waits until the route answers, as a user would."""
        host, port = self._ports["localhost:8081"].split(":")
        with contextlib.closing(socket.create_connection((host, int(port)), 1)) as connection:
            connection.settimeout(1)
            connection.sendall(b"GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")
            return b" 200 " in connection.recv(100)

    def stop(self) -> None:
        """Ends the background processes in order, and checks that no command used the user's own kubeconfig."""
        processes = [job.process for job in self._jobs.values()]
        for process in processes:
            process.send_signal(signal.SIGTERM)
        codes = [process.wait(30) for process in processes]
        self._others.setblocking(False)
        with self._others, pytest.raises(BlockingIOError):
            self._others.accept()
        assert set(codes) <= {0}
        assert not list(self._folder.glob(".cluster/*"))


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    for name in ("manifests", "Makefile", "docs"):
        source = ROOT / name
        target = tmp_path / name
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(".linplane")) if source.is_dir() else shutil.copy(
            source, target
        )
    running = Shell(tmp_path)
    yield running
    running.stop()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_commands_print_the_output_that_it_shows(page: Path, shell: Shell, request: pytest.FixtureRequest) -> None:
    if page == POSTGRESQL:
        shell.add_variables(request.getfixturevalue("postgresql").variables())
    for command, expected in commands(page):
        if command in RUN_ELSEWHERE:
            continue
        printed = shell.run_as_said(command, expected)
        assert is_as_said(expected, printed), f"$ {command}\n{printed}"
        if is_pasted_with_cluster(command):  # it ends with a prediction, and `make cluster` has printed the commands
            assert '"prediction":4206.616657797' in printed, printed
            assert "source .cluster/env" in printed


def test_pasted_block_calls_no_other_cluster_if_make_fails(shell: Shell) -> None:
    """`make cluster` ends at once, so no later line can work; `stop` checks which cluster was called."""
    (block,) = [text for text, _ in commands(TRY_IT) if "\n" in text]
    path = control_plane_programs()["kubectl"].parent
    printed = shell.paste(f"PATH={path}:$PATH\n{block}", make="true")
    assert "prediction" not in printed


def test_pasted_block_sources_no_file_of_a_killed_run(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / ".cluster").mkdir()
    (tmp_path / ".cluster/env").write_text("echo 'this is an old one'\n")
    (block,) = [text for text, _ in commands(TRY_IT) if "\n" in text]
    path = control_plane_programs()["kubectl"].parent
    assert "old" not in shell.paste(f"PATH={path}:$PATH\n{block}", make="sleep 2")


def test_pages_have_commands() -> None:
    """The two commands of the README are among the tested ones."""
    readme = [command for command, _ in commands(ROOT / "README.md")]
    assert readme[:2] == ["make demo", "make test"]
    assert sum(len(commands(page)) for page in PAGES) >= 15
    assert not [page for page in (ROOT / "docs").glob("*/**/*.md") if blocks(page)]  # only those of PAGES are run


def test_demo() -> None:
    """The README's command succeeds in under two minutes."""
    done = subprocess.run(["make", "demo"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "stopped cleanly" in done.stdout
    assert "409" in done.stdout
