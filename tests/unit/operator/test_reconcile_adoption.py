"""Children that have lost their owner, as in a restored namespace: adopted if they prove what they are."""

from datetime import timedelta

import pytest

from linplane_api.kinds import CONFIG_MAP, DEPLOYMENT, JOB, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, SERVICE
from linplane_api.routing import make_entry
from linplane_operator.cluster_client import NameTakenError
from linplane_operator.compile.adoption import taken_text
from linplane_operator.compile.objects import uid_of
from unit.operator.builders import config_map, document, linear_model, model_route, status_and_reason, status_condition

ROUTING = "linplane-routing-default"
DEPLOYED = "linplane-server-default"


def without_owner(sim, kind, name):
    body = sim.get(kind, name)
    metadata = {key: value for key, value in body["metadata"].items() if key != "ownerReferences"}
    sim.store.update(kind, body, {**body, "metadata": metadata})


def restored(sim, entry=None, *, status=False):
    """Routing ConfigMap and Deployment without an owner, and an operator that has seen nothing of it. The route serves
    v1 and names v9, which does not exist. `status`: the route keeps its own.
    """
    sim.apply(linear_model("v1"), model_route())
    sim.settle()
    sim.edit(MODEL_ROUTE, "homes", version="v9")
    sim.settle()
    before = sim.document()
    if entry is not None:
        body = sim.routing()
        sim.store.update(CONFIG_MAP, body, {**body, "data": {**body["data"], "route.homes": entry}})
    without_owner(sim, CONFIG_MAP, ROUTING)
    without_owner(sim, DEPLOYMENT, DEPLOYED)
    if not status:
        sim.set_status(MODEL_ROUTE, "homes", None)
    sim.start()
    return before


def owners(sim, kind, name):
    return [owner["uid"] for owner in sim.get(kind, name)["metadata"].get("ownerReferences") or ()]


def test_routing_configmap_and_deployment_are_adopted(sim):
    """Traffic and sequence continue: a replica that still runs confirms the next sequence."""
    before = restored(sim)
    uid, sequence = uid_of(sim.routing()), int(sim.routing()["data"]["sequence"])
    sim.settle()
    server = uid_of(sim.get(MODEL_SERVER, "default"))
    assert owners(sim, CONFIG_MAP, ROUTING) == owners(sim, DEPLOYMENT, DEPLOYED) == [server]
    assert (uid_of(sim.routing()), int(sim.routing()["data"]["sequence"])) == (uid, sequence + 1)
    assert sim.document() == before
    assert status_and_reason(sim.route(), "Servable") == ("True", "Serving")
    assert status_and_reason(sim.route(), "Converged") == ("True", "Converged")
    assert sim.failures == []


OTHER = make_entry(document(weights={"v1": 9.0}), 1).to_bytes().decode()


@pytest.mark.parametrize("status", [False, True], ids=["without status", "with status"])
@pytest.mark.parametrize("entry", [OTHER, "{}", OTHER.replace("9", "8")], ids=["another digest", "empty", "damaged"])
def test_entry_without_proof_starts_empty(sim, entry, status):
    """Its weights are never served, since their owner is unknown. The status does not replace it."""
    restored(sim, entry, status=status)
    sim.settle()
    assert owners(sim, CONFIG_MAP, ROUTING) == [uid_of(sim.get(MODEL_SERVER, "default"))]
    assert sim.document().versions == {}
    assert status_and_reason(sim.route(), "Servable") == ("False", "VersionNotReady" if status else "NeverServed")
    assert sim.route()["status"].get("version") == ("v1" if status else None)
    sim.edit(MODEL_ROUTE, "homes", version="v1")
    sim.settle()
    assert status_and_reason(sim.route(), "Ready") == ("True", "Ready")


