"""A list of one kind is incomplete: missing objects are read live, and no object is created again or deleted."""

import asyncio

import msgspec
import pytest

from linplane_api import names
from linplane_api.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    JOB,
    LINEAR_MODEL,
    MODEL_ROUTE,
    MODEL_SERVER,
    POD,
    REPLICA_REPORT,
    Kind,
)
from linplane_api.routing import parse_entry
from linplane_operator.cluster_client import ConflictError
from linplane_operator.compile.trainer_plan import plan_trainers
from linplane_operator.compile.withdrawal import withdrawn
from linplane_operator.observe.queries import Queries
from linplane_operator.observe.routings import Routings
from unit.operator.builders import (
    config_map,
    csv_training,
    handmade,
    linear_model,
    model_route,
    pod,
    report,
    status_and_reason,
    status_condition,
    typed,
    weights_from,
)
from unit.operator.planning import error


def drop_from_cache(sim, kind: Kind, *names: str) -> dict:
    """Drops the named objects of a kind, or all of them, from the cache; a live read restores each."""
    lost = {body["metadata"]["name"]: body for body in sim.cache.all(kind)}
    lost = {name: body for name, body in lost.items() if name in (names or lost)}
    for name in lost:
        sim.cache.drop(kind, "default", name)
    read = sim.cluster.read

    async def live(asked, namespace, name):
        if asked is kind and name in lost:
            sim.cache.put(kind, lost.pop(name))
        return await read(asked, namespace, name)

    sim.cluster.read = live
    return lost


def apply_versions_in_every_state(sim) -> None:
    """A version that was trained, one by hand, one whose training failed, one that trains; a route over two."""
    sim.results["homes-v3"] = error
    sim.apply(config_map("rows", {"rows.csv": "1"}), handmade())
    sim.apply(linear_model("v1"), linear_model("v2", weights=weights_from()), linear_model("v3"))
    sim.apply(model_route(split=[("v2", 10)]))
    sim.settle()
    sim.trains = False
    sim.apply(linear_model("v4", training=csv_training()))
    sim.settle()


@pytest.mark.parametrize("status", ["known", "lost"])
@pytest.mark.parametrize("kind", [CONFIG_MAP, JOB, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER], ids=lambda kind: kind.kind)
def test_incomplete_list_creates_and_deletes_nothing(sim, kind, status):
    """Nor if the status is lost, which named the artifact."""
    apply_versions_in_every_state(sim)
    before, data, made = sim.content(), sim.routing()["data"], list(sim.effective)
    if status == "lost":
        for version in ("v1", "v2", "v3"):
            sim.set_status(LINEAR_MODEL, f"homes-{version}", None)
    lost = drop_from_cache(sim, kind)
    sim.pending.clear()
    sim.resync()
    sim.settle()
    for body in lost.values():
        sim.cache.put(kind, body)
    sim.resync()
    sim.settle()
    wrong = [done for done in sim.effective[len(made) :] if done[0] != "update"]
    assert wrong == []
    assert sim.routing()["data"] == data
    assert sim.content() == before


def test_job_is_read_live_if_the_result_has_its_outcome(sim):
    """Otherwise the trainer's error would be deleted although its Job exists."""
    sim.results["homes-v1"] = error
    sim.apply(linear_model())
    sim.settle()
    words = status_and_reason(sim.model(), "Trained")
    drop_from_cache(sim, JOB)
    sim.resync()
    sim.settle()
    assert status_and_reason(sim.model(), "Trained") == words
    assert names.ERROR_KEY in sim.get(CONFIG_MAP, sim.job()["metadata"]["name"])["data"]


@pytest.mark.parametrize("kind", [LINEAR_MODEL, MODEL_SERVER, CONFIG_MAP], ids=lambda kind: kind.kind)
def test_route_never_reports_an_existing_object_as_missing(sim, kind):
    """Its version, its server, what that serves."""
    apply_versions_in_every_state(sim)
    before = sim.route()["status"]
    drop_from_cache(sim, kind)
    sim.enqueue((MODEL_ROUTE.kind, "default", "homes"))
    sim.settle()
    assert sim.route()["status"] == before


