"""`make e2e`: brings a cluster, runs the tests of this folder on it, and takes it away, also after a failure or ^C.

Arguments go to pytest. Without tests (`python -m e2e up`) the cluster stays until ^C.
"""

import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from cluster.binaries import BinariesMissingError
from cluster.controlplane import StartError
from cluster.images import ImageError

from .clusters import Cluster, RefusedError, cluster
from .kept import keep

ROOT = Path(__file__).parents[2]


def main() -> int:
    """pytest's exit code; 1 where there was no cluster."""
    signal.signal(signal.SIGTERM, _end)
    began = time.monotonic()
    try:
        with cluster() as made:
            print(f"the cluster is up after {time.monotonic() - began:.0f} s", flush=True)
            if sys.argv[1:] == ["up"]:
                return _stay(made)
            return _test(made, sys.argv[1:])
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
    try:
        code = subprocess.run(made.inside(argv), cwd=ROOT, env=made.environment, check=False).returncode
        return code
    finally:
        if code != 0:
            kept = ROOT / ".e2e" / datetime.now().strftime("%Y-%m-%dT%H-%M-%S")  # noqa: DTZ005 - for people
            keep(made, kept)
            print(f"logs, events and objects are in {kept}", flush=True)


def _stay(made: Cluster) -> int:
    names = ("KUBECONFIG", "PATH", "LINPLANE_E2E_IMAGES", "LINPLANE_E2E_CONTEXT", "LINPLANE_E2E_NODE")
    exports = "".join(f"  export {name}={made.environment[name]}\n" for name in names if name in made.environment)
    print(f"{exports}  {' '.join(made.inside(['bash']))}\n^C takes it away.", flush=True)
    signal.pause()
    return 0


def _end(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
