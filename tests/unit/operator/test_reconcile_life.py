"""Versions, routes and servers from the first apply to the last delete: the state of the cache is asserted."""

import asyncio
from datetime import timedelta

from linplane_api import names
from linplane_api.kinds import CONFIG_MAP, DEPLOYMENT, JOB, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, POD
from unit.operator.builders import (
    config_map,
    csv_training,
    handmade,
    linear_model,
    model_route,
    status_and_reason,
    status_condition,
    text,
    weights_from,
)
from unit.operator.planning import error


def two_versions(sim, split=()):
    """v1 and v2, of different coefficients, and a route on v1."""
    sim.results["homes-v2"] = lambda: {names.ARTIFACT_KEY: text(3.0)}
    sim.apply(linear_model("v1"), linear_model("v2"), model_route(split=split))
    sim.settle()


def test_applied_version_is_trained_and_its_route_ready(sim):
    """From two manifests to Ready, with every column of kubectl get filled."""
    sim.apply(linear_model(), model_route())
    sim.settle()
    model, route, server = sim.model(), sim.route(), sim.get(MODEL_SERVER, "default")
    assert status_and_reason(model, "Ready") == ("True", "Validated")
    assert (model["status"]["evaluation"]["mse"], model["status"]["evaluation"]["r2"]) == (1.0, 0.9)
    assert (model["status"]["samples"], model["status"]["servingIn"]) == (100, ["homes"])
    assert status_and_reason(route, "Ready") == ("True", "Ready")
    assert (route["status"]["trafficSummary"], route["status"]["loadedSummary"]) == ("v1 100", "1/1")
    assert route["status"]["url"] == "http://here/routes/homes"
    assert status_and_reason(server, "Ready") == ("True", "Ready")
    assert (server["status"]["replicas"], server["status"]["routes"]) == (1, 1)
    assert sim.get(CONFIG_MAP, model["status"]["artifact"])["immutable"] is True
    assert sim.failures == []


def test_switch_takes_effect_and_is_recorded(sim):
    """Current, previous, the log, and where each version serves."""
    two_versions(sim)
    sim.edit(MODEL_ROUTE, "homes", version="v2")
    sim.settle()
    status = sim.route()["status"]
    assert (status["version"], status["previousVersion"]) == ("v2", "v1")
    assert [(s.get("from"), s["to"]) for s in status["switches"]] == [(None, "v1"), ("v1", "v2")]
    assert "servingIn" not in sim.model("v1")["status"]
    assert sim.model("v2")["status"]["servingIn"] == ["homes"]


def test_switch_to_a_version_in_training_takes_effect_by_itself(sim):
    """Until then the last good traffic continues, including its split."""
    two_versions(sim, split=[("v2", 10)])
    sim.trains = False
    sim.apply(linear_model("v3"))
    sim.edit(MODEL_ROUTE, "homes", version="v3", split=None)
    sim.settle()
    assert status_and_reason(sim.route(), "Accepted") == ("False", "VersionNotReady")
    assert status_and_reason(sim.route(), "Servable") == ("True", "Serving")
    assert sim.route()["status"]["trafficSummary"] == "v1 90, v2 10"
    sim.trains = True
    sim.settle()
    assert status_and_reason(sim.route(), "Ready") == ("True", "Ready")
    assert sim.route()["status"]["trafficSummary"] == "v3 100"


def test_freezing_a_candidate_gives_its_share_to_the_current_version(sim):
    """It is Withdrawn once every replica has confirmed, and takes its users back when thawed."""
    two_versions(sim, split=[("v2", 10)])
    revision = sim.route()["status"]["revision"]
    sim.loads = False
    sim.edit(LINEAR_MODEL, "homes-v2", frozen=True)
    sim.settle()
    assert status_and_reason(sim.model("v2"), "Withdrawn") == ("False", "ReplicasBehind")
    assert "p1" in status_condition(sim.model("v2"), "Withdrawn")["message"]
    sim.loads = True
    sim.settle()
    assert status_and_reason(sim.model("v2"), "Withdrawn") == ("True", "Frozen")
    assert sim.route()["status"]["trafficSummary"] == "v1 100"
    assert status_and_reason(sim.route(), "Accepted") == ("False", "CandidateUnavailable")
    assert set(sim.document().versions) == {"v1"}
    sim.edit(LINEAR_MODEL, "homes-v2", frozen=None)
    sim.settle()
    assert status_and_reason(sim.model("v2"), "Withdrawn") == ("False", "NotFrozen")
    assert sim.route()["status"]["revision"] == revision


