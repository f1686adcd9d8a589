"""`make cluster`: a control plane with the operator, to use by hand until ^C. There is no container runtime: pods of
the namespace `default` are processes of this machine.
"""

import contextlib
import itertools
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from cluster.binaries import find_binaries
from cluster.controlplane import ControlPlane, StartError, control_plane
from cluster.gobuild import BinariesMissingError
from cluster.install import install
from integration.operator.programs import Executed
from integration.operator.site import Site

FOLDER = Path(".cluster")
FIRST_PORT = 8090
SIGNALS = (signal.SIGTERM, signal.SIGHUP)  # SIGHUP: its terminal was closed
UP = """\
up after {seconds:.1f} s; ^C ends everything and leaves nothing behind. To try it, in another terminal in this folder:

  source {folder}/env
  kubectl apply -f manifests/examples/penguins
  kubectl wait --for=condition=Ready mroute/penguin-mass --timeout=90s
  curl -sf localhost:{port}/routes/penguin-mass/predict -d '{{"features": {{"flipper_length_mm": 201}}}}'

the operator's log is {log}"""


def main() -> int:
    """The exit code: 1 if it could not start."""
    for number in SIGNALS:
        signal.signal(number, _end)
    first_port = int(sys.argv[1]) if sys.argv[1:] else FIRST_PORT
    _remove_env()  # of a run that was killed
    try:
        binaries = find_binaries(obtain=True)
        began = time.monotonic()
        with control_plane(binaries) as plane:
            install(plane.admin)
            plane.start_controllers()
            site = Site(plane, "default", plane.folder, Executed(), listen=ports_from(first_port))
            try:
                _write_env(plane)
                seconds = time.monotonic() - began
                print(UP.format(seconds=seconds, folder=FOLDER, port=first_port, log=site.operator.log), flush=True)
                _report_pods(site)
            finally:
                site.close()
                _remove_env()
    except KeyboardInterrupt:
        return 0
    except (BinariesMissingError, StartError) as error:
        print(error, file=sys.stderr)
        return 1


def ports_from(first: int) -> Callable[[], list[socket.socket]]:
    """Gives each server pod the next free pair of ports, the public one before the admin one."""

    def listen() -> list[socket.socket]:
        for port in itertools.count(first, 2):
            with contextlib.suppress(OSError):
                return _pair(port)
        raise AssertionError

    return listen


def _pair(port: int) -> list[socket.socket]:
    public = socket.create_server(("127.0.0.1", port), backlog=2048)
    try:
        return [public, socket.create_server(("127.0.0.1", port + 1), backlog=2048)]
    except OSError:
        public.close()
        raise


def _write_env(plane: ControlPlane) -> None:
    """A file to source, and a kubeconfig at a place that is known before it is there. The file to source comes last:
    once it is there, everything is up.
    """
    FOLDER.mkdir(exist_ok=True)
    kubeconfig, env = FOLDER.absolute() / "kubeconfig", FOLDER / "env"
    kubeconfig.symlink_to(plane.kubeconfig)
    text = f'export KUBECONFIG="{kubeconfig}"\nexport PATH="{plane.binaries["kubectl"].parent}:$PATH"\n'
    new = env.with_suffix(".new")
    new.write_text(text)
    new.replace(env)


def _remove_env() -> None:
    for name in ("env", "kubeconfig"):
        (FOLDER / name).unlink(missing_ok=True)


def _report_pods(site: Site) -> NoReturn:
    """Prints each new pod's addresses until it is stopped."""
    known: set[str] = set()
    while True:
        for container in site.kubelet.servers():
            if container.uid not in known:
                known.add(container.uid)
                public, admin = (sock.getsockname()[1] for sock in container.sockets)
                print(f"pod {container.name} answers at localhost:{public}, for admins at {admin}", flush=True)
        time.sleep(0.2)


def _end(_signal: int, _frame: object) -> NoReturn:
    """Ends it once: a shell's `kill %1` reaches make as well, which passes it on. That must not stop the clean-up."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
