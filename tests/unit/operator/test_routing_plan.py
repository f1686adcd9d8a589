"""The plan of a routing ConfigMap: in which situation it is written, how, and with what."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

import later
from linplane_api import names
from linplane_api.canonical import canonical_bytes, digest_of
from linplane_api.conditions import Cause, Reason
from linplane_api.kinds import LINEAR_MODEL, MODEL_ROUTE
from linplane_api.routing import RoutingMap, make_entry
from linplane_operator.compile.observed import ConfigMap
from linplane_operator.compile.outcome import DONE, Applied, Result
from linplane_operator.compile.routing_map import Wanted, placed
from linplane_operator.compile.routing_plan import (
    CONFIRMED,
    RoutingInputs,
    RoutingMemory,
    RoutingPlan,
    Write,
    plan_routing,
    remember,
    waiting_routes,
)
from linplane_operator.compile.routing_view import Routing, read_routing
from linplane_operator.compile.server import make_default_server, make_routing
from linplane_operator.compile.settings import GRACE_SECONDS
from unit.operator.builders import NOW, document, model_route, pod, replicas, report, with_meta


def later_text(sequence: int) -> str:
    """The entry of a later release."""
    document = {"format": later.FORMAT, "model": "homes", "route": "homes"}
    revision = digest_of(canonical_bytes(document))
    return canonical_bytes({"document": document, "revision": revision, "sequence": sequence}).decode()


SERVER = with_meta(make_default_server("default"), uid="server")
HOMES, OFFICES, OTHER = (make_entry(document(route=name)) for name in ("homes", "offices", "other"))
CHANGED = make_entry(document("v2", weights={"v2": 3.0}))
LATER = later_text(7)
OLD_REPLICA = replicas([pod()], [report(formats=[2])])
REFUSED = Cause(Reason.CHILD_REFUSED, "quota")


def routing(entries: Mapping[str, Any], sequence: int = 5, **fields: Any) -> Routing:
    """A routing ConfigMap with entries, or texts that are none."""
    texts = {name: entry if isinstance(entry, str) else placed(entry, sequence) for name, entry in entries.items()}
    body = with_meta(make_routing(SERVER, RoutingMap("map", sequence, texts).to_data()), uid="map")
    return read_routing(ConfigMap.of({**body, **fields}), None)


def wanted(**entries: Any) -> dict[str, Wanted]:
    """The entries of routes that are all readable."""
    return {name: Wanted(entry, "2026-03-01T10:00:00Z") for name, entry in entries.items()}


def lost(**entries: Any) -> dict[str, Wanted]:
    """The same of routes whose weights are not known now."""
    return {name: replace(want, missing=True) for name, want in wanted(**entries).items()}


def inputs(**fields: Any) -> RoutingInputs:
    """A server whose one route is in force, unless `fields` say otherwise."""
    usual = {
        "routing": routing({"homes": HOMES}),
        "orphan": None,
        "is_taken": False,
        "wanted": wanted(homes=HOMES),
        "live": {},
        "replicas": replicas([pod()], [report()]),
        "memory": RoutingMemory(),
        "now": NOW,
    }
    given = usual | fields
    return RoutingInputs(SERVER, **{"routes": given["wanted"].keys(), **given})


class Situation(NamedTuple):
    """Inputs and the expected plan; `routes` maps the routes in the data to their sequences."""

    name: str
    inputs: RoutingInputs
    write: Write
    routes: Mapping[str, int] = MappingProxyType({})
    changed: tuple[str, ...] = ()
    result: Result = DONE
    reason: Reason | None = None


WAITED = RoutingMemory(missing_since=NOW - timedelta(seconds=50))
TOO_LONG = RoutingMemory(missing_since=NOW - timedelta(seconds=61))
TURNED_BACK = RoutingMemory(missing_since=NOW + timedelta(seconds=9))
BOTH = {"homes": HOMES, "offices": OFFICES}
NONE = {"routing": None}
ABSENT = {**NONE, "wanted": wanted(**BOTH)}

SITUATIONS = (
    Situation("in force", inputs(), Write.NOTHING),
    Situation("absent", inputs(**NONE), Write.CREATE, {"homes": 1}, ("homes",)),
    Situation("absent, no route", inputs(**NONE, wanted={}), Write.CREATE),
    Situation("changed", inputs(wanted=wanted(homes=CHANGED)), Write.REPLACE, {"homes": 6}, ("homes",)),
    Situation("new route", inputs(wanted=wanted(**BOTH)), Write.REPLACE, {"homes": 5, "offices": 6}, ("offices",)),
    Situation("damaged entry", inputs(routing=routing({"homes": "{}"})), Write.REPLACE, {"homes": 6}, ("homes",)),
    Situation("gone route", inputs(routing=routing(BOTH), live={"offices": None}), Write.REPLACE, {"homes": 5}),
    Situation(
        "route that goes",
        inputs(routing=routing(BOTH), live={"offices": with_meta(model_route(), deletionTimestamp="t")}),
        Write.REPLACE,
        {"homes": 5},
    ),
    Situation(
        "route of another server",
        inputs(routing=routing(BOTH), live={"offices": model_route(serverName="gpu")}),
        Write.REPLACE,
        {"homes": 5},
    ),
    Situation("route not cached", inputs(routing=routing(BOTH), live={"offices": model_route()}), Write.NOTHING),
    Situation("unreadable route", inputs(routing=routing(BOTH), routes=set(BOTH)), Write.NOTHING),
    Situation("taken", inputs(**NONE, is_taken=True), Write.CREATE, {"homes": 1}, ("homes",)),
    Situation("orphan", inputs(**NONE, orphan=routing({"homes": HOMES})), Write.ADOPT, {"homes": 6}, ("homes",)),
    Situation("immutable, in force", inputs(routing=routing({"homes": HOMES}, immutable=True)), Write.NOTHING),
    Situation(
        "immutable, changed",
        inputs(routing=routing({"homes": HOMES}, immutable=True), wanted=wanted(homes=CHANGED)),
        Write.NOTHING,
        reason=Reason.CHILD_REFUSED,
    ),
    Situation(
        "immutable orphan",
        inputs(**NONE, orphan=routing({"homes": HOMES}, immutable=True)),
        Write.NOTHING,
        reason=Reason.CHILD_REFUSED,
    ),
    Situation("later format in force", inputs(routing=routing({"homes": LATER})), Write.NOTHING),
    Situation("later format of an orphan", inputs(**NONE, orphan=routing({"homes": LATER})), Write.ADOPT, {"homes": 7}),
    Situation("replica behind", inputs(wanted=wanted(homes=CHANGED), replicas=OLD_REPLICA), Write.NOTHING),
    Situation("replica behind, absent", inputs(**NONE, replicas=OLD_REPLICA), Write.NOTHING),
    Situation("replica behind, taken", inputs(**NONE, is_taken=True, replicas=OLD_REPLICA), Write.CREATE),
    Situation("weights unknown", inputs(**NONE, wanted=lost(homes=HOMES)), Write.NOTHING, result=Result(GRACE_SECONDS)),
    Situation(
        "weights unknown of one of two",
        inputs(**NONE, wanted={**wanted(offices=OFFICES), **lost(homes=HOMES)}),
        Write.NOTHING,
        result=Result(GRACE_SECONDS),
    ),
    Situation(
        "weights unknown for a while",
        inputs(**NONE, wanted=lost(homes=HOMES), memory=WAITED),
        Write.NOTHING,
        result=Result(10.0),
    ),
    Situation(
        "weights unknown for too long",
        inputs(**NONE, wanted=lost(homes=HOMES), memory=TOO_LONG),
        Write.CREATE,
        {"homes": 1},
        ("homes",),
    ),
    Situation(
        "weights unknown, clock set back",
        inputs(**NONE, wanted=lost(homes=HOMES), memory=TURNED_BACK),
        Write.CREATE,
        {"homes": 1},
        ("homes",),
    ),
    Situation(
        "weights unknown, given up",
        inputs(**NONE, wanted=lost(homes=HOMES), memory=RoutingMemory(given_up=frozenset({"homes"}))),
        Write.CREATE,
        {"homes": 1},
        ("homes",),
    ),
    Situation(
        "weights unknown, entry in force",
        inputs(wanted=lost(homes=CHANGED)),
        Write.REPLACE,
        {"homes": 6},
        ("homes",),
    ),
    Situation(
        "weights unknown, another changed",
        inputs(wanted={**wanted(homes=CHANGED), **lost(offices=OFFICES)}),
        Write.REPLACE,
        {"homes": 6},
        ("homes",),
        Result(GRACE_SECONDS),
    ),
    Situation(
        "confirmed later sequence",
        inputs(wanted=wanted(homes=CHANGED), replicas=replicas([pod()], [report(sequence=9)])),
        Write.REPLACE,
        {"homes": 10},
        ("homes",),
    ),
    Situation(
        "confirmed of another ConfigMap",
        inputs(wanted=wanted(homes=CHANGED), replicas=replicas([pod()], [report(sequence=9, uid="before")])),
        Write.REPLACE,
        {"homes": 6},
        ("homes",),
    ),
)


def placed_routes(plan: RoutingPlan) -> dict[str, int]:
    """The routes in the plan's data, each with its sequence."""
    if not plan.data:
        return {}
    read = read_routing(ConfigMap.of({"metadata": {"uid": "map"}, "data": dict(plan.data)}), None)
    return {name: found.sequence for name in read.state.routes if (found := read.found(name)) is not None}


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.name)
def test_plan_routing_in_a_situation(situation: Situation) -> None:
    plan = plan_routing(situation.inputs)
    assert plan.write is situation.write
    assert placed_routes(plan) == situation.routes
    assert plan.changed == situation.changed
    assert plan.result == situation.result
    assert (plan.refused.reason if plan.refused else None) == situation.reason