def test_freezing_the_current_version_is_answered_503_until_it_is_switched(sim):
    """The route picks no version that the spec does not name."""
    two_versions(sim)
    sim.edit(LINEAR_MODEL, "homes-v1", frozen=True)
    sim.settle()
    assert (
        status_and_reason(sim.route(), "Servable")
        == status_and_reason(sim.route(), "Ready")
        == ("False", "CurrentFrozen")
    )
    assert status_and_reason(sim.model("v1"), "Withdrawn") == ("True", "Frozen")
    assert status_and_reason(sim.model("v1"), "Ready") == ("True", "Validated")
    sim.edit(MODEL_ROUTE, "homes", version="v2")
    sim.settle()
    assert status_and_reason(sim.route(), "Ready") == ("True", "Ready")


def test_withdrawn_stays_true_whatever_else_changes(sim):
    """A replica that cannot be reached any more had confirmed it, and cannot go back."""
    two_versions(sim)
    sim.edit(LINEAR_MODEL, "homes-v2", frozen=True)
    sim.settle()
    sim.loads = False
    sim.apply(model_route(name="second"))
    sim.settle()
    sim.resync()
    sim.settle()
    assert status_and_reason(sim.model("v2"), "Withdrawn") == ("True", "Frozen")
    assert status_and_reason(sim.route("second"), "Converged") == ("False", "ReplicasBehind")


def test_terminating_pod_of_a_deleted_server_delays_withdrawn(sim):
    """It may still answer."""
    two_versions(sim)
    sim.store.delete(MODEL_ROUTE, sim.route())
    sim.store.delete(MODEL_SERVER, sim.get(MODEL_SERVER, "default"))
    sim.loads = False
    pod = sim.get(POD, "p1")
    sim.store.update(POD, pod, {**pod, "metadata": {**pod["metadata"], "deletionTimestamp": "2026-03-01T12:00:00Z"}})
    sim.edit(LINEAR_MODEL, "homes-v1", frozen=True)
    sim.settle()
    assert status_and_reason(sim.model("v1"), "Withdrawn") == ("False", "ReplicasBehind")
    sim.delete(POD, "p1")
    sim.settle()
    assert status_and_reason(sim.model("v1"), "Withdrawn") == ("True", "Frozen")


def test_deleting_a_serving_version_keeps_its_traffic(sim):
    """The route continues with its document and says so."""
    two_versions(sim, split=[("v2", 10)])
    document = sim.routing()["data"]["route.homes"]
    sim.delete(LINEAR_MODEL, "homes-v1")
    sim.delete(LINEAR_MODEL, "homes-v2")
    sim.settle()
    assert status_and_reason(sim.route(), "Accepted") == ("False", "VersionNotFound")
    assert status_and_reason(sim.route(), "Servable") == ("True", "Serving")
    assert sim.routing()["data"]["route.homes"] == document
    assert sim.store.all(JOB) == []


def test_deleting_a_route_removes_its_document_and_leaves_the_server(sim):
    """The sequence rises, so that replicas confirm it; its versions serve nowhere."""
    two_versions(sim)
    before = int(sim.routing()["data"]["sequence"])
    sim.delete(MODEL_ROUTE, "homes")
    sim.settle()
    assert sim.routing()["data"] == {"sequence": str(before + 1)}
    assert "servingIn" not in sim.model("v1")["status"]
    assert status_and_reason(sim.get(MODEL_SERVER, "default"), "Converged") == ("True", "NoRoutes")


def test_terminating_route_has_no_document(sim):
    """Whatever still holds the object up."""
    two_versions(sim)
    route = sim.route()
    metadata = {**route["metadata"], "deletionTimestamp": "2026-03-01T12:00:00Z", "finalizers": ["theirs"]}
    sim.store.update(MODEL_ROUTE, route, {**route, "metadata": metadata})
    sim.settle()
    assert set(sim.routing()["data"]) == {"sequence"}


def test_deleted_child_is_recreated(sim):
    """The Deployment and the routing ConfigMap, as they were."""
    two_versions(sim)
    deployment = sim.get(DEPLOYMENT, "linplane-server-default")["spec"]
    sim.delete(DEPLOYMENT, "linplane-server-default")
    sim.delete(CONFIG_MAP, "linplane-routing-default")
    sim.settle()
    assert sim.get(DEPLOYMENT, "linplane-server-default")["spec"] == deployment
    assert status_and_reason(sim.route(), "Ready") == ("True", "Ready")


def test_edited_child_is_repaired(sim):
    """Its fields are ours."""
    two_versions(sim)
    body = sim.get(DEPLOYMENT, "linplane-server-default")
    sim.store.update(DEPLOYMENT, body, {**body, "spec": {**body["spec"], "replicas": 9}})
    sim.settle()
    assert sim.get(DEPLOYMENT, "linplane-server-default")["spec"]["replicas"] == 1


