"""A control plane with nothing on it but the chart's objects."""

from collections.abc import Iterator

import pytest

from chart.install import manifest
from cluster import controlplane
from cluster.controlplane import ControlPlane


@pytest.fixture(scope="module")
def installed(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """A second control plane, as CRDs and policies are cluster-scoped; the first only provides the programs' paths."""
    with controlplane.control_plane(control_plane.binaries) as plane:
        plane.start_controllers()
        plane.kubectl("apply", "--server-side", "-f", "-", stdin=manifest())
        plane.kubectl("wait", "crd", "--all", "--for=condition=Established", "--timeout=60s")
        yield plane
