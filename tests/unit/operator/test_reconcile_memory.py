"""The last served versions outlive the routing ConfigMap, the ModelServer, the artifacts and the process."""

from datetime import timedelta

import pytest

from linplane_api import names
from linplane_api.kinds import CONFIG_MAP, JOB, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER
from linplane_api.routing import parse_entry
from linplane_operator.compile import routing_map as routing_module
from linplane_operator.compile.settings import Settings
from unit.operator.builders import linear_model, model_route, status_and_reason, status_condition, text

ROUTING = "linplane-routing-default"


def apply_waiting_route(sim, *, split=()):
    """A route that serves v1, perhaps with candidates, and names v9, which does not exist."""
    sim.results["homes-v2"] = lambda: {names.ARTIFACT_KEY: text(3.0)}
    sim.apply(linear_model("v1"), linear_model("v2"), model_route(split=split))
    sim.settle()
    sim.edit(MODEL_ROUTE, "homes", version="v9", split=None)
    sim.settle()
    assert status_and_reason(sim.route(), "Accepted") == ("False", "VersionNotFound")
    return sim.document()


def delete_server(sim):
    """With what it owns."""
    sim.delete(MODEL_SERVER, "default")
    assert sim.store.get(CONFIG_MAP, ROUTING) is None


def delete_configmap(sim):
    sim.delete(CONFIG_MAP, ROUTING)


def damage_entry(sim):
    body = sim.routing()
    sim.store.update(CONFIG_MAP, body, {**body, "data": {**body["data"], "route.homes": "{}"}})


def remove_entry(sim):
    body = sim.routing()
    data = {key: value for key, value in body["data"].items() if key != "route.homes"}
    sim.store.update(CONFIG_MAP, body, {**body, "data": data})


LOSSES = [delete_configmap, delete_server, damage_entry, remove_entry]


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("lose", LOSSES)
def test_traffic_outlives_the_objects_that_hold_its_document(sim, lose, restart):
    """This process and the next one keep the version, the split and the previous version."""
    before = apply_waiting_route(sim, split=[("v2", 10)])
    lose(sim)
    if restart:
        sim.start()
    sim.settle()
    assert sim.document() == before
    status = sim.route()["status"]
    assert (status["version"], status["trafficSummary"]) == ("v1", "v1 90, v2 10")
    assert status_and_reason(sim.route(), "Servable") == ("True", "Serving")
    assert status_and_reason(sim.route(), "Converged") == ("True", "Converged")
    assert "traffic stays on v1" in status_condition(sim.route(), "Accepted")["message"]
    assert sim.failures == []


@pytest.mark.parametrize("restart", [False, True])
def test_previous_version_is_remembered(sim, restart):
    """Its features are still accepted."""
    apply_waiting_route(sim)
    sim.edit(MODEL_ROUTE, "homes", version="v2")
    sim.settle()
    sim.edit(MODEL_ROUTE, "homes", version="v9")
    sim.settle()
    before = sim.document()
    assert (before.current, before.previous) == ("v2", "v1")
    delete_configmap(sim)
    if restart:
        sim.start()
    sim.settle()
    assert sim.document() == before


def test_deletion_of_every_configmap_keeps_traffic_while_versions_retrain(sim):
    """The weights are those of the entries that were seen last."""
    before = apply_waiting_route(sim, split=[("v2", 10)])
    sim.trains = False
    for body in sim.store.all(CONFIG_MAP):
        sim.delete(CONFIG_MAP, body["metadata"]["name"])
    sim.settle()
    assert status_and_reason(sim.model("v1"), "Ready") == ("False", "ArtifactLost")
    assert "go on with" not in status_condition(sim.model("v1"), "Ready")["message"]
    assert sim.document() == before
    assert status_and_reason(sim.route(), "Servable") == ("True", "Serving")
    sim.trains = True
    sim.settle()
    assert status_and_reason(sim.model("v1"), "Ready") == ("True", "Validated")
    assert sim.document() == before


def test_deleted_version_serves_from_memory(sim):
    """Nothing else has its weights any more."""
    before = apply_waiting_route(sim)
    sim.delete(LINEAR_MODEL, "homes-v1")
    sim.settle()
    delete_configmap(sim)
    sim.settle()
    assert sim.document().versions == before.versions
    assert sim.route()["status"]["trafficSummary"] == "v1 100"


def recreate_version(sim, version):
    """Creates a version again, from other data, while the ConfigMap is deleted and no operator runs."""
    sim.delete(LINEAR_MODEL, f"homes-{version}")
    delete_configmap(sim)
    sim.results[f"homes-{version}"] = lambda: {names.ARTIFACT_KEY: text(9.0)}
    sim.apply(linear_model(version))
    sim.start()
    sim.settle()


