"""Checks the end of a sequence: spec, status, the reports of the servers and their answers agree."""

import time
from functools import partial

from integration.operator.site import Object
from integration.sequences.stage import PATIENCE, Stage
from linplane_api.kinds import CONFIG_MAP, MODEL_ROUTE, MODEL_SERVER, REPLICA_REPORT
from linplane_api.names import route_key, routing_name
from linplane_api.routing import parse_entry
from support import eventually


def all_agree(stage: Stage) -> None:
    """Checks spec, status, routing document, reports and answers of each route."""
    found = stage.admin.list(MODEL_ROUTE, stage.namespace)
    assert {body["metadata"]["name"] for body in found} == set(stage.load.routes)
    for name in stage.load.routes:
        eventually(partial(status_is_as_desired, stage, name), PATIENCE, 0.1)
        answers_match_status(stage, name)


def status_is_as_desired(stage: Stage, name: str) -> Object:
    """The status of a route; checks that it is Ready and agrees with the spec."""
    route = stage.get(MODEL_ROUTE, name)
    spec, status = route["spec"], route["status"]
    assert stage.condition(MODEL_ROUTE, name, "Ready")[0] == "True", status["conditions"]
    candidates = {item["version"]: float(item["percent"]) for item in spec.get("split") or ()}
    wanted = {spec["version"]: 100.0 - sum(candidates.values()), **candidates}
    assert status["version"] == spec["version"]
    assert {item["version"]: float(item["percent"]) for item in status["traffic"]} == wanted
    return dict(status)


def answers_match_status(stage: Stage, name: str) -> None:
    """Checks that the document, the report of each pod, and each answer from now on agree with the status."""
    route = stage.get(MODEL_ROUTE, name)
    status, server = route["status"], route["spec"].get("serverName", "default")
    routing = stage.get(CONFIG_MAP, routing_name(server))
    entry = parse_entry(routing["data"][route_key(name)])
    assert (entry.revision, entry.sequence) == (status["revision"], status["sequence"])
    assert entry.document.current == status["version"]
    eventually(partial(_reports_agree, stage, server, routing["metadata"]["uid"], status["sequence"]), PATIENCE, 0.2)
    served = {item["version"] for item in status["traffic"] if float(item["percent"])}
    since = time.monotonic()
    stage.answered(since=since)
    recent = [a for a in stage.load.answers if a.route == name and a.began >= since]
    assert {(a.revision, a.version in served) for a in recent} == {(status["revision"], True)}


def _reports_agree(stage: Stage, server: str, routing_uid: str, sequence: int) -> bool:
    """Exactly the ready pods have reported the routing ConfigMap."""
    found = stage.admin.list(REPLICA_REPORT, stage.namespace)
    reports = {body["metadata"]["name"]: body["report"] for body in found if body["report"]["serverName"] == server}
    ready = {container.name: container.uid for container in stage.kubelet.servers()}
    assert {pod: report["podUID"] for pod, report in reports.items()} == ready
    assert len(ready) == stage.get(MODEL_SERVER, server)["spec"].get("replicas", 2)
    for report in reports.values():
        assert report["configMapUID"] == routing_uid
        assert report["sequence"] >= sequence
        assert not report.get("rejectedCount")
    return True