def test_edited_sequence_is_exceeded(sim):
    """The map's or an entry's: the routes converge again, and what was last good is remembered."""
    two_versions(sim)
    sim.edit(MODEL_ROUTE, "homes", version="v2")
    sim.settle()
    before, document = sim.routing(), sim.document()
    for key, old, new in (
        ("sequence", before["data"]["sequence"], "1"),
        ("route.homes", '"sequence":', '"sequence":9'),
    ):
        body = sim.routing()
        data = {**body["data"], key: body["data"][key].replace(old, new)}
        sim.store.update(CONFIG_MAP, body, {**body, "data": data})
        sim.settle()
        assert int(sim.routing()["data"]["sequence"]) > int(body["data"]["sequence"])
        assert status_and_reason(sim.route(), "Ready") == ("True", "Ready")
        assert sim.document() == document


def test_training_that_failed_for_its_data_is_retried_once_the_data_is_repaired(sim):
    """Saving the table is enough; the old error is not attributed to the new training."""
    sim.results["homes-v1"] = error
    sim.apply(config_map("rows", {"rows.csv": "x,y\n1,?\n"}), linear_model(training=csv_training()))
    sim.settle()
    assert status_and_reason(sim.model(), "Ready") == ("False", "BadData")
    assert "line 3" in status_condition(sim.model(), "Ready")["message"]
    first = sim.job()
    sim.results["homes-v1"] = dict
    sim.apply(config_map("rows", {"rows.csv": "x,y\n1,2\n"}))
    sim.settle()
    assert status_and_reason(sim.model(), "Ready") == ("False", "TrainingFailed")
    assert "line 3" not in status_condition(sim.model(), "Ready")["message"]
    assert sim.job()["metadata"]["uid"] != first["metadata"]["uid"]
    del sim.results["homes-v1"]
    sim.edit(LINEAR_MODEL, "homes-v1", training=csv_training(job={"backoffLimit": 0}))
    sim.settle()
    assert status_and_reason(sim.model(), "Ready") == ("True", "Validated")


def test_deleting_a_failed_job_is_a_retry(sim):
    """The message names this way."""
    sim.results["homes-v1"] = error
    sim.apply(linear_model())
    sim.settle()
    del sim.results["homes-v1"]
    sim.delete(JOB, sim.job()["metadata"]["name"])
    sim.settle()
    assert status_and_reason(sim.model(), "Ready") == ("True", "Validated")


def test_changed_training_of_a_failed_version_is_a_retry(sim):
    """Nothing was learned yet, so nothing changes its meaning; the old Job and result go."""
    sim.results["homes-v1"] = error
    sim.apply(linear_model())
    sim.settle()
    old = sim.job()["metadata"]["name"]
    del sim.results["homes-v1"]
    sim.edit(LINEAR_MODEL, "homes-v1", training={"data": {"synthetic": {"samples": 60}}})
    sim.settle()
    assert status_and_reason(sim.model(), "Ready") == ("True", "Validated")
    assert sim.job()["metadata"]["name"] != old
    assert sim.store.get(CONFIG_MAP, old) is None


def test_lost_status_is_written_again_without_training(sim):
    """The sealed result is the memory; the digest is the same."""
    two_versions(sim)
    before, jobs = sim.model()["status"], [j["metadata"]["uid"] for j in sim.store.all(JOB)]
    for kind, name in ((LINEAR_MODEL, "homes-v1"), (MODEL_ROUTE, "homes"), (MODEL_SERVER, "default")):
        sim.set_status(kind, name, None)
    sim.settle()
    after = sim.model()["status"]
    assert {k: v for k, v in after.items() if k != "conditions"} == {
        k: v for k, v in before.items() if k != "conditions"
    }
    assert [j["metadata"]["uid"] for j in sim.store.all(JOB)] == jobs
    assert status_and_reason(sim.route(), "Ready") == ("True", "Ready")


def test_cleared_status_and_another_training_give_no_other_weights(sim):
    """The reason is TrainingChanged; the route continues with its weights."""
    two_versions(sim)
    document = sim.routing()["data"]["route.homes"]
    sim.set_status(LINEAR_MODEL, "homes-v1", None)
    sim.edit(LINEAR_MODEL, "homes-v1", training={"data": {"synthetic": {"samples": 99}}})
    sim.settle()
    assert status_and_reason(sim.model(), "Ready") == ("False", "TrainingChanged")
    assert sim.routing()["data"]["route.homes"] == document


def test_lost_artifact_is_trained_again_and_counts_only_with_its_digest(sim):
    """All the while the route answers; other data never becomes this version."""
    two_versions(sim)
    document, digest = sim.routing()["data"]["route.homes"], sim.model()["status"]["digest"]
    sim.default_result = lambda: {names.ARTIFACT_KEY: text(9.0)}
    sim.delete(CONFIG_MAP, sim.model()["status"]["artifact"])
    sim.settle()
    assert status_and_reason(sim.model(), "Ready") == ("False", "ArtifactLost")
    assert (sim.model()["status"]["digest"], sim.model()["status"]["samples"]) == (digest, 100)
    assert sim.routing()["data"]["route.homes"] == document
    sim.default_result = lambda: {names.ARTIFACT_KEY: text()}
    sim.delete(JOB, sim.model()["status"]["job"])
    sim.settle()
    assert status_and_reason(sim.model(), "Ready") == ("True", "Validated")
    assert sim.routing()["data"]["route.homes"] == document


