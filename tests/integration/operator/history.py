"""Everything that a namespace's routes, routing ConfigMap, pods and reports went through, and what must hold of it.

resourceVersions give one order of all writes.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from cluster.client import path
from integration.operator.site import Site
from linplane_api.kinds import CONFIG_MAP, MODEL_ROUTE, POD, REPLICA_REPORT, Kind
from linplane_api.names import SEQUENCE_KEY, route_key, routing_name
from linplane_api.routing import parse_entry
from support import eventually

Object = dict[str, Any]
QUERIES = {
    MODEL_ROUTE: "",
    CONFIG_MAP: f"&fieldSelector=metadata.name%3D{routing_name('default')}",
    REPLICA_REPORT: "",
    POD: "&labelSelector=app.kubernetes.io/component%3Dserver",
}


class Write(NamedTuple):
    """One state of an object."""

    version: int
    gone: bool
    body: Object


History = dict[Kind, list[Write]]


@contextmanager
def recorded(site: Site, folder: Path) -> Iterator[History]:
    """Filled at the end."""
    history: History = {}
    files = {kind: folder / f"{kind.plural}.json" for kind in QUERIES}
    with ExitStack() as stack:
        for kind, query in QUERIES.items():
            where = f"{path(kind, site.namespace)}?watch=true{query}"
            argv = [str(site.plane.binaries["kubectl"]), "--kubeconfig", str(site.plane.kubeconfig), "get", "--raw"]
            out = stack.enter_context(files[kind].open("wb"))
            watch = stack.enter_context(subprocess.Popen([*argv, where], stdout=out))
            stack.callback(watch.terminate)
        eventually(lambda: all(file.stat().st_size for file in files.values()))
        yield history
        mark = site.admin.patch(MODEL_ROUTE, "iris", {"metadata": {"annotations": {"end": "1"}}}, site.namespace)
        eventually(lambda: mark["metadata"]["resourceVersion"] in files[MODEL_ROUTE].read_text())
    for kind, file in files.items():
        events = [json.loads(line) for line in file.read_text().splitlines() if line.endswith("}")]
        history[kind] = [
            Write(int(e["object"]["metadata"]["resourceVersion"]), e["type"] == "DELETED", e["object"]) for e in events
        ]


def check_unique_sequences(history: History) -> int:
    """Nor goes back. Gives how many ConfigMaps there were."""
    contents: dict[tuple[str, int], Object] = {}
    last: dict[str, int] = {}
    for _, _, body in history[CONFIG_MAP]:
        uid, sequence = body["metadata"]["uid"], int(body["data"][SEQUENCE_KEY])
        assert contents.setdefault((uid, sequence), body["data"]) == body["data"]
        assert sequence >= last.get(uid, 0)
        last[uid] = sequence
    print(f"{len(contents)} sequences of {len(last)} ConfigMaps")
    return len(last)


def check_confirmations(history: History, route: str) -> int:
    """Whenever the route said Converged, each ready pod had reported its document before, by the ConfigMap's UID. A pod
    that joined since then was not ready without it. Gives how often it said so.
    """
    said = [write for write in history[MODEL_ROUTE] if not write.gone and _converged(write.body)]
    for version, _, body in said:
        document = _document(history, route, version, body["status"])
        assert document, (version, body["status"])
        uid = document.body["metadata"]["uid"]
        for pod in _ready(history, version) & _ready(history, document.version):
            reports = [w.body["report"] for w in history[REPLICA_REPORT] if w.version < version]
            own = [r for r in reports if r["podUID"] == pod and r["configMapUID"] == uid]
            assert any(r["sequence"] >= body["status"]["sequence"] for r in own), (version, uid, reports[-4:], body)
    return len(said)


def _converged(body: Object) -> bool:
    conditions = (body.get("status") or {}).get("conditions") or ()
    now = [c for c in conditions if c["observedGeneration"] == body["metadata"]["generation"]]
    return any(c["type"] == "Converged" and c["status"] == "True" for c in now)


def _document(history: History, route: str, version: int, status: Object) -> Write | None:
    """The write by which the document that a status speaks of came in last."""
    for write in reversed([w for w in history[CONFIG_MAP] if w.version < version and not w.gone]):
        entry = parse_entry(write.body["data"][route_key(route)])
        if (entry.revision, entry.sequence) == (status["revision"], status["sequence"]):
            return write
    return None


def _ready(history: History, version: int) -> set[str]:
    """The UIDs of the pods that got requests."""
    last = {w.body["metadata"]["uid"]: w for w in history[POD] if w.version < version}
    return {uid for uid, w in last.items() if not w.gone and is_ready(w.body)}


def is_ready(pod: Object) -> bool:
    """It gets requests, and is there to stay."""
    conditions = {c["type"]: c["status"] for c in pod["status"].get("conditions") or ()}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]
