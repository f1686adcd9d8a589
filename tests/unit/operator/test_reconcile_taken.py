"""Foreign objects are never written: a taken name is a condition, which ends when the name is free."""

import pytest

from linplane_api import names
from linplane_api.kinds import CONFIG_MAP, DEPLOYMENT, JOB, MODEL_ROUTE, MODEL_SERVER
from linplane_operator.cluster_client import ConflictError, NamespaceTerminatingError, NameTakenError, RefusedError
from linplane_operator.compile.objects import uid_of
from linplane_operator.compile.settings import Settings
from linplane_operator.compile.training import result_name
from unit.operator.builders import (
    config_map,
    handmade,
    linear_model,
    model_route,
    status_and_reason,
    status_condition,
    typed,
    weights_from,
)

ROUTING = "linplane-routing-default"
DEPLOYED = "linplane-server-default"


def foreign_deployment():
    """A Deployment of another owner."""
    metadata = {"name": DEPLOYED, "namespace": "default"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"replicas": 7}}


def test_foreign_routing_configmap_is_left_alone(sim):
    """Route and server say so; no pod is started to serve what it holds; its entries are no memory of ours."""
    theirs = config_map(ROUTING, {"sequence": "7", "route.homes": "theirs"})
    sim.apply(theirs, linear_model(), model_route())
    sim.settle()
    assert sim.get(CONFIG_MAP, ROUTING)["data"] == theirs["data"]
    assert (
        status_and_reason(sim.route(), "Accepted") == status_and_reason(sim.route(), "Ready") == ("False", "NameTaken")
    )
    assert status_and_reason(sim.get(MODEL_SERVER, "default"), "Ready") == ("False", "NameTaken")
    assert ROUTING in status_condition(sim.route(), "Accepted")["message"]
    assert sim.store.get(DEPLOYMENT, DEPLOYED) is None
    assert status_and_reason(sim.model(), "Ready") == ("True", "Validated")
    assert sim.failures == []
    sim.delete(CONFIG_MAP, ROUTING)
    sim.now = max(sim.later.values())
    sim.enqueue(*sim.later)
    sim.settle()
    assert status_and_reason(sim.route(), "Ready") == ("True", "Ready")


def test_foreign_deployment_is_left_alone(sim):
    """The server says so; its routes wait for replicas."""
    sim.apply(foreign_deployment(), linear_model(), model_route())
    sim.loads = False
    sim.settle()
    assert sim.get(DEPLOYMENT, DEPLOYED)["spec"] == {"replicas": 7}
    assert status_and_reason(sim.get(MODEL_SERVER, "default"), "Ready") == ("False", "NameTaken")
    assert status_and_reason(sim.route(), "Ready") == ("False", "NoReplicas")


@pytest.mark.parametrize("owner", ["theirs", "ours"])
def test_routing_configmap_that_the_cache_lacks_is_read_live(sim, owner):
    """A foreign one is named; one of ours is waited for."""
    sim.apply(linear_model(), model_route())

    async def refuse(body):
        raise ConflictError("exists")

    async def live(kind, *where):
        if where[-1] != ROUTING:
            return await read(kind, *where)
        uid = uid_of(sim.get(MODEL_SERVER, "default")) if owner == "ours" else "u"
        return {"metadata": {"name": ROUTING, "ownerReferences": [{"uid": uid, "controller": True}]}}

    create, read = sim.cluster.create, sim.cluster.read
    sim.cluster.create = lambda body: (refuse if body["kind"] == "ConfigMap" else create)(body)
    sim.cluster.read = live
    if owner == "ours":
        with pytest.raises(AssertionError, match="endless"):
            sim.reconcile_all(limit=50)
        assert set(sim.failures) == {"exists"}
        assert status_and_reason(sim.get(MODEL_SERVER, "default"), "Ready") == ("", "")
    else:
        sim.reconcile_all()
        assert status_and_reason(sim.get(MODEL_SERVER, "default"), "Ready") == ("False", "NameTaken")
        assert sim.failures == []


def test_routing_configmap_of_an_earlier_server_is_not_ours(sim):
    """A ModelServer created again waits for the garbage collector and does not adopt a child about to be deleted."""
    sim.apply(linear_model(), model_route())
    sim.settle()
    body = sim.routing()
    owner = {**body["metadata"]["ownerReferences"][0], "uid": "earlier"}
    sim.store.update(CONFIG_MAP, body, {**body, "metadata": {**body["metadata"], "ownerReferences": [owner]}})
    sim.settle()
    assert status_and_reason(sim.route(), "Accepted") == ("False", "NameTaken")
    sim.delete(CONFIG_MAP, ROUTING)
    sim.settle()
    assert status_and_reason(sim.route(), "Ready") == ("True", "Ready")