@pytest.mark.parametrize("in_time", [True, False])
def test_versions_in_retraining_are_awaited(sim, in_time):
    """For a minute the ConfigMap is left as it is; after it the route waits for its version, and for nothing else."""
    before = restored(sim)
    sim.trains = False
    for body in (*sim.store.all(JOB), *sim.store.all(CONFIG_MAP)):
        if body["kind"] == "Job" or "model.json" in (body.get("data") or {}):
            sim.delete(JOB if body["kind"] == "Job" else CONFIG_MAP, body["metadata"]["name"])
    data = sim.routing()["data"]
    sim.settle()
    assert (sim.routing()["data"], owners(sim, CONFIG_MAP, ROUTING)) == (data, [])
    assert status_and_reason(sim.route(), "Servable") == ("Unknown", "RoutingLost")
    if not in_time:
        sim.now += timedelta(seconds=61)
        sim.enqueue(*sim.later)
        sim.settle()
        assert sim.document().versions == {}
        assert status_and_reason(sim.route(), "Servable") == ("False", "VersionNotReady")
    sim.trains = True
    sim.settle()
    assert sim.document() == before
    assert owners(sim, CONFIG_MAP, ROUTING) == [uid_of(sim.get(MODEL_SERVER, "default"))]


def test_frozen_version_is_not_restored(sim):
    restored(sim)
    sim.edit(LINEAR_MODEL, "homes-v1", frozen=True)
    sim.settle()
    assert sim.document().versions == {}
    assert status_and_reason(sim.route(), "Servable") == ("False", "CurrentFrozen")


@pytest.mark.parametrize("change", ["owner", "label"])
def test_object_with_an_owner_or_other_labels_is_never_adopted(sim, change):
    """An owner of whatever kind, also one that does not control it."""
    restored(sim)
    body = sim.routing()
    metadata = dict(body["metadata"])
    if change == "owner":
        metadata["ownerReferences"] = [{"apiVersion": "v1", "kind": "Secret", "name": "theirs", "uid": "u"}]
    else:
        metadata["labels"] = {**metadata["labels"], "app.kubernetes.io/instance": "blue"}
    sim.store.update(CONFIG_MAP, body, {**body, "metadata": metadata})
    sim.settle()
    assert status_and_reason(sim.route(), "Accepted") == ("False", "NameTaken")
    assert sim.routing()["data"] == body["data"]
    assert owners(sim, DEPLOYMENT, DEPLOYED) == [], "no pod is started to serve what it holds"


def test_foreign_children_are_all_named_at_once(sim):
    """With what to do about it, and what that costs."""
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": DEPLOYED}, "spec": {}}
    sim.loads = False
    sim.apply(config_map(ROUTING, {"a": "b"}), deployment, linear_model(), model_route())
    sim.settle()
    message = status_condition(sim.get(MODEL_SERVER, "default"), "Ready")["message"]
    assert message == (
        f"ConfigMap {ROUTING} and Deployment {DEPLOYED} exist and do not belong to ModelServer default. Rename the "
        f"ModelServer, or delete ConfigMap {ROUTING} and Deployment {DEPLOYED} if they are left over from a restore or "
        f"--cascade=orphan; the traffic that ConfigMap {ROUTING} holds is lost with it"
    )


def test_route_names_its_service_and_the_configmap_at_once(sim):
    """The one is in its own way, the other in its server's."""

    async def check(body):
        if body["kind"] == SERVICE.kind and body["metadata"]["name"] == "homes":
            raise NameTakenError("ModelRoute homes", "Service homes")

    sim.cluster.check = check
    sim.apply(config_map(ROUTING, {"a": "b"}), linear_model(), model_route())
    sim.settle()
    message = status_condition(sim.route(), "Accepted")["message"]
    assert f"ConfigMap {ROUTING} exists and does not belong to ModelServer default" in message
    assert "Service homes exists and does not belong to ModelRoute homes" in message


def test_foreign_child_is_named():
    assert taken_text("ModelRoute shop", ["Service shop"]) == (
        "Service shop exists and does not belong to ModelRoute shop. Rename the ModelRoute, or delete Service shop if "
        "it is left over from a restore or --cascade=orphan"
    )
    assert taken_text("", ["Role linplane-trainer"]).startswith(
        "Role linplane-trainer exists and does not belong to Linplane. Delete Role linplane-trainer if it is left over"
    )
