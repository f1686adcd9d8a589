"""The conditions and status of a route, reason by reason."""

import pytest

from linplane_api.conditions import Cause, Reason
from linplane_api.kinds import MODEL_ROUTE
from linplane_api.resources import Share, Switch, Undo, plain
from linplane_api.routing import Unavailable, make_entry
from linplane_operator.compile.acknowledgements import Acknowledged
from linplane_operator.compile.change_events import manager_of, news
from linplane_operator.compile.route_status import (
    percent,
    refuse,
    route_conditions,
    route_status,
    servable_of,
    servable_without_document,
)
from unit.operator.builders import document, model_route

YES = Cause(Reason.ACCEPTED, "the spec is in effect")
ALL, NONE = Acknowledged(2, 2, ""), Acknowledged(0, 0, "")
BEHIND = Acknowledged(1, 2, "p2 has not loaded sequence 3")
REFUSED = Acknowledged(1, 2, "p2 refused the document of homes: x", rejected=True)
SERVES = document("v1", [("v2", 1000)], {"v1": 2.0, "v2": 3.0})
GONE = document("v1", weights={}, unavailable=Unavailable("CurrentFrozen", "the current version v1 is frozen"))
GONE_BUT_ALL_TO_V2 = document("v1", [("v2", 10_000)], {"v2": 3.0}, unavailable=Unavailable("CurrentFrozen", "frozen"))
NEVER = document(None, weights={}, unavailable=Unavailable("NeverServed", "no version"))
LATER = document("v1", weights={}, unavailable=Unavailable("FromTheFuture", "something"))