def test_artifact_lost_before_its_job_has_ended_is_trained_again(sim):
    """The Job has nothing to write any more; it is run again."""
    two_versions(sim)
    digest = sim.model()["status"]["digest"]
    sim.delete(CONFIG_MAP, sim.model()["status"]["artifact"])
    job = sim.get(JOB, sim.model()["status"]["job"])
    sim.store.update(JOB, job, {**job, "status": {"active": 1}})
    sim.trains = False
    sim.settle()
    assert status_and_reason(sim.model(), "Ready") == ("False", "ArtifactLost")
    job = sim.get(JOB, sim.model()["status"]["job"])
    done = [{"type": "Complete", "status": "True"}]
    sim.store.update(JOB, job, {**job, "status": {"conditions": done, "completionTime": "2026-03-01T12:00:00Z"}})
    sim.trains = True
    sim.settle()
    assert status_and_reason(sim.model(), "Ready") == ("True", "Validated")
    assert sim.model()["status"]["digest"] == digest


def test_weights_by_hand_are_copied_and_then_independent(sim):
    """Editing and deleting the user's ConfigMap changes nothing."""
    sim.apply(handmade(), linear_model(weights=weights_from()), model_route())
    sim.settle()
    assert status_and_reason(sim.model(), "Trained") == ("True", "WeightsRead")
    before = sim.state()
    sim.apply(handmade(9.0))
    sim.settle()
    sim.delete(CONFIG_MAP, "handmade")
    sim.settle()
    before.pop(("ConfigMap", "handmade"))
    assert sim.state() == before


def test_weights_that_appear_later_are_used_once_they_appear(sim):
    """The route waits, and so does nothing else."""
    sim.apply(linear_model(weights=weights_from()), model_route())
    sim.settle()
    assert status_and_reason(sim.model(), "Ready") == ("False", "ConfigMapNotFound")
    assert status_and_reason(sim.route(), "Ready") == ("False", "VersionNotReady")
    sim.apply(handmade())
    sim.settle()
    assert status_and_reason(sim.route(), "Ready") == ("True", "Ready")


def test_missed_gate_keeps_a_version_from_ready(sim):
    """Trained, and never Ready."""
    sim.apply(linear_model(acceptance={"minR2": "0.95"}), model_route())
    sim.settle()
    assert status_and_reason(sim.model(), "Trained") == ("True", "Trained")
    assert status_and_reason(sim.model(), "Ready") == ("False", "AcceptanceMissed")
    assert status_and_reason(sim.route(), "Servable") == ("False", "NeverServed")


def test_recreated_version_is_trained_again(sim):
    """It is another object: what was sealed went with the first one."""
    two_versions(sim)
    sim.default_result = lambda: {names.ARTIFACT_KEY: text(5.0)}
    digest = sim.model()["status"]["digest"]
    sim.delete(LINEAR_MODEL, "homes-v1")
    sim.apply(linear_model("v1"))
    sim.settle()
    assert sim.model()["status"]["digest"] != digest
    assert sim.model()["status"]["digest"] in sim.routing()["data"]["route.homes"]
    assert status_and_reason(sim.route(), "Ready") == ("True", "Ready")


def test_right_to_a_sealed_result_is_revoked_by_the_next_process(sim):
    """The process died between the seal and the revocation."""
    granted = []
    sim.apply(linear_model())
    sim.settle()
    sim.start()
    sim.cluster.before_write = lambda _, body: granted.append(body.get("rules")) if body["kind"] == "Role" else None
    asyncio.run(sim.reconciler.repair())
    assert granted == []
    sim.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "linplane-trainer"}})
    asyncio.run(sim.reconciler.repair())
    assert granted == [[]]


def test_change_that_no_server_has_yet_is_accepted_and_waits(sim):
    """The route is reconciled before its server writes the routing."""
    two_versions(sim)
    sim.edit(MODEL_ROUTE, "homes", version="v2")
    (key,) = (key for key in sim.pending if key[0] == MODEL_ROUTE.kind)
    asyncio.run(sim.reconciler.reconcile(key))
    sim.now += timedelta(seconds=2)  # past the hold-back
    asyncio.run(sim.reconciler.reconcile(key))
    accepted = status_condition(sim.route(), "Accepted")
    assert (accepted["status"], accepted["message"]) == ("True", "accepted; waiting for the servers")
    sim.settle()
    assert status_and_reason(sim.route(), "Converged") == ("True", "Converged")