def test_refusal_of_an_immutable_config_map_says_what_to_do() -> None:
    plan = plan_routing(inputs(routing=routing({"homes": HOMES}, immutable=True), wanted=wanted(homes=CHANGED)))
    assert plan.refused is not None
    assert plan.refused.message.startswith(f"ConfigMap {names.routing_name('default')} was made immutable")
    assert "Delete it" in plan.refused.message


@pytest.mark.parametrize(
    ("memory", "missing_since", "given_up"),
    [
        (RoutingMemory(), NOW, set()),
        (WAITED, WAITED.missing_since, set()),
        (TOO_LONG, None, {"homes"}),
        (RoutingMemory(given_up=frozenset({"homes", "gone"})), None, {"homes"}),
    ],
)
def test_memory_of_unknown_weights(memory: RoutingMemory, missing_since: Any, given_up: set[str]) -> None:
    after = plan_routing(inputs(**NONE, wanted=lost(homes=HOMES), memory=memory)).memory
    assert (after.missing_since, after.given_up) == (missing_since, given_up)


def test_memory_of_unknown_weights_ends_when_they_are_known() -> None:
    after = plan_routing(inputs(**NONE, memory=replace(WAITED, given_up=frozenset({"homes"})))).memory
    assert after == RoutingMemory()


