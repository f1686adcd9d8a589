"""A spec that the API server accepts and this operator cannot read: a condition reports it, and traffic continues."""

from linplane_api.kinds import DEPLOYMENT, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER
from unit.operator.builders import linear_model, model_route, status_and_reason, status_condition


def test_unreadable_version_says_so_and_its_route_continues(sim):
    sim.apply(linear_model(), model_route())
    sim.settle()
    before = sim.model()["status"]
    sim.edit(LINEAR_MODEL, "homes-v1", acceptance={"minR2": ["?"]})
    sim.settle()
    assert status_and_reason(sim.model(), "Ready") == ("False", "InvalidSpec")
    assert "spec.acceptance.minR2" in status_condition(sim.model(), "Ready")["message"]
    assert {**sim.model()["status"], "conditions": [], "observedGeneration": 1} == {**before, "conditions": []}
    assert status_and_reason(sim.route(), "Accepted") == ("False", "VersionNotFound")
    assert sim.document().current == "v1", "the last good traffic"
    sim.edit(LINEAR_MODEL, "homes-v1", acceptance=None)
    sim.settle()
    assert status_and_reason(sim.model(), "Ready") == ("True", "Validated")
    assert status_and_reason(sim.route(), "Ready") == ("True", "Ready")


def test_unreadable_route_says_so_and_keeps_its_document(sim):
    sim.apply(linear_model(), model_route(), model_route(name="other"))
    sim.settle()
    before = sim.document()
    sim.edit(MODEL_ROUTE, "homes", split="half")
    sim.edit(MODEL_ROUTE, "other", rateLimit={"requestsPerSecond": 5})
    sim.settle()
    for kind in ("Accepted", "Ready"):
        assert status_and_reason(sim.route(), kind) == ("False", "InvalidSpec")
    assert status_and_reason(sim.route(), "Servable")[0] == "True"
    assert sim.document() == before
    assert status_and_reason(sim.route("other"), "Ready") == ("True", "Ready")
    events = [reason for name, _, reason, _ in sim.cluster.events if name == "homes"]
    assert events.count("InvalidSpec") == 1, "not one a condition, and not again at each look"
    sim.resync()
    sim.settle()
    assert [reason for name, _, reason, _ in sim.cluster.events if name == "homes"] == events


def test_unreadable_server_says_so_and_its_routes_are_served(sim):
    sim.apply(linear_model(), model_route())
    sim.settle()
    deployed = sim.get(DEPLOYMENT, "linplane-server-default")
    sim.edit(MODEL_SERVER, "default", replicas="many")
    sim.apply(linear_model("v2"), model_route("v2"))
    sim.settle()
    assert status_and_reason(sim.get(MODEL_SERVER, "default"), "Ready") == ("False", "InvalidSpec")
    assert sim.document().current == "v2"
    assert status_and_reason(sim.route(), "Ready") == ("True", "Ready")
    assert sim.get(DEPLOYMENT, "linplane-server-default") == deployed
