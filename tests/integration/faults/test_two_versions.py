"""An operator and a newer one at once, as during each upgrade: they agree, or write ever less often."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cluster.client import ApiError
from cluster.kinds import CRD
from integration.cluster.objects import route, version
from integration.faults.calls import Call
from integration.faults.crashes import Laboratory
from integration.faults.proxied_site import ProxiedSite
from integration.faults.proxy import Proxy
from integration.faults.workloads import TRAINING, all_is_well, by_hand, one_replica
from linplane_api.kinds import LINEAR_MODEL, MODEL_ROUTE
from support import eventually, sized

ROOT = Path(__file__).parents[3]
PACKAGES = ("crds/linplane_api", "operator/linplane_operator", "operator/linplane_cli")
CRD_NAME = "linearmodels.linplane.dev"
NEWER = {
    "linplane_api/resources.py": [
        ("    job: JobSettings | None = None\n", "    keep_sums: bool = False\n"),
        ("    trained_at: str | None = None\n", "    fitted_by: str | None = None\n"),
    ],
    "linplane_operator/compile/model_status.py": [
        ("        trained_at=file.trained_at,\n", "        fitted_by='QR',\n"),
    ],
}
"""One more field in the spec, with a default, and one more in the status: path -> a line, and what is put before it."""
OTHER_WORDS = {
    "linplane_operator/compile/model_plan.py": [
        ("    samples = verdict.file", "    verdict = replace(verdict, name=f'ConfigMap {verdict.name}')\n"),
    ],
}
"""A change of one condition's message."""

pytestmark = pytest.mark.timeout(420)


@dataclass(frozen=True)
class Size:
    """Seconds that both run undisturbed, and seconds of observation after that."""

    alone: float
    watched: float


SIZE = sized("size", short=Size(3, 4), full=Size(60, 60))


class Newer:
    """A modified copy of the operator, for the same namespace, behind its own proxy."""

    def __init__(self, laboratory: Laboratory, site: ProxiedSite, folder: Path, *changes: dict[str, Any]) -> None:
        self.log = folder / "newer.log"
        code = folder / "newer"
        for package in PACKAGES:
            shutil.copytree(ROOT / package, code / Path(package).name, ignore=shutil.ignore_patterns("__pycache__"))
        for path, edits in [item for change in changes for item in change.items()]:
            text = (code / path).read_text()
            for old, new in edits:
                assert text.count(old) == 1, (path, old)
                text = text.replace(old, new + old)
            (code / path).write_text(text)
        self.proxy = Proxy(laboratory.proxies, site.plane)
        kubeconfig = folder / "newer.kubeconfig"
        site.plane.write_kubeconfig(kubeconfig, site.token, self.proxy.url, site.namespace)
        with socket.create_server(("127.0.0.1", 0)) as sock:
            port = str(sock.getsockname()[1])
        command = [sys.executable, "-m", "linplane_cli", "operator", "--kubeconfig", str(kubeconfig)]
        command += ["--namespace", site.namespace, "--health-host", "127.0.0.1", "--health-port", port]
        with self.log.open("ab") as log:
            environment = {**os.environ, "PYTHONPATH": str(code)}
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.proxy.close()


@contextmanager
def newer_crd(site: ProxiedSite) -> Iterator[None]:
    """The CRD of the newer release, which is upgraded first."""
    before = site.admin.get(CRD, CRD_NAME)
    place = "/spec/versions/0/schema/openAPIV3Schema/properties"
    training = f"{place}/spec/properties/training/properties/keepSums"
    added = [
        {"op": "add", "path": training, "value": {"type": "boolean", "default": False}},
        {"op": "add", "path": f"{place}/status/properties/fittedBy", "value": {"type": "string"}},
    ]
    site.admin.patch(CRD, CRD_NAME, added)
    try:
        yield
    finally:
        site.admin.patch(CRD, CRD_NAME, {"spec": before["spec"]})
        eventually(lambda: is_listed(site), 30)


def is_listed(site: ProxiedSite) -> bool:
    """The API server has the CRD's storage ready again: for a moment after a change of it a LIST is 429."""
    try:
        site.admin.list(LINEAR_MODEL, site.namespace)
    except ApiError as error:
        if error.code == 429:
            return False
        raise
    return True


@contextmanager
def both(laboratory: Laboratory, folder: Path, *changes: dict[str, Any]) -> Iterator[tuple[ProxiedSite, Newer]]:
    """A trained and a hand-written version and a route, which the newer operator has reconciled."""
    site = laboratory.site(folder)
    try:
        site.apply(one_replica(), version("v1", training=TRAINING), *by_hand("v2"), route("v1"))
        all_is_well(site)
        with newer_crd(site):
            newer = Newer(laboratory, site, folder, *changes)
            try:
                eventually(lambda: fitted_by(site, "iris-v1") == fitted_by(site, "iris-v2") == "QR", 60)
                yield site, newer
            finally:
                newer.close()
    finally:
        site.close()


def fitted_by(site: ProxiedSite, name: str) -> object:
    """Sets a field that only the newer operator knows."""
    return site.get(LINEAR_MODEL, name)["status"].get("fittedBy")


def writes(site: ProxiedSite, newer: Newer) -> list[Call]:
    return [*site.proxy.writes(), *newer.proxy.writes()]


@SIZE
def test_operators_that_differ_by_a_field_do_not_contest(laboratory: Laboratory, tmp_path: Path, size: Size) -> None:
    """Trained versions stay, a switch takes effect, the newer one's fields stay; then neither writes."""
    with both(laboratory, tmp_path, NEWER) as (site, newer):
        digest = site.get(LINEAR_MODEL, "iris-v1")["status"]["digest"]
        for name in ("v2", "v1"):
            site.edit(MODEL_ROUTE, "iris", version=name)
            site.comes_to(MODEL_ROUTE, "iris", "Ready", "True")
        all_is_well(site)
        time.sleep(size.alone)
        before = len(writes(site, newer))
        time.sleep(size.watched)
        assert [call.what for call in writes(site, newer)[before:]] == []
        assert fitted_by(site, "iris-v1") == fitted_by(site, "iris-v2") == "QR"
        assert site.get(LINEAR_MODEL, "iris-v1")["status"]["digest"] == digest
        assert newer.process.poll() is None
        assert "Traceback" not in newer.log.read_text()
        assert site.tracebacks() == []


@SIZE
def test_contested_corrections_of_two_operators_back_off(laboratory: Laboratory, tmp_path: Path, size: Size) -> None:
    """Their messages of a condition differ. The backoff of each correction doubles; users' changes are not delayed."""
    with both(laboratory, tmp_path, NEWER, OTHER_WORDS) as (site, newer):
        began = time.monotonic()
        time.sleep(size.alone + size.watched)
        contested = [c for c in writes(site, newer) if c.changed and c.name == "iris-v1" and c.subresource == "status"]
        print(f"{len(contested)} writes of one status in {time.monotonic() - began:.0f} s")
        assert len(contested) < 20
        before = len(writes(site, newer))
        site.edit(MODEL_ROUTE, "iris", version="v2")
        site.comes_to(MODEL_ROUTE, "iris", "Ready", "True", timeout=10)
        assert site.versions("iris", {"x": 1.0}) == {"v2"}
        time.sleep(size.watched)
        assert len(writes(site, newer)) - before < 30
