"""Sequences in which versions, routes and servers are deleted and recreated, or created in the wrong order."""

import json
import math
import time
from collections.abc import Callable

import pytest

from cluster.client import ApiError
from cluster.kinds import EVENT
from integration.cluster.objects import Object
from integration.cluster.objects import route as route_object
from integration.sequences.judging import NO_SERVER
from integration.sequences.lines import by_hand, data, simple, trained
from integration.sequences.stage import PATIENCE, Stage
from linplane_api.kinds import CONFIG_MAP, JOB, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER
from linplane_api.names import API_VERSION
from support import eventually

CREATIONS = 5


def begin(stage: Stage) -> None:
    """A route on a trained v1, under constant load."""
    stage.serve()
    stage.train("iris", "v1", data(0))
    stage.route("iris", "v1")
    stage.ready("iris")
    stage.start_load("iris")
    stage.answered()


def deleted_and_made_again(stage: Stage, times: int) -> None:
    begin(stage)
    for number in range(1, times + 1):

        def again(number: int = number) -> None:
            stage.remove("iris-v1")
            stage.answered()
            stage.train("iris", "v1", data(number))

        _values_change(stage, again)


def replaced_by_force(stage: Stage, times: int) -> None:
    begin(stage)
    for number in range(1, times + 1):

        def again(number: int = number) -> None:
            rows = data(number)
            stage.means("iris", "v1", rows.line)
            source, version = trained("iris", "v1", rows)
            stage.apply(source)
            stage.kubectl("replace", "--force", "-f", "-", stdin=json.dumps(version))

        _values_change(stage, again)


def _values_change(stage: Stage, make_again: Callable[[], None]) -> None:
    """Predictions of the old weights, then of the new ones; no failure in between."""
    old = stage.facts.meanings[-1]
    before = stage.get(MODEL_ROUTE, "iris")["status"]
    digest = stage.get(LINEAR_MODEL, "iris-v1")["status"]["digest"]
    make_again()
    _another_revision(stage, "iris", before["revision"])
    old.until = time.monotonic()
    stage.answered()
    _is_told(stage, f"v1 was made again: {digest} -> {stage.get(LINEAR_MODEL, 'iris-v1')['status']['digest']}")


def _is_told(stage: Stage, reason: str) -> None:
    """The status's log of switches and an Event report it."""
    last = stage.get(MODEL_ROUTE, "iris")["status"]["switches"][-1]
    assert (last["from"], last["to"], last["reason"]) == ("v1", "v1", reason)

    def event() -> bool:
        return any(reason in body["message"] for body in stage.admin.list(EVENT, stage.namespace))

    eventually(event, PATIENCE, 0.2)


def _another_revision(stage: Stage, route: str, before: str) -> None:
    def check() -> bool:
        status = stage.get(MODEL_ROUTE, route)["status"]
        assert stage.condition(MODEL_ROUTE, route, "Ready")[0] == "True", status["conditions"]
        return bool(status["revision"] != before)

    eventually(check, PATIENCE, 0.05)


def one_name_without_waiting(stage: Stage, times: int) -> None:
    """Creates and deletes it repeatedly; the last one counts, and nothing of the earlier ones remains."""
    begin(stage)
    for number in range(times):
        before = stage.get(MODEL_ROUTE, "iris")["status"]["revision"]
        known = len(stage.facts.meanings)
        for creation in range(CREATIONS):
            stage.remove("iris-v1")
            stage.train("iris", "v1", data(1 + number * CREATIONS + creation))
        stage.version_ready("iris-v1")
        _another_revision(stage, "iris", before)
        _last_is_served(stage)
        for meaning in stage.facts.meanings[: known + CREATIONS - 1]:
            meaning.until = min(meaning.until, time.monotonic())
        stage.answered()
        eventually(lambda: _nothing_is_left(stage), PATIENCE, 0.2)


def _last_is_served(stage: Stage) -> None:
    """An earlier one may have been Ready for a moment: the route follows it, and then the last one."""
    line, rows = stage.facts.meanings[-1].line, stage.load.rows

    def check() -> bool:
        since = time.monotonic()
        stage.answered(since=since)
        recent = [a for a in stage.load.answers if a.began >= since]
        return all(a.row in rows and line.gives(a.row, a.prediction) for a in recent)

    eventually(check, PATIENCE)