def test_memory_is_unchanged_while_a_replica_is_behind() -> None:
    assert plan_routing(inputs(**NONE, replicas=OLD_REPLICA, memory=WAITED)).memory == WAITED


@pytest.mark.parametrize(
    ("before", "applied", "after"),
    [
        (None, Applied(), None),
        (REFUSED, Applied(), None),
        (REFUSED, Applied(result=Result(3.0)), REFUSED),
        (None, Applied(refused=REFUSED), REFUSED),
        (None, Applied(taken=("ConfigMap x",)), Reason.NAME_TAKEN),
    ],
)
def test_memory_of_a_refusal(before: Cause | None, applied: Applied, after: Any) -> None:
    found = remember(plan_routing(inputs(memory=RoutingMemory(refused=before))), applied).refused
    assert after in (found, found and found.reason)


def test_confirmation_covers_versions_and_a_few_routes() -> None:
    few = plan_routing(inputs(wanted=wanted(homes=make_entry(document("v2", [("v1", 500)], {"v1": 2.0, "v2": 3.0})))))
    assert set(few.confirm) == {
        (LINEAR_MODEL, "homes-v1"),
        (LINEAR_MODEL, "homes-v2"),
        (MODEL_ROUTE, "homes"),
    }
    many = {f"r{i}": make_entry(document(route=f"r{i}")) for i in range(CONFIRMED + 1)}
    assert plan_routing(inputs(wanted=wanted(**many), live={"homes": None})).confirm == ((LINEAR_MODEL, "homes-v1"),)


def test_adoption_checks_the_routes_that_it_drops() -> None:
    orphan = routing({"homes": HOMES, "offices": OFFICES, "other": OTHER})
    plan = plan_routing(inputs(**NONE, orphan=orphan, routes={"homes", "other"}))
    assert plan.absent == ("offices",)


def test_waiting_routes_are_those_whose_documents_are_not_in_force() -> None:
    assert waiting_routes(inputs(wanted=wanted(homes=HOMES, offices=OFFICES))) == ("offices",)
    assert waiting_routes(inputs(**ABSENT)) == ("homes", "offices")
