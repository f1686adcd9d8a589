"""A control plane for many parallel lanes only, as they leave hundreds of namespaces."""

from collections.abc import Iterator

import pytest

from cluster import controlplane
from cluster.install import install
from integration.conftest import control_plane_programs
from integration.faults.crashes import Laboratory
from integration.faults.proxy import Proxies
from integration.operator.forkery import Forkery

LANES = 5


@pytest.fixture(scope="package")
def laboratory(forkery: Forkery) -> Iterator[Laboratory]:
    with controlplane.control_plane(control_plane_programs()) as plane:
        install(plane.admin)
        plane.start_controllers()
        proxies = Proxies()
        laboratory = Laboratory(plane, forkery, proxies, LANES)
        try:
            yield laboratory
        finally:
            laboratory.close()
            proxies.close()