def test_foreign_object_with_the_name_of_a_training_is_left_alone(sim):
    """Nothing is learned, and the version says why."""
    sim.apply(linear_model())
    model = sim.model()
    name = result_name(model, typed(model))
    sim.apply(config_map(name, {"mine": "1"}))
    sim.settle()
    assert (
        status_and_reason(sim.model(), "Ready") == status_and_reason(sim.model(), "Trained") == ("False", "NameTaken")
    )
    assert name in status_condition(sim.model(), "Trained")["message"]
    assert sim.get(CONFIG_MAP, name)["data"] == {"mine": "1"}
    assert sim.store.all(JOB) == []
    assert sim.failures == []


def test_foreign_copy_of_weights_is_left_alone(sim):
    """A version is never Ready with what could not be kept."""
    sim.apply(handmade(), linear_model(weights=weights_from()), model_route())
    sim.settle()
    name = sim.model()["status"]["artifact"]
    sim.delete(CONFIG_MAP, name)
    sim.apply(config_map(name, {names.ARTIFACT_KEY: "theirs"}))
    sim.settle()
    assert status_and_reason(sim.model(), "Ready") == ("False", "NameTaken")
    assert sim.get(CONFIG_MAP, name)["data"] == {names.ARTIFACT_KEY: "theirs"}
    assert status_and_reason(sim.route(), "Servable") == ("True", "Serving")


def test_foreign_service_with_the_name_of_a_route_is_left_alone(sim):
    """The route says so; what it says of its document stays true, for that is served by path all the same."""
    free = []

    def refuse(verb, body):
        if body["kind"] == "Service" and body["metadata"]["name"] == "homes" and not free:
            raise NameTakenError("ModelRoute homes", "Service homes")

    sim.cluster.before_write = refuse
    sim.apply(linear_model(), model_route())
    sim.settle()
    assert (
        status_and_reason(sim.route(), "Accepted") == status_and_reason(sim.route(), "Ready") == ("False", "NameTaken")
    )
    assert status_and_reason(sim.route(), "Servable") == ("True", "Serving")
    assert status_and_reason(sim.route(), "Converged") == ("True", "Converged")
    free.append(True)
    sim.now = max(sim.later.values())
    sim.enqueue(*sim.later)
    sim.settle()
    assert status_and_reason(sim.route(), "Ready") == ("True", "Ready")


def test_server_other_than_default_must_exist(new_sim):
    """It is the user's to make."""
    sim = new_sim(settings=Settings())
    sim.apply(linear_model(), model_route(serverName="gpu"))
    sim.settle()
    assert status_and_reason(sim.route(), "Accepted") == ("False", "ServerNotFound")
    assert sim.store.all(MODEL_SERVER) == []
    metadata = {"name": "gpu", "namespace": "default"}
    sim.apply({"apiVersion": names.API_VERSION, "kind": "ModelServer", "metadata": metadata, "spec": {"replicas": 2}})
    sim.settle()
    assert status_and_reason(sim.route(), "Accepted") == ("True", "Accepted")
    assert sim.get(DEPLOYMENT, "linplane-server-gpu")["spec"]["replicas"] == 2


def test_unreadable_version_stops_no_route(sim):
    """Whatever wrote it; it is as one that is not there."""
    sim.apply(linear_model(), model_route())
    sim.settle()
    odd = linear_model("v2")
    odd["spec"]["frozen"] = "maybe"
    sim.apply(odd, model_route("v2"), model_route(name="other"))
    sim.settle()
    assert status_and_reason(sim.route(), "Accepted") == ("False", "VersionNotFound")
    assert status_and_reason(sim.route("other"), "Ready") == ("True", "Ready")


REFUSED = [
    ("Service", "homes", "route", "Accepted"),
    ("Deployment", DEPLOYED, "server", "Converged"),
    ("PodDisruptionBudget", DEPLOYED, "server", "Ready"),
    ("Job", "linplane-homes-v2", "model", "Trained"),
]


@pytest.mark.parametrize(("kind", "name", "reported_by", "condition"), REFUSED)
def test_refused_child_is_reported_and_retried(sim, kind, name, reported_by, condition):
    """A policy or a quota refuses it; traffic continues, and the other children are created."""
    free = []

    def refuse(verb, body):
        if body["kind"] == kind and body["metadata"]["name"].startswith(name) and not free:
            raise RefusedError(f"{name} is invalid: must be less than or equal to memory limit")

    sim.cluster.before_write = refuse
    sim.apply(linear_model(), linear_model("v2"), model_route())
    sim.settle()

    def reporter():
        server = sim.get(MODEL_SERVER, "default")
        return {"route": sim.route(), "server": server, "model": sim.model("v2")}[reported_by]

    assert (
        status_and_reason(reporter(), condition) == status_and_reason(reporter(), "Ready") == ("False", "ChildRefused")
    )
    assert "memory limit" in status_condition(reporter(), condition)["message"]
    assert status_and_reason(sim.route(), "Servable") == ("True", "Serving")
    assert (sim.store.get(DEPLOYMENT, DEPLOYED) is None) is (kind == "Deployment")
    assert sim.failures == []
    free.append(True)
    sim.now = max(sim.later.values())
    sim.enqueue(*sim.later)
    sim.settle()
    assert status_and_reason(reporter(), "Ready")[0] == "True"


