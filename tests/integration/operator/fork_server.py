"""Starts our programs fast: a process that has imported them, and forks one for each start.

What runs is the real `python -m MODULE`, less the second that the imports take. Each process ends with its handle, and
all of them with this module's `ForkServer`.
"""

import contextlib
import fcntl
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

MODULES = ("linplane_cli", "linplane_server", "linplane_trainer")
IMPORTED = (
    *("linplane_cli.main", "linplane_cli.operate", "linplane_operator.kube.process"),
    *("linplane_server.main", "linplane_server.cluster.environment", "linplane_trainer.train"),
    *("linplane_trainer.configmap_result", "pydantic.v1"),  # fastapi imports the latter with the first route
)
MOST = 1 << 18  # bytes of one request


class Forked:
    """One process: as much of `subprocess.Popen` as its users need. May be shared by threads."""

    def __init__(self, connection: socket.socket, stdin: int) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self.stdin = os.fdopen(stdin, "wb")
        self.returncode: int | None = None
        self.pid = int(connection.recv(64))

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        with self._lock:
            if self.returncode is None:
                self._connection.settimeout(timeout)
                try:
                    self.returncode = int(self._connection.recv(64) or b"-9")
                except (TimeoutError, BlockingIOError):
                    raise subprocess.TimeoutExpired("forked", timeout or 0) from None
                self._connection.close()
            return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            _kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class ForkServer:
    """The process that forks; made once for many starts."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="linplane-fork-server-")
        self._path = f"{self._folder.name}/socket"
        self._process = subprocess.Popen(
            [sys.executable, __file__, self._path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # a process with threads cannot be forked
        )
        assert self._process.stdout
        assert self._process.stdout.readline() == b"ready\n"

    def close(self) -> None:
        """Ends everything that it started."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()
        self._folder.cleanup()

    def start(
        self, module: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path, fds: Sequence[int] = ()
    ) -> Forked:
        """`python -m MODULE ARGUMENTS`, with a pipe as its standard input. `fds` keep their numbers."""
        assert module in MODULES
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.connect(self._path)
        reading, writing = os.pipe()
        variables = {**environment, "SSL_CERT_FILE": os.devnull}  # all name their authority; the system's take 50 ms
        request = {"module": module, "arguments": [*arguments], "environment": variables, "fds": [*fds]}
        with log.open("ab") as file:
            socket.send_fds(connection, [json.dumps(request).encode()], [reading, file.fileno(), *fds])
        os.close(reading)
        return Forked(connection, writing)


# ---- in the process that forks ----


def main(path: str) -> None:
    """Until standard input ends."""
    for name in IMPORTED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # also in the children: their collections skip what was imported, which is never garbage
    ended, wakeup = os.pipe()
    os.set_blocking(wakeup, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakeup)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen(64)
    print("ready", flush=True)
    children: dict[int, socket.socket] = {}
    with selectors.DefaultSelector() as selector:
        for file in (0, ended, listener.fileno()):
            selector.register(file, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd == 0:
                    _end(children)
                elif key.fd == ended:
                    os.read(ended, 1 << 12)
                    _reap(children, selector)
                elif key.fd == listener.fileno():
                    _fork(listener.accept()[0], children, selector)
                else:  # the client is gone
                    _kill(key.data)
                    selector.unregister(key.fileobj)


def _end(children: Mapping[int, socket.socket]) -> NoReturn:
    for pid in children:
        _kill(pid)
    sys.exit(0)


def _kill(pid: int, number: int = signal.SIGKILL) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has just ended
        os.kill(pid, number)


def _reap(children: dict[int, socket.socket], selector: selectors.BaseSelector) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        connection = children.pop(pid)
        if connection.fileno() in selector.get_map():
            selector.unregister(connection)
        with contextlib.suppress(OSError):  # the client is gone
            connection.send(str(os.waitstatus_to_exitcode(status)).encode())
        connection.close()


def _fork(connection: socket.socket, children: dict[int, socket.socket], selector: selectors.BaseSelector) -> None:
    message, fds, _, _ = socket.recv_fds(connection, MOST, 16)
    if pid := os.fork():
        for fd in fds:
            os.close(fd)
        children[pid] = connection
        connection.send(str(pid).encode())
        selector.register(connection, selectors.EVENT_READ, pid)
        return
    _become(json.loads(message), fds)


def _become(request: dict[str, Any], given: list[int]) -> NoReturn:
    """The child."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        wanted = {0: given[0], 1: given[1], 2: given[1], **dict(zip(request["fds"], given[2:], strict=True))}
        above = max(512, *wanted) + 1  # the client may have hundreds of open files
        high = {number: fcntl.fcntl(fd, fcntl.F_DUPFD, above) for number, fd in wanted.items()}
        os.closerange(3, above)
        for number, fd in high.items():
            os.dup2(fd, number)
        os.closerange(above, above + 512)
        os.environ.clear()
        os.environ.update(request["environment"])
        sys.argv = [request["module"], *request["arguments"]]
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1])