def test_recreated_version_is_not_the_served_one(sim):
    """It is Ready with another digest than in the status, which keeps the served one."""
    apply_waiting_route(sim)
    recreate_version(sim, "v1")
    assert status_and_reason(sim.model("v1"), "Ready") == ("True", "Validated")
    for _ in range(2):
        assert (sim.document().current, sim.document().versions) == (None, {})
        assert status_and_reason(sim.route(), "Servable") == ("False", "VersionNotReady")
        assert (sim.route()["status"]["version"], sim.route()["status"]["trafficSummary"]) == ("v1", "v1 100")
        sim.start()
        sim.settle()
    sim.edit(MODEL_ROUTE, "homes", version="v2")
    sim.settle()
    assert status_and_reason(sim.route(), "Ready") == ("True", "Ready")
    assert sim.route()["status"]["undo"]["version"] == "v1"
    assert [s["to"] for s in sim.route()["status"]["switches"]] == ["v1", "v2"]


def test_recreated_candidate_gets_no_traffic(sim):
    """The current version answers for it, by an operator that knows no more than the status."""
    apply_waiting_route(sim, split=[("v2", 10)])
    status = sim.route()["status"]
    recreate_version(sim, "v2")
    assert status_and_reason(sim.model("v2"), "Ready") == ("True", "Validated")
    delete_configmap(sim)
    sim.set_status(MODEL_ROUTE, "homes", status)
    sim.start()
    sim.settle()
    assert (sim.document().current, sim.document().split) == ("v1", ())
    assert status_and_reason(sim.route(), "Servable") == ("True", "Serving")


def test_frozen_version_is_not_served_from_memory(sim):
    """Neither from the entry nor from the status, and it is not waited for."""
    apply_waiting_route(sim, split=[("v2", 10)])
    sim.loads = False
    sim.edit(LINEAR_MODEL, "homes-v1", frozen=True)
    sim.edit(LINEAR_MODEL, "homes-v2", frozen=True)
    delete_configmap(sim)
    sim.start()
    sim.settle()
    assert sim.document().versions == {}
    assert status_and_reason(sim.route(), "Servable") == ("False", "CurrentFrozen")
    assert sim.route()["status"]["version"] == "v1"


def lost_with_everything(sim):
    """The operator restarts, and neither an entry nor the weights of v1 are left; v1 is not trained again."""
    before = apply_waiting_route(sim)
    sim.trains = False
    for body in sim.store.all(CONFIG_MAP):
        sim.delete(CONFIG_MAP, body["metadata"]["name"])
    for job in sim.store.all(JOB):
        sim.delete(JOB, job["metadata"]["name"])
    sim.start()
    sim.settle()
    return before


def pass_seconds(sim, seconds):
    sim.now += timedelta(seconds=seconds)
    sim.enqueue(*(key for key, due in sim.later.items() if due <= sim.now))
    sim.settle()


def test_configmap_waits_a_minute_for_unknown_weights(sim):
    """Meanwhile the servers continue with their state, and the conditions say so; then the version exists again."""
    before = lost_with_everything(sim)
    assert sim.store.get(CONFIG_MAP, ROUTING) is None
    assert status_and_reason(sim.route(), "Servable") == ("Unknown", "RoutingLost")
    assert "go on with what they hold" in status_condition(sim.route(), "Servable")["message"]
    assert status_and_reason(sim.route(), "Ready")[0] == "False"
    assert (sim.route()["status"]["version"], sim.route()["status"]["trafficSummary"]) == ("v1", "v1 100")
    assert status_and_reason(sim.get(MODEL_SERVER, "default"), "Available")[0] == "True"
    pass_seconds(sim, 50)
    assert sim.store.get(CONFIG_MAP, ROUTING) is None
    sim.trains = True
    sim.settle()
    assert sim.document() == before
    assert status_and_reason(sim.route(), "Servable") == ("True", "Serving")


def test_route_is_answered_503_after_a_minute_and_recovers_by_itself(sim):
    """The status still says which version it is that is waited for."""
    before = lost_with_everything(sim)
    pass_seconds(sim, 61)
    assert status_and_reason(sim.route(), "Servable") == ("False", "VersionNotReady")
    assert sim.document().unavailable.reason == "VersionNotReady"
    assert "v1" in sim.document().unavailable.message
    assert "traffic stays" not in status_condition(sim.route(), "Accepted")["message"]
    assert sim.route()["status"]["version"] == "v1"
    sim.start()
    sim.trains = True
    sim.settle()
    assert sim.document() == before


def test_deleted_version_is_not_found_after_a_minute(sim):
    """The reason is VersionNotFound, not VersionNotReady."""
    lost_with_everything(sim)
    sim.delete(LINEAR_MODEL, "homes-v1")
    pass_seconds(sim, 61)
    assert status_and_reason(sim.route(), "Servable") == ("False", "VersionNotFound")
    assert sim.document().unavailable.reason == "VersionNotFound"
    assert sim.route()["status"]["version"] == "v1"


def test_other_route_waits_no_longer_than_the_minute(sim):
    """One that never served is served then, too."""
    lost_with_everything(sim)
    sim.apply(model_route("v2", name="other"))
    sim.settle()
    pass_seconds(sim, 61)
    sim.edit(LINEAR_MODEL, "homes-v2", frozen=None)
    sim.trains = True
    sim.settle()
    assert status_and_reason(sim.route("other"), "Ready") == ("True", "Ready")


