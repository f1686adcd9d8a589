"""Sites: one that the tests of a file share, or one of a test's own."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import controlplane
from cluster.controlplane import ControlPlane
from cluster.install import install
from integration.operator.fork_server import ForkServer
from integration.operator.programs import Executed, Programs
from integration.operator.site import Site


def _site(plane: ControlPlane, folder: Path, programs: Programs) -> Iterator[Site]:
    namespace = f"test-{secrets.token_hex(4)}"
    plane.admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    site = Site(plane, namespace, folder, programs)
    try:
        yield site
    finally:
        site.close()


@pytest.fixture(scope="module")
def site(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory, fork_server: ForkServer
) -> Iterator[Site]:
    yield from _site(control_plane, tmp_path_factory.mktemp("site"), fork_server)


@pytest.fixture
def alone(control_plane: ControlPlane, tmp_path: Path) -> Iterator[Site]:
    """A site on a control plane of its own, for an operator that sees every namespace."""
    with controlplane.control_plane(control_plane.binaries) as plane:
        install(plane.admin)
        plane.start_controllers()
        yield from _site(plane, tmp_path, Executed())


@pytest.fixture
def own_site(control_plane: ControlPlane, tmp_path: Path, fork_server: ForkServer) -> Iterator[Site]:
    yield from _site(control_plane, tmp_path, fork_server)