def test_replica_with_a_report_and_no_pod_may_still_answer(sim):
    """The report goes with its pod."""
    apply_versions_in_every_state(sim)
    sim.loads = False
    sim.edit(LINEAR_MODEL, "homes-v2", frozen=True)
    sim.settle()
    assert status_and_reason(sim.model("v2"), "Withdrawn") == ("False", "ReplicasBehind")
    drop_from_cache(sim, POD)
    sim.resync()
    sim.settle()
    assert status_and_reason(sim.model("v2"), "Withdrawn") == ("False", "ReplicasBehind")


def test_report_of_a_deleted_pod_is_removed_and_blocks_nothing(sim):
    """Its owner reference is lost, or the garbage collector is away. It counts until a live read finds no pod."""
    sim.pods = ["p1", "p2"]
    apply_versions_in_every_state(sim)
    sim.edit(LINEAR_MODEL, "homes-v2", frozen=True)
    sim.store.delete(POD, sim.get(POD, "p2"))
    sim.pods = ["p1"]
    failing = []

    def conflict_once(verb, body):
        if verb == "delete" and body["kind"] == "ReplicaReport" and not failing:
            failing.append(status_condition(sim.model("v2"), "Withdrawn"))
            raise ConflictError("it has changed meanwhile")

    sim.cluster.before_write = conflict_once
    sim.settle()
    assert sim.store.get(REPLICA_REPORT, "p2") is None
    assert status_and_reason(sim.model("v2"), "Withdrawn") == ("True", "Frozen")
    assert sim.store.get(REPLICA_REPORT, "p1") is not None
    assert failing, "the write that met a newer report was tried again"


def test_report_without_a_pod_is_removed_though_it_is_up_to_date(sim):
    """The pod is read live once, and never at rest. A pod that only the cache lacks keeps its report."""
    sim.pods = ["p1", "p2"]
    apply_versions_in_every_state(sim)
    drop_from_cache(sim, POD, "p1")
    sim.store.delete(POD, sim.get(POD, "p2"))
    sim.pods = ["p1"]
    reads, read = [], sim.cluster.read

    async def counted(kind, namespace, name):
        reads.append((kind, name))
        return await read(kind, namespace, name)

    sim.cluster.read = counted
    sim.resync()
    sim.settle()
    assert sim.store.get(REPLICA_REPORT, "p2") is None
    assert sim.store.get(REPLICA_REPORT, "p1") is not None
    assert sorted(name for kind, name in reads if kind is POD) == ["p1", "p2"]
    reads.clear()
    sim.resync()
    sim.settle()
    assert [name for kind, name in reads if kind is POD] == []


def test_report_without_a_pod_is_named_until_the_live_read(sim):
    """The version that waits for it reports it."""
    apply_versions_in_every_state(sim)
    sim.store.create(REPLICA_REPORT, report("p3", uid="earlier"))
    sim.loads = False
    sim.edit(LINEAR_MODEL, "homes-v2", frozen=True)
    sim.reconcile_all()
    sim.loads = True
    sim.store.create(REPLICA_REPORT, report("p4", uid="earlier"))
    sim._load()
    model = sim.model("v2")
    servers = Queries(sim.cache, Routings(sim.cache), sim.settings).acknowledgements("default", typed(model))
    message = withdrawn(model, typed(model), servers).message
    assert message == "ReplicaReport p4 remains of a pod that is gone"


def test_trainer_keeps_its_right_while_its_result_is_not_cached(sim):
    """A Job that runs is enough to know what is waited for."""
    apply_versions_in_every_state(sim)
    (running,) = (job["metadata"]["name"] for job in sim.cache.all(JOB) if "homes-v4" in job["metadata"]["name"])
    drop_from_cache(sim, CONFIG_MAP)
    plan = plan_trainers(Queries(sim.cache, Routings(sim.cache), sim.settings).trainer_inputs("default"))
    (role,) = (body for body in plan.children if body["kind"] == "Role")
    assert running in role["rules"][0]["resourceNames"]


def test_replica_that_only_the_cache_lacks_is_awaited(sim):
    """Its report is behind, so its pod is read live: neither a route nor its server converges without it."""
    sim.pods = ["p1", "p2"]
    sim.apply(linear_model(), linear_model("v2"), model_route())
    sim.settle()
    drop_from_cache(sim, POD, "p2")
    sim.pods = ["p1"]
    sim.edit(MODEL_ROUTE, "homes", version="v2")
    sim.settle()
    assert status_and_reason(sim.route(), "Converged") == ("False", "ReplicasBehind")
    assert status_and_reason(sim.get(MODEL_SERVER, "default"), "Converged") == ("False", "ReplicasBehind")
    assert sim.route()["status"]["loadedSummary"] == "1/2"