# name: accepted, document in force, is it the compiled one, replicas -> Servable, Converged, Ready
CASES = {
    "all is well": (YES, SERVES, True, ALL, Reason.SERVING, Reason.CONVERGED, Reason.READY),
    "not written yet": (YES, None, False, NONE, Reason.NEVER_SERVED, Reason.REPLICAS_BEHIND, Reason.NEVER_SERVED),
    "a newer document is not written yet": (
        YES,
        SERVES,
        False,
        ALL,
        Reason.SERVING,
        Reason.REPLICAS_BEHIND,
        Reason.REPLICAS_BEHIND,
    ),
    "no replica": (YES, SERVES, True, NONE, Reason.SERVING, Reason.NO_REPLICAS, Reason.NO_REPLICAS),
    "a replica behind": (YES, SERVES, True, BEHIND, Reason.SERVING, Reason.REPLICAS_BEHIND, Reason.REPLICAS_BEHIND),
    "refused by a replica": (YES, SERVES, True, REFUSED, Reason.SERVING, Reason.REJECTED, Reason.REJECTED),
    "no version yet": (YES, NEVER, True, ALL, Reason.NEVER_SERVED, Reason.CONVERGED, Reason.NEVER_SERVED),
    "the current version frozen": (
        YES,
        GONE,
        True,
        ALL,
        Reason.CURRENT_FROZEN,
        Reason.CONVERGED,
        Reason.CURRENT_FROZEN,
    ),
    "frozen, and none of its share is left": (
        YES,
        GONE_BUT_ALL_TO_V2,
        True,
        ALL,
        Reason.SERVING,
        Reason.CONVERGED,
        Reason.READY,
    ),
    "a reason that a later operator wrote": (
        YES,
        LATER,
        True,
        ALL,
        Reason.VERSION_NOT_READY,
        Reason.CONVERGED,
        Reason.VERSION_NOT_READY,
    ),
    "not accepted": (
        Cause(Reason.VERSION_FROZEN, "v2"),
        SERVES,
        True,
        ALL,
        Reason.SERVING,
        Reason.CONVERGED,
        Reason.VERSION_FROZEN,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_ready_of_a_route_sums_up_its_three_conditions(name):
    """Ready is True if the three others are; otherwise it has the reason of the first that is not."""
    accepted, doc, current, replicas, servable, converged, ready = CASES[name]
    entry = make_entry(doc, 3) if doc else None
    servable_now = servable_of(doc) if doc else servable_without_document(model_route(), None, ())
    conditions = route_conditions(accepted, servable_now, entry, current, replicas)
    assert [c.reason for c in conditions] == [accepted.reason, servable, converged, ready]
    statuses = [c.status for c in conditions]
    assert statuses[3] == ("True" if statuses[:3] == ["True"] * 3 else "False")
    assert statuses[0] == ("True" if accepted.reason is Reason.ACCEPTED else "False")
    assert statuses[1] == ("True" if servable is Reason.SERVING else "False")
    assert statuses[2] == ("True" if converged is Reason.CONVERGED else "False")


@pytest.mark.parametrize(
    ("name", "server", "exists", "servers", "reason"),
    [
        ("homes", "default", True, None, None),
        ("homes", "gpu", True, None, None),
        ("kubernetes", "default", True, None, Reason.NAME_RESERVED),
        ("linplane-x", "default", True, None, Reason.NAME_RESERVED),
        ("linplanex", "default", True, None, None),
        ("homes", "gpu", False, None, Reason.SERVER_NOT_FOUND),
        ("homes", "gpu", True, ("default",), Reason.SERVER_UNSUPPORTED),
    ],
)
def test_route_that_is_rejected_as_a_whole(name, server, exists, servers, reason):
    """It says so, and nothing is made for it."""
    refusal = refuse(name, server, server_exists=exists, servers=servers)
    assert (refusal.reason if refusal else None) is reason


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0"), (9000, "90"), (25, "0.25"), (10_000, "100"), (1, "0.01"), (1230, "12.3")]
)
def test_shares_are_formatted_as_percent(share, text):
    """Percentages have no trailing zeros."""
    assert percent(share) == text


def status_after(route, doc, now="t1"):
    """A route's status with a document in force."""
    return route_status(route, make_entry(doc, 4), (), ALL, url="http://here", now=now)


def test_status_shows_the_document_in_effect():
    """Version, traffic, revision, sequence and the address."""
    status = status_after(model_route(), SERVES)
    assert status.version == "v1"
    assert [(s.version, s.percent) for s in status.traffic or ()] == [("v1", "90"), ("v2", "10")]
    assert (status.traffic_summary, status.sequence, status.url) == ("v1 90, v2 10", 4, "http://here")
    assert status.revision == make_entry(SERVES).revision


def test_switch_is_logged_once_and_the_last_twenty_stay():
    """From, to and when it took effect; nothing for a pass that switches nothing."""
    route = model_route()
    for number in range(25):
        doc = document(f"v{number}", weights={f"v{number}": 2.0}, previous=f"v{number - 1}" if number else None)
        for _ in range(2):
            status = status_after(route, doc, f"t{number}")
            switches = [{"to": s.to_version, "at": s.at, "from": s.from_version} for s in status.switches or ()]
            route = {**route, "status": {"switches": switches}}
    assert len(switches) == 20
    assert switches[-1] == {"to": "v24", "at": "t24", "from": "v23"}
    assert switches[0]["to"] == "v5"


def shown(status):
    """A status as the API server returns it."""
    return {"status": plain(status)}


def test_recreated_version_is_in_the_log_and_an_event():
    """Once, with both digests; the candidate's is an Event alone. A version without weights for a while is known."""
    before, after = (document("v1", (("v2", 1000),), {"v1": slope, "v2": 3.0}) for slope in (2.0, 5.0))
    old, new = (doc.versions["v1"].digest for doc in (before, after))
    route = model_route() | shown(status_after(model_route(), before, "t1"))
    text = f"v1 was made again: {old} -> {new}"
    gone = document("v1", (("v2", 1000),), {"v2": 3.0}, unavailable=Unavailable("VersionFrozen", "frozen"))
    for doc in (before, gone, gone):
        assert len(status_after(route, doc, "t2").switches or ()) == 1
        route |= shown(status_after(route, doc, "t2"))
    status = status_after(route, after, "t3")
    assert (status.switches or ())[-1] == Switch("v1", "t3", "v1", reason=text)
    assert news(MODEL_ROUTE, route, plain(status)) == [("VersionMadeAgain", text)]
    route |= shown(status)
    assert status_after(route, after, "t4").switches == status.switches
    other = document("v1", (("v2", 1000),), {"v1": 5.0, "v2": 4.0})
    status = status_after(route, other, "t5")
    assert len(status.switches or ()) == 2
    ((reason, status_and_reason),) = news(MODEL_ROUTE, route, plain(status))
    assert (reason, status_and_reason.split(":")[0]) == ("VersionMadeAgain", "v2 was made again")


def test_undo_is_the_spec_before_the_last_change_in_effect():
    """Version and split together; a candidate that cannot serve keeps its share in it."""
    route, both = model_route(), {"v1": 2.0, "v2": 3.0}
    asked = (("v2", 1000),)
    before_split, from_v1 = Undo("v2", "t3"), Undo("v1", "t2", (Share("v2", "10"),))
    steps = (
        (document("v1", asked), None),
        (document("v1", asked, both), None),
        (document("v2", (), both, previous="v1"), from_v1),
        (document("v2", (("v1", 2500),), {"v2": 3.0}, previous="v1"), before_split),
        (document("v2", (("v1", 2500),), both, previous="v1"), before_split),
        (document("v2", (("v1", 25),), both, previous="v1"), Undo("v2", "t5", (Share("v1", "25"),))),
    )
    for number, (doc, expected) in enumerate(steps):
        status = status_after(route, doc, f"t{number}")
        assert status.undo == expected, number
        route |= shown(status)
    without = plain(route_status(route, None, (), ALL, url="", now="t9"))
    assert without["undo"] == {"version": "v2", "at": "t5", "split": [{"version": "v1", "percent": "25"}]}
    assert without["split"] == [{"version": "v1", "percent": "0.25"}]


@pytest.mark.parametrize(
    ("then", "now"),
    [
        pytest.param(SERVES, SERVES, id="nothing changed"),
        pytest.param(*[document("v1", [("v2", 1000)])] * 2, id="nothing changed, and the candidate has no share"),
        pytest.param(SERVES, document("v2", (), {"v2": 3.0}), id="it changed meanwhile: the split is not known"),
    ],
)
def test_status_without_a_split_gives_no_undo(then, now):
    status = {key: value for key, value in plain(status_after(model_route(), then)).items() if key != "split"}
    route = {**model_route(), "status": status}
    assert status_after(route, now, "t1").undo is None
    assert status_after(route, now, "t1").split == status_after(model_route(), now).split


def test_route_that_never_served_has_no_switch():
    """Nor has one with an invalid switch log."""
    assert status_after(model_route(), NEVER).switches is None
    route = {**model_route(), "status": {"switches": "what"}}
    assert [s.to_version for s in status_after(route, SERVES).switches or ()] == ["v1"]


def test_switch_is_attributed_to_the_field_manager_of_the_version():
    """The manager is the last entry of managedFields that owns the field."""
    fields = {"f:spec": {"f:version": {}}}
    managed = [
        {"manager": "kubectl-client-side-apply", "fieldsV1": fields},
        {"manager": "argocd", "fieldsV1": fields},
        {"manager": "linplane", "fieldsV1": {"f:status": {}}},
    ]
    route = model_route()
    route["metadata"]["managedFields"] = managed
    assert manager_of(route, "version") == "argocd"
    assert manager_of(model_route(), "version") is None