def test_terminating_namespace_gets_no_retries(sim):
    """Its objects are deleted one by one and cannot be created again: no write, and no requeue."""
    sim.apply(linear_model(), model_route())
    sim.settle()
    tried = []

    def refuse(verb, body):
        tried.append(body["kind"])
        raise NamespaceTerminatingError("because it is being terminated")

    sim.cluster.before_write = refuse
    sim.delete(DEPLOYMENT, DEPLOYED)
    sim.delete(CONFIG_MAP, sim.model()["status"]["artifact"])
    sim.later.clear()
    sim.settle()
    assert {"ServiceAccount", "Service"} <= set(tried)
    assert (sim.failures, sim.later) == ([], {})


def test_refused_routing_configmap_is_reported_by_the_waiting_route(sim):
    """No other route reports it; the replicas are reconciled, and traffic continues."""
    free = []

    def refuse(verb, body):
        if body["metadata"]["name"] == ROUTING and not free:
            raise RefusedError("exceeded quota: one")

    sim.apply(linear_model(), linear_model("v2"), model_route(), model_route(name="other"))
    sim.settle()
    sim.cluster.before_write = refuse
    sim.edit(MODEL_ROUTE, "homes", version="v2")
    sim.delete(DEPLOYMENT, DEPLOYED)
    sim.settle()
    for body, condition in ((sim.route(), "Accepted"), (sim.get(MODEL_SERVER, "default"), "Converged")):
        assert status_and_reason(body, condition) == status_and_reason(body, "Ready") == ("False", "ChildRefused")
        assert "exceeded quota: one" in status_condition(body, condition)["message"]
    assert sim.route()["status"]["trafficSummary"] == "v1 100"
    assert status_and_reason(sim.route(), "Servable") == ("True", "Serving")
    assert status_and_reason(sim.route("other"), "Ready") == ("True", "Ready")
    assert sim.store.get(DEPLOYMENT, DEPLOYED) is not None
    sim.edit(MODEL_ROUTE, "homes", version="v1")
    sim.settle()
    assert status_and_reason(sim.route(), "Ready") == ("True", "Ready"), "what it asks for is in force"
    sim.edit(MODEL_ROUTE, "homes", version="v2")
    sim.settle()
    assert status_and_reason(sim.route(), "Accepted") == ("False", "ChildRefused")
    free.append(True)
    sim.now = max(sim.later.values())
    sim.enqueue(*sim.later)
    sim.settle()
    assert status_and_reason(sim.route(), "Ready") == ("True", "Ready")
    assert sim.route()["status"]["trafficSummary"] == "v2 100"


def test_refused_creation_of_the_routing_configmap_is_reported(sim):
    """There is no document yet, and no spec is in effect."""

    def refuse(verb, body):
        if body["metadata"]["name"] == ROUTING:
            raise RefusedError("exceeded quota: one")

    sim.cluster.before_write = refuse
    sim.apply(linear_model(), model_route())
    sim.settle()
    assert (
        status_and_reason(sim.route(), "Accepted")
        == status_and_reason(sim.route(), "Ready")
        == ("False", "ChildRefused")
    )


def test_immutable_routing_configmap_is_left_to_the_user(sim):
    """It alone remembers what was last good: a route says that its change waits for that, and no other does."""
    sim.apply(linear_model(), linear_model("v2"), model_route(), model_route(name="other"))
    sim.settle()
    body = sim.routing()
    sim.store.update(CONFIG_MAP, body, {**body, "immutable": True})
    sim.edit(MODEL_ROUTE, "homes", version="v2")
    sim.settle()
    assert status_and_reason(sim.route(), "Accepted") == ("False", "ChildRefused")
    assert "Delete it: the operator makes it again" in status_condition(sim.route(), "Accepted")["message"]
    assert sim.route()["status"]["trafficSummary"] == "v1 100"
    assert status_and_reason(sim.route("other"), "Ready") == ("True", "Ready")
    assert sim.routing()["data"] == body["data"]
    sim.delete(CONFIG_MAP, ROUTING)
    sim.settle()
    assert (
        status_and_reason(sim.route(), "Ready") == status_and_reason(sim.route("other"), "Ready") == ("True", "Ready")
    )
    assert sim.route()["status"]["trafficSummary"] == "v2 100"


def test_deleted_server_leaves_nothing_in_memory(sim):
    """Its routes are others', and so may its name be."""
    sim.apply(linear_model(), linear_model("v2", frozen=True), model_route())
    sim.settle()
    assert [*sim.reconciler._context.routings._read] == [("default", "default")]
    sim.delete(MODEL_ROUTE, "homes")
    sim.delete(MODEL_SERVER, "default")
    sim.settle()
    assert [*sim.reconciler._context.routings._read] == []
    sim.apply(model_route("v2"))
    sim.settle()
    assert status_and_reason(sim.route(), "Servable") == ("False", "NeverServed")
