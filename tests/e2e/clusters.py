"""A cluster for the tests: a named one, or one of kind if docker is installed, or a node of their own.

The tests find KUBECONFIG in the environment, LINPLANE_E2E_IMAGES (`PREFIX:TAG` of the images), LINPLANE_E2E_TOOLS (the
folder with kubectl and helm) and, on a node of their own, LINPLANE_E2E_NODE (its folder). LINPLANE_E2E_KIND_IMAGE says
which node kind makes, and so which Kubernetes.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster.binaries import NODE_PROGRAMS, find_binaries
from cluster.images import AT_ONCE, PAUSE, Buildah, Docker, begin_builds, build_all, builder, has_docker, names_of
from cluster.node import node

PREFIX, TAG = "localhost/linplane", "e2e"


class RefusedError(Exception):
    """There is no cluster that the tests may use."""


@dataclass(frozen=True)
class Cluster:
    """A running cluster. `environment`: the tests' variables. `inside`: wraps a command so that it can reach the
    cluster. `keep_logs` writes the cluster's own logs into a folder.
    """

    environment: Mapping[str, str]
    inside: Callable[[Sequence[str]], list[str]]
    keep_logs: Callable[[Path], object]


@contextmanager
def cluster(name: str, images: Sequence[str]) -> Iterator[Cluster]:
    """`name`: of a cluster of kind's. `images`: those that it gets, of TARGETS. Raises RefusedError, and what building
    and starting raise.
    """
    if allowed := os.environ.get("LINPLANE_E2E_CONTEXTS"):
        yield _named(allowed.split(","))
    elif has_docker():
        with _kind(name, images) as made:
            yield made
    else:
        with _own_node(images) as made:
            yield made


def _named(allowed: Sequence[str]) -> Cluster:
    """The current context, if it is on the list; its nodes must be able to pull the images."""
    tools = _tools()
    current = _run([str(tools["kubectl"]), "config", "current-context"]).strip()
    if current not in allowed:
        raise RefusedError(f"the current context is {current}, and LINPLANE_E2E_CONTEXTS allows {', '.join(allowed)}")
    if "LINPLANE_E2E_IMAGES" not in os.environ:
        raise RefusedError("LINPLANE_E2E_IMAGES must say where the images are, as REGISTRY/PATH:TAG")
    return Cluster(_environment(tools, {"LINPLANE_E2E_CONTEXT": current}), list, lambda _: None)


@contextmanager
def _kind(name: str, names: Sequence[str]) -> Iterator[Cluster]:
    kind = shutil.which("kind")
    if kind is None:
        raise RefusedError("there is docker, but no kind: install it, or name a context in LINPLANE_E2E_CONTEXTS")
    if name in _run([kind, "get", "clusters"]).split():
        raise RefusedError(f"there is a cluster {name} already: `kind delete cluster --name {name}`, if it may go")
    tools = _tools()
    images = names_of(PREFIX, TAG, names)
    build_all(Docker(), images)
    with tempfile.TemporaryDirectory(prefix="linplane-e2e-") as folder:
        kubeconfig = str(Path(folder, "kubeconfig"))
        try:
            image = [f"--image={wanted}"] if (wanted := os.environ.get("LINPLANE_E2E_KIND_IMAGE")) else []
            _run([kind, "create", "cluster", "--name", name, "--kubeconfig", kubeconfig, "--wait", "120s", *image])
            _run([kind, "load", "docker-image", "--name", name, *images.values()])
            own = {"KUBECONFIG": kubeconfig, "LINPLANE_E2E_CONTEXT": f"kind-{name}"}
            yield Cluster(
                _environment(tools, own), list, lambda kept: _run([kind, "export", "logs", str(kept), "--name", name])
            )
        finally:
            _run([kind, "delete", "cluster", "--name", name, "--kubeconfig", kubeconfig])


@contextmanager
def _own_node(names: Sequence[str]) -> Iterator[Cluster]:
    by = builder()  # fails at once if a program is missing, and not after minutes of building
    binaries = find_binaries(NODE_PROGRAMS, obtain=True)
    with _archives(by, names_of(PREFIX, TAG, names)) as archives, node(binaries, archives) as made:
        own = {
            "KUBECONFIG": str(made.kubeconfig),
            "LINPLANE_E2E_CONTEXT": "linplane-e2e",
            "LINPLANE_E2E_NODE": str(made.folder),
        }
        yield Cluster(
            _environment(binaries, own), lambda argv: made.inside(*argv), lambda kept: _copy_logs(made.folder, kept)
        )


@contextmanager
def _archives(by: Docker | Buildah, images: Mapping[str, str]) -> Iterator[Iterator[Path]]:
    """Yields each image as soon as it is written; the builds run in parallel, and the node can start meanwhile."""
    by.prepare()
    with tempfile.TemporaryDirectory(prefix="linplane-images-") as folder:
        pool = ThreadPoolExecutor(AT_ONCE)

        def write(image: str) -> Path:
            file = Path(folder, f"{image.replace('/', '_').replace(':', '_')}.tar")
            by.save(image, file)
            return file

        made = [pool.submit(write, PAUSE), *begin_builds(pool, by, images, write)]
        try:
            yield (done.result() for done in as_completed(made))
        finally:
            pool.shutdown(cancel_futures=True)


def _tools() -> dict[str, Path]:
    """kubectl and helm: the user's own, else built."""
    found = {name: Path(path) for name in ("kubectl", "helm") if (path := shutil.which(name))}
    missing = [name for name in ("kubectl", "helm") if name not in found]
    return found | (find_binaries(missing, obtain=True) if missing else {})


def _environment(tools: Mapping[str, Path], own: Mapping[str, str]) -> dict[str, str]:
    """`own` wins over what the environment has already."""
    path = os.pathsep.join([*dict.fromkeys(str(tool.parent) for tool in tools.values()), os.environ["PATH"]])
    return {"LINPLANE_E2E_IMAGES": f"{PREFIX}:{TAG}", **os.environ, "PATH": path, **own}


def _copy_logs(folder: Path, kept: Path) -> None:
    kept.mkdir(parents=True, exist_ok=True)
    for log in folder.glob("*.log"):
        shutil.copy(log, kept)
    if (folder / "pods").exists():
        shutil.copytree(folder / "pods", kept / "pods", dirs_exist_ok=True)


def _run(argv: Sequence[str]) -> str:
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, timeout=900, check=True)
    return done.stdout
