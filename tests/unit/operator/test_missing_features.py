"""Features that callers do not send: in Servable, and an Event an hour for each version."""

from datetime import timedelta

import msgspec

from linplane_api.report import Lacking, Report
from linplane_operator.compile.acknowledgements import Replica
from linplane_operator.compile.missing_features import MISSING_FEATURES, lacking_of, mentions
from linplane_operator.compile.objects import uid_of
from unit.operator.builders import (
    document,
    linear_model,
    model_route,
    served,
    status_and_reason,
    status_condition,
    text,
)


def replica(*lacking: Lacking) -> Replica:
    report = Report("default", "uid", "2026-01-01T00:00:00Z", "map", 1, 1, lacking=lacking)
    return Replica("p", ready=True, terminating=False, report=report)


DOCUMENT = msgspec.structs.replace(
    document(split=[("v2", 1000)]),
    versions={"v1": served(), "v2": served(feature="age")},
    features_by_version={"v1": ("area",), "v2": ("age",)},
)


def messages(*replicas: Replica) -> list[str]:
    return [lack.message for lack in lacking_of(replicas, DOCUMENT.route, DOCUMENT)]


def test_replicas_are_added_up_and_the_current_versions_own_features_are_not_called_more():
    one, two = replica(Lacking("homes", "v2", "age", 30)), replica(Lacking("homes", "v2", "age", 5))
    assert messages(one, two) == ["v2 also needs age: 35 requests without it got 422"]
    assert messages(replica(Lacking("homes", "v1", "area", 1))) == ["v1 needs area: 1 request without it got 422"]


def test_features_that_no_version_with_a_share_needs_are_left_out():
    assert messages(replica(Lacking("other", "v2", "age", 3), Lacking("homes", "v9", "age", 3))) == []
    assert messages(replica(Lacking("homes", "v2", "of an earlier v2", 3)), replica()) == []
    assert messages(Replica("p", ready=True, terminating=False, report=None)) == []


def lacks(sim, count, feature="age", version="v2"):
    """The only replica says so."""
    routing = sim.routing()
    lacking = [{"route": "homes", "version": version, "feature": feature, "count": count}] if count else []
    fields = {"lacking": lacking} if lacking else {}
    sim.acknowledge("p1", uid_of(routing), int(routing["data"]["sequence"]), **fields)
    sim.loads = False  # this report stays
    sim.settle()


def news(sim):
    return [(warning, message) for _, warning, reason, message in sim.cluster.events if reason == MISSING_FEATURES]


def split(sim):
    """A tenth of the users gets a version that needs another feature."""
    sim.results["homes-v2"] = lambda: {"model.json": text(feature="age")}
    sim.apply(linear_model(), linear_model("v2"), model_route(split=[("v2", 10)]))
    sim.settle()


def servable(sim):
    return status_condition(sim.route(), "Servable")


def test_servable_stays_true_and_says_what_is_lacking(sim):
    split(sim)
    before = servable(sim)
    assert before["message"] == "v1 90, v2 10"
    lacks(sim, 35)
    after = servable(sim)
    assert after["message"] == "v1 90, v2 10; v2 also needs age: 35 requests without it got 422"
    assert (after["status"], after["lastTransitionTime"]) == ("True", before["lastTransitionTime"])
    assert status_and_reason(sim.route(), "Ready") == ("True", "Ready")
    lacks(sim, 0)
    assert servable(sim)["message"] == "v1 90, v2 10"


def test_missing_features_are_at_most_one_event_an_hour_and_only_if_they_grew(sim):
    split(sim)
    lacks(sim, 35)
    assert news(sim) == [(True, "v2 also needs age: 35 requests without it got 422")]
    for minute in range(1, 60):
        sim.now += timedelta(minutes=1)
        lacks(sim, 35 + minute)
    assert len(news(sim)) == 1
    sim.now += timedelta(minutes=2)
    lacks(sim, 95)
    assert news(sim)[1:] == [(True, "v2 also needs age: 95 requests without it got 422")]
    sim.now += timedelta(hours=5)
    sim.resync()
    sim.settle()
    assert len(news(sim)) == 2, "nothing new"


def test_replica_that_restarts_counts_from_zero(sim):
    split(sim)
    lacks(sim, 35)
    sim.now += timedelta(hours=2)
    lacks(sim, 1)
    lacks(sim, 2)
    assert [message.split(": ")[1] for _, message in news(sim)] == [
        "35 requests without it got 422",
        "2 requests without it got 422",
    ]


def test_operator_restart_repeats_no_event(sim):
    split(sim)
    lacks(sim, 35)
    sim.cluster.events.clear()
    sim.start()
    sim.settle()
    assert news(sim) == []


def test_operator_restart_keeps_the_hour_between_events(sim):
    """It does not know when the last Event was, so it waits an hour, but not for what the status does not have."""
    split(sim)
    lacks(sim, 35)
    sim.cluster.events.clear()
    sim.start()
    lacks(sim, 36)
    sim.now += timedelta(minutes=59)
    lacks(sim, 37)
    assert news(sim) == []
    sim.now += timedelta(minutes=1)
    lacks(sim, 38)
    assert news(sim) == [(True, "v2 also needs age: 38 requests without it got 422")]
    sim.start()
    lacks(sim, 2, "area", "v1")
    assert news(sim) == [(True, "v1 needs area: 2 requests without it got 422")]


def test_message_is_matched_by_the_whole_version_name():
    message = "v1 80, v2 10, old-v2 10; v1 needs area: 1 request without it got 422; old-v2 also needs age: ..."
    assert [mentions(message, version) for version in ("v1", "v2", "old-v2", "v")] == [True, False, True, False]
