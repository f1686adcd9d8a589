"""The obstacles of a ModelRoute, and its plan for each."""

from dataclasses import replace

import pytest

from linplane_api.conditions import Cause, Reason
from linplane_api.routing import Entry, RoutingMap, make_entry
from linplane_operator.compile.formats import Unread
from linplane_operator.compile.outcome import DONE, Result
from linplane_operator.compile.route_plan import RouteInputs, plan_route, route_outcome
from linplane_operator.compile.routing import compile_document
from linplane_operator.compile.routing_map import ROOM
from linplane_operator.compile.settings import RETRY_SECONDS, Settings
from unit.operator.builders import (
    Object,
    document,
    model_route,
    pending,
    pod,
    ready,
    replicas,
    report,
    route_spec,
    status_condition,
    versions,
)

SETTINGS = Settings()
REFUSED = Cause(Reason.CHILD_REFUSED, "the quota is used up")
COMPILED = compile_document("homes", route_spec(), versions(ready("v1")), None, 1)
IN_FORCE = make_entry(COMPILED.entry.document, 5)
FULL = RoutingMap("map", 5, {"other": "x" * ROOM})
INPUTS = RouteInputs(
    model_route(),
    route_spec(),
    has_server=True,
    routing=RoutingMap("map", 5, {}),
    entry=IN_FORCE,
    unread=None,
    last_entry=None,
    compiled=COMPILED,
    waits_for=(),
    replicas=replicas([pod()], [report()]),
    wanted_replicas=1,
    has_grpc=False,
    taken="",
    refused=None,
    url="http://homes.default",
)
LATER = Unread("homes", 5, "format 2 is later")
OTHERS = replicas([pod()], [report(formats=[2])])
OLD = make_entry(document("v0", weights={"v0": 1.0}), 4)


def accepted(inputs: RouteInputs, problem: Cause | None = None) -> tuple[str, str]:
    """Reason and message of Accepted."""
    status = route_outcome(plan_route(inputs, SETTINGS), problem, "t1").status
    found = status_condition({"status": status}, "Accepted")
    return found["reason"], found["message"]


@pytest.mark.parametrize(
    ("inputs", "reason", "part"),
    [
        (INPUTS, Reason.ACCEPTED, "the spec is in effect"),
        (replace(INPUTS, entry=OLD), Reason.ACCEPTED, "waiting for the servers"),
        (replace(INPUTS, entry=OLD, routing=FULL), Reason.ROUTING_FULL, "no room"),
        (replace(INPUTS, entry=None, unread=LATER, routing=FULL), Reason.FORMAT_NOT_SUPPORTED, "format 2 is later"),
        (replace(INPUTS, replicas=OTHERS), Reason.ACCEPTED, "the spec is in effect"),
        (replace(INPUTS, entry=OLD, replicas=OTHERS, routing=FULL), Reason.FORMAT_NOT_SUPPORTED, "(it reads: 2)"),
        (replace(INPUTS, entry=OLD, routing=FULL, refused=REFUSED), Reason.ROUTING_FULL, "no room"),
        (replace(INPUTS, entry=OLD, refused=REFUSED), Reason.CHILD_REFUSED, "quota"),
        (replace(INPUTS, refused=REFUSED, routing=FULL), Reason.ACCEPTED, "the spec is in effect"),
        (replace(INPUTS, has_server=False), Reason.SERVER_NOT_FOUND, "no ModelServer default"),
        (replace(INPUTS, taken="ConfigMap c"), Reason.NAME_TAKEN, "ConfigMap c exists and does not belong"),
    ],
    ids=[
        "in effect",
        "not written yet",
        "full",
        "a later format",
        "in effect, though not read",
        "not read by a replica",
        "full first",
        "refused",
        "in effect in spite of both",
        "no server",
        "taken",
    ],
)
def test_accepted_has_the_first_cause(inputs: RouteInputs, reason: Reason, part: str) -> None:
    found = accepted(inputs)
    assert found[0] == reason
    assert part in found[1]


