"""`make e2e`: brings a cluster, runs the tests of this folder on it, and takes it away, also after a failure or ^C.
Arguments go to pytest.

`make up`: brings one with the chart installed, and a shell in which kubectl, helm and curl reach it, until that ends.
"""

import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from cluster.controlplane import StartError
from cluster.gobuild import BinariesMissingError
from cluster.images import TARGETS, ImageError

from . import figures
from .chart import install
from .clusters import Cluster, RefusedError, cluster
from .diagnostics import save_diagnostics

ROOT = Path(__file__).parents[2]
IN_A_CLUSTER = ("linplane-operator", "linplane-server", "linplane-trainer")


def main() -> int:
    """pytest's exit code; 1 if there was no cluster."""
    signal.signal(signal.SIGTERM, _end)
    began = time.monotonic()
    try:
        by_hand = sys.argv[1:] == ["up"]
        name, images = ("linplane", IN_A_CLUSTER) if by_hand else ("linplane-e2e", tuple(TARGETS))
        with cluster(name, images) as made:
            print(f"the cluster is up after {time.monotonic() - began:.0f} s", flush=True)
            return _shell(made) if by_hand else _test(made, sys.argv[1:])
    except KeyboardInterrupt:
        return 130
    except (BinariesMissingError, ImageError, RefusedError, StartError, subprocess.SubprocessError) as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        print(f"everything is taken away after {time.monotonic() - began:.0f} s", flush=True)


def _test(made: Cluster, arguments: list[str]) -> int:
    argv = [sys.executable, "-m", "pytest", "--timeout=900", *(arguments or ["tests/e2e"])]
    code: int | None = None
    figures.begin()
    try:
        code = subprocess.run(made.inside(argv), cwd=ROOT, env=made.environment, check=False).returncode
        return code
    finally:
        if code != 0:
            kept = ROOT / ".e2e" / datetime.now().strftime("%Y-%m-%dT%H-%M-%S")  # noqa: DTZ005 - for people
            save_diagnostics(made, kept)
            print(f"logs, events and objects are in {kept}", flush=True)


def _shell(made: Cluster) -> int:
    """The exit code of its last command."""
    environment = dict(made.environment)
    argv = install(environment["LINPLANE_E2E_IMAGES"])
    subprocess.run(made.inside(argv), cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, timeout=300, check=True)
    print("the chart is installed; this shell reaches the cluster, and leaving it takes all of it away", flush=True)
    environment["PS1"] = "(linplane) \\w\\$ "
    return subprocess.run(made.inside(["bash", "--norc"]), cwd=ROOT, env=environment, check=False).returncode


def _end(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