def test_report_of_a_deleted_pod_is_not_awaited(sim):
    """The garbage collector takes its time."""
    sim.pods = ["p1", "p2"]
    sim.apply(linear_model(), linear_model("v2"), model_route())
    sim.settle()
    left = sim.get(REPLICA_REPORT, "p2")
    sim.delete(POD, "p2")
    sim.pods = ["p1"]
    sim.cache.put(REPLICA_REPORT, left)
    sim.edit(MODEL_ROUTE, "homes", version="v2")
    sim.settle()
    assert sim.cache.get(REPLICA_REPORT, "default", "p2") is None
    assert status_and_reason(sim.route(), "Ready") == ("True", "Ready")
    assert sim.route()["status"]["loadedSummary"] == "1/1"


@pytest.mark.parametrize("ready", [True, False])
def test_replica_that_is_not_ready_in_the_cache_may_answer(sim, ready):
    """Its report is behind, so its pod is read live: the route converges without it only if it is not ready."""
    sim.pods = ["p1", "p2"]
    sim.apply(linear_model(), linear_model("v2"), model_route())
    sim.settle()
    live = {**sim.get(POD, "p2"), "status": pod("p2", ready=ready)["status"]}
    sim.cache.put(POD, {**live, "status": pod("p2", ready=False)["status"]})
    read = sim.cluster.read

    async def read_live(asked, namespace, name):
        if (asked, name) == (POD, "p2"):
            sim.cache.put(POD, live)
            return live
        return await read(asked, namespace, name)

    sim.cluster.read = read_live
    sim.pods = ["p1"]
    sim.edit(MODEL_ROUTE, "homes", version="v2")
    sim.settle()
    assert status_and_reason(sim.route(), "Converged")[0] == str(not ready)
    assert sim.route()["status"]["loadedSummary"] == ("1/2" if ready else "1/1")


def test_failed_live_read_of_a_pod_keeps_no_child_from_being_applied(sim):
    """A report without a pod must not delay the repair of a deleted Deployment."""
    sim.apply(linear_model(), model_route())
    sim.settle()
    sim.cache.put(REPLICA_REPORT, report("gone"))
    sim.delete(DEPLOYMENT, "linplane-server-default")
    read = sim.cluster.read

    async def fails(kind, namespace, name):
        if (kind, name) == (POD, "gone"):
            raise OSError("no answer")
        return await read(kind, namespace, name)

    sim.cluster.read = fails
    with pytest.raises(OSError, match="no answer"):
        asyncio.run(sim.reconciler.reconcile(("ModelServer", "default", "default")))
    assert sim.get(DEPLOYMENT, "linplane-server-default")


def test_route_is_judged_by_the_routing_state_whose_replicas_were_read(sim):
    """A document that comes in meanwhile is judged by the next reconcile: its replicas were not read live."""
    sim.apply(linear_model(), linear_model("v2"), model_route())
    sim.settle()
    before, live = sim.route()["status"]["sequence"], sim.reconciler._context.live
    read = live.read_for_route

    async def read_before_a_write(route, spec):
        routing = await read(route, spec)
        body = sim.routing()
        entry = msgspec.structs.replace(parse_entry(body["data"]["route.homes"]), sequence=before + 1)
        data = {"route.homes": entry.to_bytes().decode(), "sequence": str(before + 1)}
        sim.store.update(CONFIG_MAP, body, {**body, "data": data})
        return routing

    live.read_for_route = read_before_a_write
    sim.set_status(MODEL_ROUTE, "homes", None)
    asyncio.run(sim.reconciler.reconcile((MODEL_ROUTE.kind, "default", "homes")))
    assert sim.route()["status"]["sequence"] == before
    assert status_and_reason(sim.route(), "Converged")[0] == "True"


def test_sealed_versions_are_not_compiled_for_live_reads(sim, monkeypatch):
    """A sealed artifact lacks nothing: a route's reconcile judges no version again."""
    sim.apply(linear_model(), linear_model("v2"), model_route(split=[("v2", 10)]))
    sim.settle()
    monkeypatch.setattr("linplane_operator.compile.artifacts.check", lambda *_: pytest.fail("judged again"))
    asyncio.run(sim.reconciler.reconcile((MODEL_ROUTE.kind, "default", "homes")))
