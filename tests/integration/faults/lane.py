"""A namespace of its own with an operator behind a proxy: many of them run side by side on one control plane."""

import os
import secrets
import socket
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from cluster.client import Client
from cluster.controlplane import ControlPlane
from integration.faults.forkery import Forked, Forkery
from integration.faults.proxy import Proxies, Proxy
from integration.operator.kubelet import Kubelet
from integration.operator.site import ACCOUNT, Operator, Site, give_rights


class ForkedKubelet(Kubelet):
    """The same programs, started faster."""

    forkery: Forkery

    def run(self, module: str, arguments: list[str], environment: Mapping[str, str], log: Path, fds: list[int]) -> Any:
        return self.forkery.start(module, arguments, environment, log, fds)


class ForkedOperator(Operator):
    """The same for `linplane operator`."""

    def __init__(self, forkery: Forkery, kubeconfig: Path, log: Path, *flags: str) -> None:
        self.log = log
        with socket.create_server(("127.0.0.1", 0)) as sock:
            self.health_port = sock.getsockname()[1]
        command = ["operator", "--kubeconfig", str(kubeconfig), *flags]
        command += ["--health-host", "127.0.0.1", "--health-port", str(self.health_port)]
        self.process: Any = forkery.start("linplane_cli", command, dict(os.environ), log)
        self.forked: Forked = self.process

    def kill(self) -> None:
        super().kill()
        self.forked.stdin.close()


class Lane(Site):
    """A site whose operator sees the API server through `proxy` alone."""

    def __init__(
        self, plane: ControlPlane, forkery: Forkery, proxies: Proxies, folder: Path, *, tls: bool = False
    ) -> None:
        self.plane, self.folder = plane, folder
        self.namespace = f"lane-{secrets.token_hex(4)}"
        self._forkery = forkery
        self._ends = ExitStack()
        self.admin = Client(plane.server, str(plane.certificate), plane.admin.token)
        self._ends.callback(self.admin.close)
        self.admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})
        self.proxy = Proxy(proxies, plane, tls=tls)
        self._ends.callback(self.proxy.close)
        self.token = plane.token_for(ACCOUNT, self.namespace)
        self.kubeconfig = folder / "operator.kubeconfig"
        plane.write_kubeconfig(self.kubeconfig, self.token, self.proxy.url, self.namespace)
        give_rights(self.admin, self.namespace, ACCOUNT)
        (folder / "pods").mkdir()
        ForkedKubelet.forkery = forkery
        self.kubelet = ForkedKubelet(plane, self.namespace, folder / "pods", dict(os.environ))
        self._ends.callback(self.kubelet.stop)
        self.starts = 0
        self._lock = threading.Lock()
        self.restarting = False
        self._closed = False
        self.operator = self.start_operator()

    def start_operator(self, *, everywhere: bool = False) -> Operator:
        assert not everywhere
        self.starts += 1
        flags = ("--namespace", self.namespace)
        self.operator = ForkedOperator(self._forkery, self.kubeconfig, self.folder / "operator.log", *flags)
        return self.operator

    def crash(self) -> None:
        """Kills the operator at once; another one starts as soon as it is dead."""
        operator, self.restarting = self.operator, True
        operator.process.kill()
        threading.Thread(target=self._restart, args=(operator,), daemon=True).start()

    def _restart(self, operator: Operator) -> None:
        with self._lock:
            operator.kill()
            if not self._closed:
                self.start_operator()
            self.restarting = False

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self.operator.kill()
        self._ends.close()

    # ---- what users do ----

    def edit(self, kind: Any, name: str, **spec: object) -> None:
        """A merge patch of the spec."""
        self.admin.patch(kind, name, {"spec": spec}, self.namespace)

    # ---- what is seen ----

    def tracebacks(self) -> list[str]:
        """Exceptions that the operator did not expect, and lines that are no log lines."""
        lines = self.operator.log.read_text().splitlines()
        return [line for line in lines if not line.startswith("{") or '"exception"' in line or "Traceback" in line]
