"""A control plane for many parallel sites only, as they leave hundreds of namespaces."""

from collections.abc import Iterator

import pytest

from cluster import controlplane
from cluster.install import install
from integration.conftest import control_plane_programs
from integration.faults.crashes import Laboratory
from integration.faults.proxy import Proxies
from integration.operator.fork_server import ForkServer

SITES = 7  # as many as keep two cores busy: each waits for half of its time


@pytest.fixture(scope="package")
def laboratory(fork_server: ForkServer) -> Iterator[Laboratory]:
    with controlplane.control_plane(control_plane_programs()) as plane:
        install(plane.admin)
        plane.start_controllers()
        proxies = Proxies()
        laboratory = Laboratory(plane, fork_server, proxies, SITES)
        try:
            yield laboratory
        finally:
            laboratory.close()
            proxies.close()
