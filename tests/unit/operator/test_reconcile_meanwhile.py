"""Changes that arrive while a reconcile waits for the API server, and reconciles that must leave things alone."""

import asyncio
from collections.abc import Callable

import pytest

from linplane_api import names
from linplane_api.kinds import JOB, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, POD, Kind
from unit.operator.builders import Object, linear_model, model_route, pod, status_and_reason
from unit.operator.harness import Sim

SERVER = (MODEL_SERVER.kind, "default", "default")
LATER = {
    "type": "Audited",
    "status": "True",
    "reason": "Later",
    "message": "",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
}
UNREADABLE = {MODEL_ROUTE: {"split": "half"}, LINEAR_MODEL: {"acceptance": {"minR2": ["?"]}}}


def reconcile_server(sim: Sim, change: Callable[[], None]) -> None:
    """Reconciles the server; `change` happens while it reads the deleted route `other` live."""
    inner, changed = sim.cluster.read, list[bool]()

    async def read(kind: Kind, namespace: str, name: str) -> Object | None:
        found = await inner(kind, namespace, name)
        if kind is MODEL_ROUTE and name == "other" and not changed:
            changed.append(True)
            change()
        return found

    sim.cluster.read = read  # type: ignore[method-assign]
    asyncio.run(sim.reconciler.reconcile(SERVER))
    assert changed, "the route was not read live"


def test_version_reverted_during_a_live_read_is_not_written(sim: Sim) -> None:
    sim.apply(linear_model(), linear_model("v2"), model_route(), model_route(name="other"))
    sim.settle()
    sim.delete(MODEL_ROUTE, "other")
    sim.edit(MODEL_ROUTE, "homes", version="v2")
    reconcile_server(sim, lambda: sim.edit(MODEL_ROUTE, "homes", version="v1"))
    assert sim.document().current == "v1"


def test_route_deleted_during_a_live_read_gets_no_document(sim: Sim) -> None:
    sim.apply(linear_model(), model_route(), model_route(name="other"))
    sim.settle()
    sim.delete(MODEL_ROUTE, "other")
    sim.apply(model_route(name="new"))
    reconcile_server(sim, lambda: sim.delete(MODEL_ROUTE, "new"))
    assert names.route_key("new") not in sim.routing()["data"]
    assert names.route_key("homes") in sim.routing()["data"]


@pytest.mark.parametrize(("kind", "name"), [(MODEL_ROUTE, "homes"), (LINEAR_MODEL, "homes-v1")])
def test_condition_of_a_later_release_stays_once_under_an_unreadable_spec(sim: Sim, kind: Kind, name: str) -> None:
    sim.apply(linear_model(), model_route())
    sim.settle()
    status = sim.get(kind, name)["status"]
    sim.set_status(kind, name, {**status, "conditions": [*status["conditions"], LATER]})
    sim.edit(kind, name, **UNREADABLE[kind])
    sim.settle()
    assert status_and_reason(sim.get(kind, name), "Ready") == ("False", "InvalidSpec")
    assert [c for c in sim.get(kind, name)["status"]["conditions"] if c["type"] == "Audited"] == [LATER]


def test_unreadable_job_is_left_alone_while_its_pod_is_pending(sim: Sim) -> None:
    sim.trains = sim.loads = False
    sim.apply(linear_model())
    sim.settle()
    job = sim.job()
    owner = {"apiVersion": JOB.api_version, "kind": JOB.kind, "controller": True}
    owner |= {key: job["metadata"][key] for key in ("name", "uid")}
    waiting = {"name": "trainer", "state": {"waiting": {"reason": "ErrImagePull"}}}
    body = pod("training")
    metadata = {**body["metadata"], "labels": {"batch.kubernetes.io/job-name": job["metadata"]["name"]}}
    status = {"phase": "Pending", "containerStatuses": [waiting]}
    sim.store.create(POD, {**body, "metadata": {**metadata, "ownerReferences": [owner]}, "status": status})
    sim.store.update(JOB, job, {**job, "status": {"active": "one"}})
    sim.settle()
    assert sim.job()["metadata"]["uid"] == job["metadata"]["uid"]
    sim.edit(LINEAR_MODEL, "homes-v1", training={**sim.model()["spec"]["training"], "ridge": "0.5"})
    sim.settle()
    assert job["metadata"]["uid"] in {body["metadata"]["uid"] for body in sim.store.all(JOB)}


def test_unreadable_spec_under_a_delayed_status_is_reconciled_again(sim: Sim) -> None:
    sim.apply(linear_model(), linear_model("v2"), model_route())
    sim.settle()
    sim.loads = False
    sim.edit(MODEL_ROUTE, "homes", version="v2")
    sim.reconcile_all()
    sim.edit(MODEL_ROUTE, "homes", split="half")
    result = asyncio.run(sim.reconciler.reconcile((MODEL_ROUTE.kind, "default", "homes")))
    assert status_and_reason(sim.route(), "Accepted")[1] == "InvalidSpec" or result.requeue_after == 0
