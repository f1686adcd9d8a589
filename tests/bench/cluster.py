"""A control plane and a site for one benchmark."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.binaries import find_binaries
from cluster.controlplane import control_plane
from cluster.install import install
from integration.operator.programs import Executed
from integration.operator.site import Site

NAMESPACE = "bench"


@contextmanager
def site_of_its_own() -> Iterator[Site]:
    """A site on a control plane that nothing else uses."""
    with control_plane(find_binaries(obtain=True)) as plane, tempfile.TemporaryDirectory() as folder:
        install(plane.admin)
        plane.start_controllers()
        plane.admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        site = Site(plane, NAMESPACE, Path(folder), Executed())
        try:
            yield site
        finally:
            site.close()