def test_route_without_an_entry_does_not_shorten_the_next_wait(sim, monkeypatch):
    """There is room for one of two routes; the ConfigMap is deleted once more after the minute."""
    apply_waiting_route(sim)
    sim.apply(model_route("v2", name="other"))
    sim.settle()
    sim.edit(MODEL_ROUTE, "other", version="v9")
    sim.settle()
    sim.trains = False
    for body in (*sim.store.all(CONFIG_MAP), *sim.store.all(JOB)):
        sim.delete(JOB if body["kind"] == "Job" else CONFIG_MAP, body["metadata"]["name"])
    monkeypatch.setattr(routing_module, "ROOM", 500)
    sim.start()
    sim.settle()
    pass_seconds(sim, 61)
    entries = {key for key in sim.routing()["data"] if key.startswith("route.")}
    assert len(entries) == 1
    pass_seconds(sim, 61)
    writes = sim.store_writes
    pass_seconds(sim, 61)
    assert sim.store_writes == writes
    delete_configmap(sim)
    sim.settle()
    assert sim.store.get(CONFIG_MAP, ROUTING) is None, "it waits again"
    pass_seconds(sim, 61)
    assert {key for key in sim.routing()["data"] if key.startswith("route.")} == entries


def test_switch_to_a_version_that_can_serve_does_not_wait(sim):
    """The last good version is needed only if the desired one cannot serve."""
    apply_waiting_route(sim)
    sim.trains = False
    sim.delete(CONFIG_MAP, sim.model("v1")["status"]["artifact"])
    delete_configmap(sim)
    sim.start()
    sim.edit(MODEL_ROUTE, "homes", version="v2")
    sim.settle()
    assert status_and_reason(sim.route(), "Ready") == ("True", "Ready")
    assert (sim.document().current, sim.document().previous) == ("v2", "v1")


def test_route_with_an_unknown_last_version_says_so(sim):
    """It served once, so "never" would be wrong."""
    apply_waiting_route(sim)
    status = sim.route()["status"]
    gone = ("version", "previousVersion", "traffic", "trafficSummary")
    sim.set_status(MODEL_ROUTE, "homes", {key: value for key, value in status.items() if key not in gone})
    delete_configmap(sim)
    sim.start()
    for _ in range(2):
        sim.settle()
        message = status_condition(sim.route(), "Servable")["message"]
        assert "the last good version of this route is not known any more; spec.version v9 does not exist" in message
        assert status_and_reason(sim.route(), "Servable") == ("False", "VersionNotReady")
        sim.start()


@pytest.mark.parametrize(
    "status",
    [
        {"traffic": [{"version": "v2", "percent": "many"}]},
        {"traffic": "all"},
        {"version": "No Such"},
        {"traffic": [{"version": "v2", "percent": "60"}, {"version": "v3", "percent": "60"}]},
        {"previousVersion": 7},
    ],
)
def test_invalid_status_is_no_memory(sim, status):
    """An invalid status of another client causes no failure."""
    apply_waiting_route(sim)
    sim.set_status(MODEL_ROUTE, "homes", {**sim.route()["status"], **status})
    delete_configmap(sim)
    sim.start()
    sim.settle()
    assert status_and_reason(sim.route(), "Servable") == ("False", "VersionNotReady")


def test_recreated_route_of_the_same_name_has_no_memory(sim):
    """It is another object."""
    apply_waiting_route(sim)
    sim.delete(MODEL_ROUTE, "homes")
    delete_configmap(sim)
    sim.apply(model_route("v9"))
    sim.settle()
    assert status_and_reason(sim.route(), "Servable") == ("False", "NeverServed")
    assert "no version of this route has been Ready yet" in status_condition(sim.route(), "Servable")["message"]


def document_of(sim, server="blue"):
    return parse_entry(sim.get(CONFIG_MAP, f"linplane-routing-{server}")["data"]["route.homes"]).document


def test_deleted_server_is_named_by_its_routes_and_recreated_with_their_traffic(new_sim):
    """Nothing answers meanwhile; the status still says what did."""
    sim = new_sim(settings=Settings())
    metadata = {"name": "blue", "namespace": "default"}
    blue = {"apiVersion": names.API_VERSION, "kind": "ModelServer", "metadata": metadata, "spec": {}}
    sim.apply(blue, linear_model(), model_route(serverName="blue"))
    sim.settle()
    sim.edit(MODEL_ROUTE, "homes", version="v9")
    sim.settle()
    before = document_of(sim)
    sim.delete(MODEL_SERVER, "blue")
    sim.settle()
    assert status_and_reason(sim.route(), "Servable") == ("False", "ServerNotFound")
    message = status_condition(sim.route(), "Servable")["message"]
    assert message == "ModelServer blue is gone; nothing answers for this route"
    assert sim.route()["status"]["version"] == "v1"
    sim.start()
    sim.apply(blue)
    sim.settle()
    assert document_of(sim) == before


def test_waiting_configmap_causes_no_write_at_rest(sim):
    """Repeated resyncs cause no write."""
    lost_with_everything(sim)
    writes = sim.store_writes
    for _ in range(3):
        sim.resync()
        sim.settle()
    assert sim.store_writes == writes
