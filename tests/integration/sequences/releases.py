"""Sequences in which a later release has written documents, or does not read the formats of this one."""

import json
from collections.abc import Callable

import later
from integration.operator.site import Object
from integration.sequences.stage import PATIENCE, Stage
from integration.sequences.switches import begin
from linplane_api.canonical import canonical_bytes, digest_of
from linplane_api.kinds import CONFIG_MAP, MODEL_ROUTE, MODEL_SERVER, REPLICA_REPORT
from support import eventually

KEY = "route.iris"
ROUTING = "linplane-routing-default"


def later_release_writes(stage: Stage, times: int) -> None:
    """Unknown fields, an unsupported format, and replicas that read another format."""
    begin(stage, versions=3, replicas=1)
    for _ in range(times):
        _unknown_fields(stage)
        _later_format(stage)
        _replica_of_another_format(stage)


def _unknown_fields(stage: Stage) -> None:
    """They cause no write, not even when the operator restarts; they are removed with the object they are in."""

    def grown(document: Object) -> None:
        document[later.FIELD] = "v9"
        document["versions"]["v1"]["units"] = "cm"

    text = _write(stage, grown)
    _revision_is(stage, _revision(text))
    stage.operator.kill()
    stage.start_operator()
    stage.edit("iris", service={"annotations": {"seen-by": "an operator that started"}})
    stage.ready("iris")
    assert _text(stage) == text
    stage.edit("iris", version="v2", split=[{"version": "v1", "percent": 10}])
    stage.ready("iris")
    document = json.loads(_text(stage))["document"]
    assert document[later.FIELD] == "v9"
    assert ("units" in document["versions"]["v1"], "units" in document["versions"]["v2"]) == (True, False)
    stage.edit("iris", version="v1", split=None)
    stage.ready("iris")
    stage.answered()


def _later_format(stage: Stage) -> None:
    """The document and its traffic stay, whatever the spec says, across a restart, and if a server joins."""
    readable = _text(stage)
    text = _write(stage, lambda document: document.update(format=later.FORMAT, shape="new"))
    message = _is_held(stage)
    assert message == (f"the document in force stays as it is: {later.not_supported('document')}")
    stage.edit("iris", version="v2")
    _is_held(stage)
    stage.operator.kill()
    stage.start_operator()
    stage.edit("iris", version="v3")
    _is_held(stage)
    assert stage.condition(MODEL_ROUTE, "iris", "Servable")[:2] == ("Unknown", "FormatNotSupported")
    assert stage.get(MODEL_ROUTE, "iris")["status"]["version"] == "v1"
    assert _text(stage) == text
    _a_server_that_joins_is_not_ready(stage)
    stage.answered()
    _put(stage, readable)
    stage.ready("iris")
    stage.servers(2)
    _replicas(stage, 1)
    stage.servers(1)
    stage.edit("iris", version="v1")
    stage.ready("iris")


def _a_server_that_joins_is_not_ready(stage: Stage) -> None:
    (first,) = stage.kubelet.servers()
    _replicas(stage, 2)

    def joined() -> bool:
        found = [c for c in list(stage.kubelet.containers.values()) if c.is_server and c.name != first.name]
        others = [container for container in found if container.process]
        assert len(others) == 1
        status, _, body = others[0].admin("GET", "/readyz")
        assert (status, f"route iris: {later.not_supported('document')}" in body.decode()) == (503, True)
        return True

    eventually(joined, PATIENCE, 0.1)
    assert stage.kubelet.servers() == [first]


def _replica_of_another_format(stage: Stage) -> None:
    """No document is written that a ready replica would not read."""
    (server,) = stage.kubelet.servers()
    text = _text(stage)
    stage.admin.patch(REPLICA_REPORT, server.name, {"report": {"formats": [2, 3], "sequence": 0}}, stage.namespace)
    stage.edit("iris", service={"annotations": {"seen-by": "an operator that reads the report again"}})
    stage.comes_to(MODEL_ROUTE, "iris", "Converged", "False", timeout=PATIENCE)  # the operator has seen the report
    stage.edit("iris", version="v2")
    assert _is_held(stage) == (
        f"{server.name} does not read documents of format 1, which this operator writes (it reads: 2 and 3); "
        "traffic stays as it is until every ready replica does"
    )
    assert _text(stage) == text
    stage.answered()
    stage.admin.patch(REPLICA_REPORT, server.name, {"report": {"formats": [1, 2]}}, stage.namespace)
    stage.ready("iris")
    stage.answered()
    stage.edit("iris", version="v1")
    stage.ready("iris")


def _is_held(stage: Stage) -> str:
    return stage.comes_to(MODEL_ROUTE, "iris", "Accepted", "False", "FormatNotSupported", PATIENCE)


def _replicas(stage: Stage, count: int) -> None:
    stage.admin.patch(MODEL_SERVER, "default", {"spec": {"replicas": count}}, stage.namespace)


def _text(stage: Stage) -> str:
    return str(stage.get(CONFIG_MAP, ROUTING)["data"][KEY])


def _revision(text: str) -> str:
    return str(json.loads(text)["revision"])


def _revision_is(stage: Stage, revision: str) -> None:
    def check() -> bool:
        status = stage.get(MODEL_ROUTE, "iris")["status"]
        assert stage.condition(MODEL_ROUTE, "iris", "Ready")[0] == "True", status["conditions"]
        return bool(status["revision"] == revision)

    eventually(check, PATIENCE, 0.05)


def _write(stage: Stage, change: Callable[[Object], object]) -> str:
    """Writes the current document with a change, as a later release's operator does. Returns the entry's text."""
    document = json.loads(_text(stage))["document"]
    change(document)
    return _put(stage, json.dumps({"document": document, "revision": digest_of(canonical_bytes(document))}))


def _put(stage: Stage, text: str) -> str:
    sequence = int(stage.get(CONFIG_MAP, ROUTING)["data"]["sequence"]) + 1
    text = canonical_bytes({**json.loads(text), "sequence": sequence}).decode()
    data = {KEY: text, "sequence": str(sequence)}
    stage.admin.patch(CONFIG_MAP, ROUTING, {"data": data}, stage.namespace)
    return text
