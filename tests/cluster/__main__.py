"""`make cluster`: a control plane to use by hand, until ^C. With the argument `binaries`: only obtains the programs."""

import signal
import sys
import time
from typing import NoReturn

from .binaries import BinariesMissingError, find_binaries
from .controlplane import StartError, control_plane
from .install import install


def main() -> int:
    """The exit code: 1 where it could not start."""
    signal.signal(signal.SIGTERM, _end)
    try:
        binaries = find_binaries(obtain=True)
        if sys.argv[1:] == ["binaries"]:
            print("\n".join(map(str, binaries.values())))
            return 0
        began = time.monotonic()
        with control_plane(binaries) as plane:
            install(plane.admin)
            plane.start_controllers()
            print(
                f"A control plane with Linplane's CRDs and policies is up after {time.monotonic() - began:.1f} s: no"
                " operator, no kubelet. In another terminal:\n\n"
                f"  export KUBECONFIG={plane.kubeconfig}\n"
                f"  export PATH={plane.binaries['kubectl'].parent}:$PATH\n"
                "  kubectl apply -f manifests/examples/penguins\n\n"
                f"Logs are in {plane.folder}. ^C ends it and leaves nothing behind.",
                flush=True,
            )
            signal.pause()
    except KeyboardInterrupt:
        return 0
    except (BinariesMissingError, StartError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _end(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
