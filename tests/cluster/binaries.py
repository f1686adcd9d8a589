"""Finds the programs of a cluster: in a folder, downloaded by setup-envtest, or built from Go modules.

Each program is searched by itself, in this order: `KUBEBUILDER_ASSETS`, the cache folder, and for promtool `PATH`. What
is missing then is obtained only on request, as that takes minutes: by `setup-envtest` if it is installed and can
download, else by `go build` into the cache folder.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from .gobuild import KUBERNETES, BinariesMissingError, build, cache_folder, locked

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
TEST_PROGRAMS = (*PROGRAMS, "helm", "promtool")
# what a node and a chart need in addition
NODE_PROGRAMS = (*PROGRAMS, "kube-scheduler", "kubelet", "kube-proxy", "coredns", "helm", "metrics-server")


def find_binaries(programs: Sequence[str] = PROGRAMS, *, obtain: bool) -> dict[str, Path]:
    """Returns the path of each program. `obtain`: download or build what is missing, which takes minutes.

    Raises BinariesMissingError.
    """
    found = _found(programs, _folders())
    if len(found) < len(programs) and obtain:
        found = _obtained(programs)
    missing = [program for program in programs if program not in found]
    if missing:
        looked = ", ".join(map(str, _folders()))
        raise BinariesMissingError(
            f"{', '.join(missing)} not found in {looked}: set KUBEBUILDER_ASSETS, or run `make programs` once, which "
            "builds them from Go modules (about ten minutes)"
        )
    _check_same_minor(found)
    return found


def _folders() -> list[Path]:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    return [*([Path(assets)] if assets else []), cache_folder()]


def _found(programs: Sequence[str], folders: Sequence[Path]) -> dict[str, Path]:
    places = {program: [f / program for f in folders if os.access(f / program, os.X_OK)] for program in programs}
    found = {program: paths[0] for program, paths in places.items() if paths}
    if "promtool" in programs and (installed := shutil.which("promtool")):
        found.setdefault("promtool", Path(installed))
    return found


def _obtained(programs: Sequence[str]) -> dict[str, Path]:
    with locked(cache_folder()):  # searched again: another process may have built them in the meantime
        missing = [program for program in programs if program not in _found(programs, _folders())]
        envtest = _setup_envtest() if set(missing) & {*PROGRAMS} else None
        folders = [*_folders(), *([envtest] if envtest else [])]
        missing = [program for program in programs if program not in _found(programs, folders)]
        if missing:
            build(missing, cache_folder())
        return _found(programs, folders)


def _check_same_minor(found: Mapping[str, Path]) -> None:
    """Checks that controller manager and API server have the same minor version, as their folders can differ."""
    if not {"kube-apiserver", "kube-controller-manager"} <= found.keys():
        return
    apiserver, manager = found["kube-apiserver"], found["kube-controller-manager"]
    if apiserver.parent == manager.parent:
        return
    versions = [
        subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout.split()[-1]
        for path in (apiserver, manager)
    ]
    if versions[0].split(".")[:2] != versions[1].split(".")[:2]:
        raise BinariesMissingError(
            f"{apiserver} is {versions[0]}, {manager} is {versions[1]}: they must be of one minor version"
        )


def _setup_envtest() -> Path | None:
    """The folder to which setup-envtest downloads etcd, kube-apiserver and kubectl; None if it can't."""
    tool = shutil.which("setup-envtest")
    if tool is None:
        return None
    minor = KUBERNETES.removeprefix("v").rpartition(".")[0]
    argv = [tool, "use", f"{minor}.x", "--print", "path", "--bin-dir", str(cache_folder().parent / "envtest")]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return Path(done.stdout.strip())
