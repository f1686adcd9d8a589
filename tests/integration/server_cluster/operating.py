"""A substitute for the operator: sets the status of each object as if its spec were in effect."""

import threading
from typing import Any

from cluster.client import ApiError, Client
from linplane_api.kinds import LINEAR_MODEL, MODEL_ROUTE, Kind

NOW = "2026-01-01T00:00:00Z"


class Operating:
    """Runs in a thread until it is stopped."""

    def __init__(self, admin: Client, namespace: str) -> None:
        self._client = Client(admin.server, admin._authority, admin.token)
        self._namespace = namespace
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()
        self._client.close()

    def _run(self) -> None:
        while not self._ended.wait(0.02):
            for kind in (LINEAR_MODEL, MODEL_ROUTE):
                for found in self._client.list(kind, self._namespace):
                    if found.get("status", {}).get("observedGeneration") != found["metadata"]["generation"]:
                        self._observe(kind, found)

    def _observe(self, kind: Kind, found: dict[str, Any]) -> None:
        frozen = found["spec"].get("frozen") is True
        held = {"Ready": True, "Withdrawn": frozen} if kind is LINEAR_MODEL else {"Accepted": True, "Converged": True}
        generation = found["metadata"]["generation"]
        conditions = [
            {"type": name, "status": str(value), "reason": "Seen", "message": "", "observedGeneration": generation,
             "lastTransitionTime": NOW}
            for name, value in held.items()
        ]  # fmt: skip
        status = {"observedGeneration": generation, "conditions": conditions}
        try:
            self._client.patch(kind, found["metadata"]["name"], {"status": status}, self._namespace, "status")
        except ApiError:
            return
