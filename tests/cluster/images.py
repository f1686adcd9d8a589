"""The product's images, built by docker if its daemon answers, else by buildah.

buildah's store is in the user's cache folder: layers and the base image stay for the next run, and the user's own
images are not touched. Its base image is made of Debian packages, so no registry is needed.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from .gobuild import cache_folder

ROOT = Path(__file__).parents[2]
BASE = "docker.io/library/python:3.13-slim"
PAUSE = "localhost/pause:dev"
TARGETS = {
    "linplane-operator": ("Dockerfile.operator", "operator"),
    "linplane-server": ("Dockerfile.server", "server"),
    "linplane-trainer": ("Dockerfile.server", "trainer"),
    "linplane-local": ("Dockerfile.server", "local"),
}
AT_ONCE = 2
"""Number of images that are built in parallel."""
_BUILD_SECONDS = 1800

Made = TypeVar("Made")


class ImageError(Exception):
    """An image could not be built; the message has the end of the builder's output."""


class Docker:
    """Images by the docker daemon, which pulls the base image."""

    def build(self, image: str, name: str) -> None:
        """Builds one of TARGETS as `image`. Raises ImageError."""
        file, target = TARGETS[name]
        _run(["docker", "build", "--quiet", "--file", file, "--target", target, "--tag", image, "."])

    def prepare(self) -> None:
        """Provides the base image by its own name. Raises ImageError."""
        _run(["docker", "pull", "--quiet", BASE])

    def save(self, image: str, file: Path) -> None:
        """Writes an archive that a container runtime can import."""
        _run(["docker", "save", "--output", str(file), image])


class Buildah:
    """Images by buildah, in a store of its own."""

    def __init__(self, store: Path) -> None:
        """`store` is created if it is absent. Raises ImageError if something is missing."""
        missing = [tool for tool in ("buildah", "debootstrap", "gcc") if shutil.which(tool) is None]
        if missing or os.geteuid() != 0:
            raise ImageError(f"images need docker, or root and Debian's buildah, debootstrap, gcc: {missing or 'root'}")
        store.mkdir(parents=True, exist_ok=True)
        configuration = store / "storage.conf"
        configuration.write_text(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{store}/images"\nrunroot = "/run/linplane-buildah"\n'
        )
        certificates = store / "uv.toml"
        certificates.write_text("system-certs = true\n")
        self._environment = {"CONTAINERS_STORAGE_CONF": str(configuration), "BUILDAH_ISOLATION": "chroot"}
        # what is trusted here is trusted in the build: a mirror of the packages may have a certificate of its own
        self._mounts = ["-v", "/etc/ssl/certs:/etc/ssl/certs:ro", "-v", f"{certificates}:/etc/uv/uv.toml:ro"]

    def build(self, image: str, name: str) -> None:
        """Builds one of TARGETS as `image`. Raises ImageError."""
        file, target = TARGETS[name]
        self.prepare()
        # never: a registry isn't queried for a newer base image, which takes minutes if there is no registry
        command = ["buildah", "bud", "--quiet", "--layers", "--pull=never", "--network", "host", *self._mounts]
        # in docker's format: OCI's knows no HEALTHCHECK
        command += ["--format", "docker", "--file", file, "--target", target, "--tag", image, "."]
        _run(command, self._environment)

    def save(self, image: str, file: Path) -> None:
        """Writes an archive that a container runtime can import."""
        file.unlink(missing_ok=True)
        _run(["buildah", "push", "--quiet", image, f"docker-archive:{file}:{image}"], self._environment)

    def prepare(self) -> None:
        """Provides the base image and the pause image. Raises ImageError."""
        for image in (BASE, PAUSE):
            if not self._has(image):
                _run([str(Path(__file__).with_name("base-image.sh"))], self._environment)

    def _has(self, image: str) -> bool:
        command = ["buildah", "inspect", "--type", "image", image]
        environment = {**os.environ, **self._environment}
        return subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False).returncode == 0


def builder() -> Docker | Buildah:
    """The builder for this machine. Raises ImageError."""
    return Docker() if has_docker() else Buildah(cache_folder().parent / "images")


def has_docker() -> bool:
    """True if a docker daemon answers."""
    try:
        done = subprocess.run(["docker", "info"], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def names_of(prefix: str, tag: str, names: Sequence[str] = tuple(TARGETS)) -> dict[str, str]:
    """The image of each name: PREFIX/NAME:TAG."""
    return {name: f"{prefix}/{name}:{tag}" for name in names}


def begin_builds(
    pool: ThreadPoolExecutor, by: Docker | Buildah, images: Mapping[str, str], then: Callable[[str], Made]
) -> list[Future[Made]]:
    """Builds images in parallel and passes each to `then`. The futures raise ImageError, or the error of `then`."""
    made: list[Future[Made]] = []

    def build(name: str, image: str, after: Sequence[Future[Made]]) -> Made:
        for first in after:  # its layers are those of all, and where it fails so would they
            first.result()
        start = time.monotonic()
        by.build(image, name)
        print(f"built {image} in {time.monotonic() - start:.0f} s", flush=True)
        return then(image)

    for name, image in images.items():
        made.append(pool.submit(build, name, image, made[:1]))
    return made


def build_all(by: Docker | Buildah, images: Mapping[str, str]) -> None:
    """Builds images, by their names in TARGETS. Raises ImageError."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in begin_builds(pool, by, images, str):
            done.result()


def size_of(by: Docker | Buildah, image: str) -> int:
    """The unpacked size of all layers, in bytes."""
    with tempfile.TemporaryDirectory(prefix="linplane-image-") as folder:
        file = Path(folder, "image.tar")
        by.save(image, file)
        return file.stat().st_size


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_BUILD_SECONDS,
        check=False,
    )
    if done.returncode:
        raise ImageError(f"{' '.join(command[:6])} ...: {done.stdout[-3000:]}")