def _nothing_is_left(stage: Stage) -> bool:
    """Each Job and result belongs to a version that exists."""
    versions = {body["metadata"]["uid"] for body in stage.admin.list(LINEAR_MODEL, stage.namespace)}
    children = [*stage.admin.list(JOB, stage.namespace), *stage.admin.list(CONFIG_MAP, stage.namespace)]
    owners = [owner for body in children for owner in body["metadata"].get("ownerReferences", ())]
    found = [owner["uid"] for owner in owners if owner["kind"] == "LinearModel"]
    assert set(found) == versions
    return len(stage.admin.list(JOB, stage.namespace)) == len(versions)


def wrong_order(stage: Stage, times: int) -> None:
    """Five routes, ten versions (so many of them trained), their data, a server: in one `kubectl apply`."""
    names = [f"model-{number}" for number in range(5)]
    split = [{"version": "v2", "percent": 50}]
    routes: list[Object] = [route_object("v1", name=name, model=name) for name in names]
    for body in routes:
        body["spec"]["split"] = split
    sources, versions = [], []
    for number in range(10):
        model, version = names[number % 5], f"v{number // 5 + 1}"
        rows = data(number)
        line = rows.line if number < times else simple(number + 2)
        stage.means(model, version, line)
        pair = trained(model, version, rows) if number < times else by_hand(model, version, line)
        sources.append(pair[0])
        versions.append(pair[1])
    server = {"apiVersion": API_VERSION, "kind": "ModelServer", "metadata": {"name": "default"}}
    bodies = [*routes, *versions, *sources, {**server, "spec": {"replicas": 2}}]
    with stage.expected(NO_SERVER, 404, 503):
        stage.start_load(*names)
        stage.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": bodies}))
        stage.servers(2)
        stage.ready(*names)
    since = time.monotonic()
    eventually(lambda: len([a for a in stage.load.answers if a.began > since]) >= 200, 60)
    by_version = [a.version for a in stage.load.answers if a.began > since]
    first, total = by_version.count("v1"), len(by_version)
    stage.figures.append(f"{first} of {total} answers by v1, at a split of 50 %")
    assert abs(first - total / 2) < 5 * math.sqrt(total) / 2


def server_is_deleted(stage: Stage, times: int) -> None:
    """Changes of immutable fields are refused by name; a route without its server says so, and recovers with it."""
    stage.serve(name="blue")
    stage.give("iris", "v1", simple(1))
    stage.route("iris", "v1", serverName="blue")
    stage.ready("iris")
    stage.start_load("iris")
    stage.answered()
    for field, value in (("serverName", "default"), ("model", "other")):
        with pytest.raises(ApiError, match=field) as refused:
            stage.edit("iris", **{field: value})
        assert refused.value.code == 422
    for _ in range(times):
        with stage.expected(NO_SERVER):
            stage.admin.delete(MODEL_SERVER, "blue", stage.namespace)
            stage.comes_to(MODEL_ROUTE, "iris", "Accepted", "False", "ServerNotFound", PATIENCE)
            message = stage.comes_to(MODEL_ROUTE, "iris", "Servable", "False", "ServerNotFound", PATIENCE)
            assert message == "ModelServer blue is gone; nothing answers for this route"
            eventually(lambda: not stage.kubelet.containers, PATIENCE)
            stage.serve(name="blue")
            stage.servers(1)
        stage.ready("iris")
        stage.answered()


def route_changes_its_model(stage: Stage, times: int) -> None:
    """Deletes routes and recreates them for another model at once."""
    stage.serve()
    lines = {"oak": simple(1), "elm": simple(2)}
    for model, line in lines.items():
        stage.apply(*by_hand(model, "v1", line))
        stage.version_ready(f"{model}-v1")
    meaning = stage.means("oak", "v1", lines["oak"], "tree")
    stage.route("tree", "v1", model="oak")
    stage.ready("tree")
    stage.start_load("tree")
    stage.answered()
    for number in range(times):
        model = ("elm", "oak")[number % 2]
        following = stage.means(model, "v1", lines[model], "tree")
        with stage.expected(404):
            stage.admin.delete(MODEL_ROUTE, "tree", stage.namespace)
            stage.route("tree", "v1", model=model)
            stage.ready("tree")
        meaning.until, meaning = time.monotonic(), following
        stage.answered()
