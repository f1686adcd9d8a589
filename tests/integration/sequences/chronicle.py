"""The history of objects of some kinds in a whole cluster, from one watch per kind."""

import time
from collections import defaultdict
from functools import partial
from typing import Any, NamedTuple

from cluster.controlplane import ControlPlane
from cluster.watching import Event, Watching
from linplane_api.kinds import CONFIG_MAP, LINEAR_MODEL, MODEL_ROUTE, Kind
from linplane_api.names import routing_name

QUERIES = {
    LINEAR_MODEL: "",
    MODEL_ROUTE: "",
    CONFIG_MAP: f"&fieldSelector=metadata.name%3D{routing_name('default')}",
}


class Seen(NamedTuple):
    """One state of an object, and when the watch delivered it (seconds)."""

    at: float
    gone: bool
    body: dict[str, Any]


class Chronicle:
    """Starts with the existing objects. Its lists only grow, so they may be read while it runs."""

    def __init__(self, plane: ControlPlane) -> None:
        self._seen: dict[tuple[Kind, str], list[Seen]] = defaultdict(list)
        self._watches = [
            Watching(plane, kind, None, partial(self._note, kind), query) for kind, query in QUERIES.items()
        ]

    def of(self, kind: Kind, namespace: str) -> list[Seen]:
        return self._seen[kind, namespace]

    def close(self) -> None:
        for watch in self._watches:
            watch.close()

    def _note(self, kind: Kind, event: Event) -> None:
        body = event["object"]
        seen = Seen(time.monotonic(), event["type"] == "DELETED", body)
        self._seen[kind, body["metadata"]["namespace"]].append(seen)
