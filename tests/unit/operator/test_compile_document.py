"""The traffic of a route in each situation: the table of switches, splits, freezes and losses."""

import pytest

from linplane_api.conditions import Reason
from linplane_api.routing import RateLimit, make_entry
from linplane_operator.compile.routing import compile_document
from unit.operator.builders import document, frozen, missed, pending, ready, route_spec, versions

V1, V2 = ready("v1", 2.0), ready("v2", 3.0)
SERVED_V1 = document("v1")
SERVED_SPLIT = document("v1", [("v2", 1000)], {"v1": 2.0, "v2": 3.0})

# name: desired (version, split), existing versions, document before -> traffic, reason, a part of the message
SITUATIONS = {
    "the first version, not Ready yet": (("v1", ()), [pending("v1")], None, [], Reason.VERSION_NOT_READY, "NotTrained"),
    "the first version, not there": (("v1", ()), [], None, [], Reason.VERSION_NOT_FOUND, "does not exist"),
    "the first version, frozen": (("v1", ()), [frozen("v1")], None, [], Reason.VERSION_FROZEN, "is frozen"),
    "the first version, its gate missed": (("v1", ()), [missed("v1")], None, [], Reason.VERSION_NOT_READY, "minR2"),
    "the first version, Ready": (("v1", ()), [V1], None, [("v1", 100)], Reason.ACCEPTED, "in effect"),
    "a switch": (("v2", ()), [V1, V2], SERVED_V1, [("v2", 100)], Reason.ACCEPTED, "in effect"),
    "a switch to one not Ready": (
        ("v2", ()),
        [V1, pending("v2")],
        SERVED_V1,
        [("v1", 100)],
        Reason.VERSION_NOT_READY,
        "traffic stays on v1",
    ),
    "a switch to one frozen": (("v2", ()), [V1, frozen("v2")], SERVED_V1, [("v1", 100)], Reason.VERSION_FROZEN, "v2"),
    "a switch to nowhere": (("v9", ()), [V1], SERVED_V1, [("v1", 100)], Reason.VERSION_NOT_FOUND, "stays on v1"),
    "a refused switch keeps the split with its version": (
        ("v3", [("v1", 50)]),
        [V1, V2, pending("v3")],
        SERVED_SPLIT,
        [("v1", 90), ("v2", 10)],
        Reason.VERSION_NOT_READY,
        "stays on v1",
    ),
    "a split": (
        ("v1", [("v2", 10)]),
        [V1, V2],
        SERVED_V1,
        [("v1", 90), ("v2", 10)],
        Reason.ACCEPTED,
        "in effect",
    ),
    "a candidate of 0 %": (("v1", [("v2", 0)]), [V1, V2], SERVED_V1, [("v1", 100)], Reason.ACCEPTED, "in effect"),
    "a candidate of 100 %": (("v1", [("v2", 100)]), [V1, V2], SERVED_V1, [("v2", 100)], Reason.ACCEPTED, "in effect"),
    "a candidate not Ready": (
        ("v1", [("v2", 10)]),
        [V1, pending("v2")],
        SERVED_V1,
        [("v1", 100)],
        Reason.CANDIDATE_UNAVAILABLE,
        "its share goes to v1",
    ),
    "a frozen candidate": (
        ("v1", [("v2", 10)]),
        [V1, frozen("v2", 3.0)],
        SERVED_SPLIT,
        [("v1", 100)],
        Reason.CANDIDATE_UNAVAILABLE,
        "v2 is frozen; its share goes to v1",
    ),
    "a candidate that vanished goes on": (
        ("v1", [("v2", 10)]),
        [V1],
        SERVED_SPLIT,
        [("v1", 90), ("v2", 10)],
        Reason.VERSION_NOT_FOUND,
        "it goes on with its weights",
    ),
    "a current version that vanished goes on": (
        ("v1", ()),
        [],
        SERVED_V1,
        [("v1", 100)],
        Reason.VERSION_NOT_FOUND,
        "goes on with the weights that it has",
    ),
    "an artifact that was lost goes on": (
        ("v1", ()),
        [pending("v1", Reason.ARTIFACT_LOST)],
        SERVED_V1,
        [("v1", 100)],
        Reason.VERSION_NOT_READY,
        "ArtifactLost",
    ),
    "a recreated version that misses its gate leaves the old weights": (
        ("v1", ()),
        [missed("v1", 7.0, "rooms")],
        SERVED_V1,
        [("v1", 100)],
        Reason.VERSION_NOT_READY,
        "goes on",
    ),
    "the split changes while the current version is lost": (
        ("v1", [("v2", 20)]),
        [V2],
        SERVED_V1,
        [("v1", 80), ("v2", 20)],
        Reason.VERSION_NOT_FOUND,
        "goes on",
    ),
    "a frozen current version, the split goes on": (
        ("v1", [("v2", 10)]),
        [frozen("v1"), V2],
        SERVED_SPLIT,
        [("v1", 90), ("v2", 10)],
        Reason.CURRENT_FROZEN,
        "answered 503",
    ),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_traffic_and_accepted_follow_from_the_versions_and_the_last_document(name):
    """Which traffic is in effect, and what Accepted says."""
    (version, split), there, before, traffic, reason, part = SITUATIONS[name]
    compiled = compile_document("homes", route_spec(version, split), versions(*there), before, 2)
    assert [(v, share / 100) for v, share in compiled.entry.document.traffic()] == traffic
    assert compiled.cause.reason is reason
    assert part in compiled.cause.message
    assert compiled.entry.revision == make_entry(compiled.entry.document).revision


def test_frozen_current_version_answers_503_and_has_no_weights():
    """The document says why, and holds nothing to answer with."""
    compiled = compile_document("homes", route_spec(), versions(frozen("v1")), SERVED_V1, 1)
    assert compiled.entry.document.versions == {}
    assert compiled.entry.document.unavailable is not None
    assert compiled.entry.document.unavailable.reason == "CurrentFrozen"
    assert compiled.entry.document.features_by_version == {"v1": ("area",)}


def test_frozen_current_version_that_was_deleted_is_not_found():
    """The freeze removed its weights from the document, so its deletion does not restore them."""
    before = compile_document("homes", route_spec(), versions(frozen("v1")), SERVED_V1, 1).entry.document
    compiled = compile_document("homes", route_spec(), {}, before, 1)
    assert compiled.entry.document.versions == {}
    assert compiled.cause.reason is Reason.VERSION_NOT_FOUND
    assert compiled.entry.document.unavailable is not None
    assert compiled.entry.document.unavailable.reason == "VersionNotFound"


def test_unfrozen_version_that_lost_its_artifact_is_not_available():
    """Nothing is left to answer with, and the reason is not the freeze any more."""
    before = compile_document("homes", route_spec(), versions(frozen("v1")), SERVED_V1, 1).entry.document
    compiled = compile_document("homes", route_spec(), versions(pending("v1")), before, 1)
    assert compiled.entry.document.unavailable is not None
    assert compiled.entry.document.unavailable.reason == "VersionNotReady"
    assert compiled.cause.reason is Reason.VERSION_NOT_READY


def test_deleted_frozen_candidate_gives_its_share_to_the_current_version():
    """A candidate that is not there and has no weights has no reason of its own."""
    before = document("v1", [("v2", 1000)], {"v1": 2.0})
    compiled = compile_document("homes", route_spec("v1", [("v2", 10)]), versions(V1), before, 1)
    assert compiled.entry.document.shares() == (0,)
    assert compiled.cause.reason is Reason.CANDIDATE_UNAVAILABLE


def test_unavailable_candidates_are_all_in_the_message():
    """One message names both; a share that goes elsewhere is the reason."""
    spec = route_spec("v1", [("v2", 10), ("v3", 5)])
    compiled = compile_document("homes", spec, versions(V1, frozen("v3")), SERVED_SPLIT, 1)
    assert compiled.cause.reason is Reason.CANDIDATE_UNAVAILABLE
    assert "v2 does not exist; it goes on" in compiled.cause.message
    assert "v3 is frozen; its share goes to v1" in compiled.cause.message


def test_earlier_route_of_another_model_leaves_nothing():
    """A route deleted and created again for another model never answers with the first one's weights."""
    spec = route_spec(model="cars")
    compiled = compile_document("homes", spec, versions(pending("v1")), SERVED_SPLIT, 1)
    assert (compiled.entry.document.current, compiled.entry.document.versions, compiled.entry.document.split) == (
        None,
        {},
        (),
    )


def test_recreated_version_is_served_once_it_is_ready():
    """Deleted and applied again with other weights: these are what the name means now."""
    compiled = compile_document("homes", route_spec(), versions(ready("v1", 9.0, "rooms")), SERVED_V1, 1)
    assert compiled.entry.document.versions["v1"].features == ("rooms",)
    assert compiled.entry.document.features_by_version["v1"] == ("rooms",)


def test_other_fields_apply_at_once_if_the_switch_does_not():
    """Rate limit and split key do not wait for a version."""
    spec = route_spec("v2", rateLimit={"requestsPerSecond": "2.5"}, splitKey={"header": "X-User", "salt": "s"})
    compiled = compile_document("homes", spec, versions(V1, pending("v2")), SERVED_V1, 1)
    assert compiled.entry.document.current == "v1"
    assert compiled.entry.document.rate_limit == RateLimit(2.5, 3, "Client")
    assert (compiled.entry.document.split_key.header, compiled.entry.document.split_key.salt) == ("X-User", "s")


@pytest.mark.parametrize(
    ("limit", "replicas", "expected"),
    [
        ({"requestsPerSecond": 50}, 3, RateLimit(50.0, 50, "Client", 1)),
        ({"requestsPerSecond": "0.2"}, 3, RateLimit(0.2, 1, "Client", 1)),
        ({"requestsPerSecond": 50, "burst": 7, "per": "Route"}, 3, RateLimit(50.0, 7, "Route", 3)),
        ({"requestsPerSecond": 50, "per": "Route"}, 0, RateLimit(50.0, 50, "Route", 1)),
    ],
)
def test_limits_of_a_route_are_divided_those_of_a_client_are_not(limit, replicas, expected):
    """By the desired replicas, or by 1 if that is 0."""
    compiled = compile_document("homes", route_spec(rateLimit=limit), versions(V1), None, replicas)
    assert compiled.entry.document.rate_limit == expected


def test_previous_is_the_version_before_and_goes_on_naming_its_features():
    """After a switch and its rollback, previous is the version that served before."""
    first = compile_document("homes", route_spec("v1"), versions(V1, V2), None, 1).entry.document
    second = compile_document("homes", route_spec("v2"), versions(V1, V2), first, 1).entry.document
    third = compile_document("homes", route_spec("v1"), versions(V1, V2), second, 1).entry.document
    assert (first.previous, second.previous, third.previous) == (None, "v1", "v2")
    assert set(second.features_by_version) == {"v1", "v2"}
    assert set(second.versions) == {"v2"}


def test_salt_is_the_route_name_by_default():
    """Two routes split their users independently."""
    compiled = compile_document("homes", route_spec(), versions(V1), None, 1)
    assert compiled.entry.document.split_key.salt == "homes"
