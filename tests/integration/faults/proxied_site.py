"""A namespace with an operator behind a proxy: many of them run in parallel on one control plane."""

import secrets
import threading
from pathlib import Path
from typing import Any

from cluster.controlplane import ControlPlane
from integration.faults.proxy import Proxies, Proxy
from integration.operator.programs import Programs
from integration.operator.site import Operator, Site


class ProxiedSite(Site):
    """A site whose operator reaches the API server through `proxy` only. It looks less often, as many run at once."""

    pause = 0.1

    def __init__(
        self, plane: ControlPlane, programs: Programs, proxies: Proxies, folder: Path, *, tls: bool = False
    ) -> None:
        namespace = f"site-{secrets.token_hex(4)}"
        plane.admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        self.proxy = Proxy(proxies, plane, tls=tls)
        self.starts = 0
        self._lock = threading.Lock()
        self.restarting = False
        self._closed = False
        super().__init__(plane, namespace, folder, programs, api_url=self.proxy.url)
        self.kubelet.pause, self.kubelet.probe_seconds = 0.1, 0.2

    def start_operator(self, *more: str, everywhere: bool = False, through: str = "") -> Operator:
        self.starts += 1
        return super().start_operator(*more, everywhere=everywhere, through=through)

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
        super().close()
        self.proxy.close()

    # ---- actions of users ----

    def edit(self, kind: Any, name: str, **spec: object) -> None:
        """A merge patch of the spec."""
        self.admin.patch(kind, name, {"spec": spec}, self.namespace)
