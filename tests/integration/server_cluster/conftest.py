"""Servers as pods of a namespace, without a kubelet: the pod is an object, the process is ours."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cluster.controlplane import ControlPlane
from integration.cluster.objects import binding, pod
from integration.server.running import Running
from integration.server_cluster.forwarder import Forwarder
from linplane_api.kinds import CONFIG_MAP, POD, REPLICA_REPORT
from linplane_api.names import DEFAULT_SERVER, GROUP, LABEL_SERVER, routing_name, server_name
from linplane_api.routing import RoutingMap
from support import eventually

ACCOUNT = server_name(DEFAULT_SERVER)
ROUTING = routing_name(DEFAULT_SERVER)


class Site:
    """A namespace with the objects that the operator creates for a ModelServer: account, rights, and its routing
    ConfigMap.
    """

    def __init__(self, plane: ControlPlane, namespace: str, folder: Path, api: Forwarder) -> None:
        self.plane, self.admin, self.namespace, self.folder, self.api = plane, plane.admin, namespace, folder, api
        self.running: list[Running] = []
        self._make_rights()

    def _make_rights(self) -> None:
        rules = [
            {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [ROUTING], "verbs": ["get", "watch"]},
            {"apiGroups": [GROUP], "resources": ["replicareports"], "verbs": ["create", "patch"]},
        ]
        role = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": ACCOUNT},
            "rules": rules,
        }
        self.admin.create(role, self.namespace)
        self.admin.create(binding(ACCOUNT, ACCOUNT, self.namespace), self.namespace)

    def route(self, routing: RoutingMap) -> None:
        """Writes the routing ConfigMap."""
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": ROUTING, "labels": {LABEL_SERVER: DEFAULT_SERVER}},
            "data": routing.to_data(),
        }
        self.admin.apply(body, self.namespace, force=True)

    def routing_uid(self) -> str:
        return str(self.admin.get(CONFIG_MAP, ROUTING, self.namespace)["metadata"]["uid"])

    def make_pod(self) -> str:
        """The name of a new pod."""
        name = f"{ACCOUNT}-{secrets.token_hex(3)}"
        self.plane.token_for(ACCOUNT, self.namespace)  # makes the account
        self.admin.create(pod(name, ACCOUNT), self.namespace)
        return name

    def start(self, name: str, *, ready: bool = True) -> Running:
        """A container of that pod: its files are the pod's."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        uid = self.admin.get(POD, name, self.namespace)["metadata"]["uid"]
        token = folder / "token"
        token.write_text(self.plane.token_for(ACCOUNT, self.namespace, name))
        flags = [
            *("--kubernetes", "--namespace", self.namespace, "--pod-name", name, "--pod-uid", uid),
            *("--api-url", self.api.url, "--api-ca", str(self.plane.certificate), "--api-token-file", str(token)),
        ]
        self.running.append(Running(folder, *flags, ready=ready, report=False))
        return self.running[-1]

    def reported(self, name: str) -> dict[str, object]:
        """A pod's report; empty if there is none."""
        found = self.admin.find(REPLICA_REPORT, name, self.namespace)
        return found["report"] if found else {}

    def wait_for_report(self, name: str, sequence: int) -> dict[str, object]:
        def check() -> dict[str, object]:
            report = self.reported(name)
            assert report.get("sequence") == sequence, report
            return report

        return eventually(check)


@pytest.fixture
def site(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> Iterator[Site]:
    port = urlsplit(control_plane.server).port
    assert port
    api = Forwarder(port)
    result = Site(control_plane, namespace, tmp_path, api)
    yield result
    for running in result.running:
        running.stop()
    api.close()