@pytest.mark.parametrize("on", [False, True])
def test_service_has_the_port_of_grpc_if_its_server_does(on: bool) -> None:
    service = plan_route(replace(INPUTS, has_grpc=on), SETTINGS).service
    assert service is not None
    ports = [(port["name"], port["port"], port["targetPort"]) for port in service["spec"]["ports"]]
    assert ports == [("http", 80, "http"), ("grpc", 9000, "grpc")][: 1 + on]


def test_route_with_an_unknown_last_version_says_so_until_it_has_an_entry() -> None:
    compiled = compile_document("homes", route_spec(), versions(pending("v1")), document(), 1)
    lost = replace(compiled, missing=("v1",))
    assert "version v1 served last and cannot be served now" in accepted(replace(INPUTS, entry=None, compiled=lost))[1]
    assert "served last" not in accepted(replace(INPUTS, entry=OLD, compiled=lost))[1]


@pytest.mark.parametrize(
    ("taken", "problem", "expected"),
    [
        ("", Cause(Reason.NAME_TAKEN, "Service homes"), (Reason.NAME_TAKEN, "Service homes")),
        ("", REFUSED, (Reason.CHILD_REFUSED, "the quota is used up")),
        ("ConfigMap c", REFUSED, (Reason.CHILD_REFUSED, "the quota is used up")),
    ],
)
def test_service_that_could_not_be_applied_is_reported(
    taken: str, problem: Cause, expected: tuple[Reason, str]
) -> None:
    assert accepted(replace(INPUTS, taken=taken), problem) == expected
    plan = plan_route(replace(INPUTS, taken=taken), SETTINGS)
    assert route_outcome(plan, problem, "t1").result == Result(RETRY_SECONDS)
    assert route_outcome(plan, None, "t1").result == (Result(RETRY_SECONDS) if taken else DONE)


def test_taken_names_are_named_at_once() -> None:
    alone = accepted(replace(INPUTS, taken="ConfigMap c"))[1]
    both = accepted(replace(INPUTS, taken="ConfigMap c"), Cause(Reason.NAME_TAKEN, "Service homes exists"))
    assert both == (Reason.NAME_TAKEN, f"{alone}. Service homes exists")


@pytest.mark.parametrize(
    ("inputs", "service", "only_check"),
    [
        (INPUTS, True, False),
        (replace(INPUTS, taken="ConfigMap c"), True, True),
        (replace(INPUTS, has_server=False), False, False),
    ],
)
def test_service_is_only_checked_if_another_name_is_taken(inputs: RouteInputs, service: bool, only_check: bool) -> None:
    """A route that is rejected as a whole has neither a Service nor an address."""
    plan = plan_route(inputs, SETTINGS)
    assert (plan.service is not None, plan.only_check) == (service, only_check)
    assert route_outcome(plan, None, "t1").status.get("url") == ("http://homes.default" if service else None)


@pytest.mark.parametrize(("entry", "last", "traffic"), [(IN_FORCE, OLD, "v1 100"), (None, OLD, "v0 100")])
def test_status_without_an_entry_shows_the_last_one(entry: Entry | None, last: Entry, traffic: str) -> None:
    """The servers continue with their state."""
    plan = plan_route(replace(INPUTS, entry=entry, last_entry=last), SETTINGS)
    status: Object = route_outcome(plan, None, "t1").status
    assert status["trafficSummary"] == traffic
    assert status_condition({"status": status}, "Converged")["status"] == ("True" if entry else "False")


@pytest.mark.parametrize(("wanted", "progress"), [(1, "Reconciling"), (0, "")])
def test_route_without_replicas_waits_for_desired_ones(wanted: int, progress: str) -> None:
    plan = plan_route(replace(INPUTS, replicas=(), wanted_replicas=wanted), SETTINGS)
    status = {"status": route_outcome(plan, None, "t1").status}
    assert status_condition(status, "Ready")["reason"] == "NoReplicas"
    assert bool(status_condition(status, "Reconciling")) == bool(progress)
