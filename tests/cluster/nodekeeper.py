"""Runs the processes of a node in namespaces of their own, and ends all of them with the parent, even if it is killed.

    python nodekeeper.py FOLDER

It makes mount, process and network namespaces, with a second copy of itself as process 1 there. Each line of standard
input is a JSON list: a name and the command to run there. Its output goes to FOLDER/NAME.log; when it ends,
FOLDER/NAME.ended says how. While there is a FOLDER/NAME.hold the process is kept down; it starts again once that is
gone. FOLDER/init.pid has the number of process 1, for nsenter.

When standard input ends, so does process 1, and the kernel ends every process of the node with it, containers too, and
drops mounts and network. What is then left, control groups, kernel settings and FOLDER, is put back or removed.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

BRIDGE = "node0"
ADDRESS = "10.200.0.1"

_CGROUPS = Path("/sys/fs/cgroup")
# a node always writes there: it gets a layer of its own over them
_LAYERED = ("/var/lib", "/var/log", "/run", "/opt")
# what kubelet sets for the whole machine
_KERNEL = (
    *("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops"),
    *("kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes"),
)
_SECONDS_BETWEEN_LOOKS = 0.1
_REMOVE_SECONDS = 30.0


# ---- outside ----


def outside(folder: Path) -> None:
    """Until process 1 ends, or a signal to end comes."""
    signal.signal(signal.SIGTERM, _end)
    settings = {name: Path("/proc/sys", name).read_bytes() for name in _KERNEL}
    argv = ["unshare", "--mount", "--pid", "--net", "--fork", "--mount-proc", "--kill-child", sys.executable]
    with (folder / "init.log").open("ab") as log:
        child = subprocess.Popen([*argv, "-I", "-S", __file__, "--inside", str(folder)], stdout=log, stderr=log)
    try:
        _tell_init(child, folder)
        child.wait()
    finally:
        child.kill()
        child.wait()
        for name, value in settings.items():
            with contextlib.suppress(OSError):
                Path("/proc/sys", name).write_bytes(value)
        _remove_cgroups(folder.name)
        shutil.rmtree(folder, ignore_errors=True)


def _tell_init(child: "subprocess.Popen[bytes]", folder: Path) -> None:
    """Writes the outer process ID of process 1 of the namespace."""
    children = Path(f"/proc/{child.pid}/task/{child.pid}/children")
    while child.poll() is None:
        with contextlib.suppress(OSError):
            if number := children.read_text().strip():
                (folder / "init.tmp").write_text(number)
                (folder / "init.tmp").replace(folder / "init.pid")
                return
        time.sleep(0.01)


def _remove_cgroups(name: str) -> None:
    deadline = time.monotonic() + _REMOVE_SECONDS
    while time.monotonic() < deadline:  # the last processes may still be ending
        groups = [group for root in _roots() for group in [*(root / name).glob("**/"), root / name] if group.is_dir()]
        if not groups:
            return
        for group in sorted(groups, reverse=True):
            with contextlib.suppress(OSError):
                group.rmdir()
        time.sleep(_SECONDS_BETWEEN_LOOKS)


def _roots() -> list[Path]:
    """The hierarchies of control groups: one, or one a controller."""
    if (_CGROUPS / "cgroup.controllers").exists():
        return [_CGROUPS]
    return [root for root in sorted(_CGROUPS.iterdir()) if root.is_dir() and not root.is_symlink()]


# ---- inside ----


def inside(folder: Path) -> None:
    """As process 1: until standard input ends."""
    os.chdir(folder)
    _mount(folder)
    _connect()
    _make_cgroups(folder.name)
    running: dict[str, int] = {}
    commands: dict[str, list[str]] = {}
    rest = b""
    while True:
        readable, _, _ = select.select([0], [], [], _SECONDS_BETWEEN_LOOKS)
        if readable:
            data = os.read(0, 1 << 16)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                name, argv = json.loads(line)
                commands[name] = argv
                _start(name, argv, running)
        _reap(running)
        for name, argv in commands.items():
            held = Path(f"{name}.hold").exists()
            if held and name in running:
                os.kill(running[name], signal.SIGKILL)
            elif not held and name not in running and Path(f"{name}.held").exists():
                Path(f"{name}.held").unlink()
                _start(name, argv, running)


def _start(name: str, argv: list[str], running: dict[str, int]) -> None:
    Path(f"{name}.ended").unlink(missing_ok=True)
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    try:
        running[name] = os.posix_spawnp(argv[0], argv, os.environ, file_actions=actions, setsid=True)
    except OSError as error:
        Path(f"{name}.ended").write_text(str(error))


def _reap(running: dict[str, int]) -> None:
    """Takes in every process that has ended: those started here, and those that lost their parent."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        for name in [name for name, number in running.items() if number == pid]:
            del running[name]
            ending = "held" if Path(f"{name}.hold").exists() else "ended"
            Path(f"{name}.{ending}").write_text(str(os.waitstatus_to_exitcode(status)))


def _mount(folder: Path) -> None:
    _run("mount", "--make-rshared", "/")
    for number, place in enumerate(_LAYERED):
        upper, work = folder / "layers" / str(number), folder / "layers" / f"{number}.work"
        upper.mkdir(parents=True)
        work.mkdir()
        _run("mount", "-t", "overlay", "-o", f"lowerdir={place},upperdir={upper},workdir={work}", "overlay", place)


def _connect() -> None:
    """A bridge with the node's address; nothing leads out of the namespace."""
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", BRIDGE, "type", "bridge")
    _run("ip", "address", "add", f"{ADDRESS}/24", "dev", BRIDGE)
    _run("ip", "link", "set", BRIDGE, "up")
    _run("ip", "route", "add", "default", "via", ADDRESS, "dev", BRIDGE)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def _make_cgroups(name: str) -> None:
    """The parent of the pods' groups, which are removed at the end."""
    for root in _roots():
        with contextlib.suppress(OSError):  # a hierarchy that takes no groups has no controller that kubelet requires
            (root / name).mkdir()
        for setting in ("cpuset.cpus", "cpuset.mems"):
            if (root / name / setting).exists() and (root / setting).exists():
                (root / name / setting).write_text((root / setting).read_text())


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True)


def _end(_signal: int, _frame: object) -> NoReturn:
    raise SystemExit


if __name__ == "__main__":
    inside(Path(sys.argv[2])) if sys.argv[1] == "--inside" else outside(Path(sys.argv[1]))
