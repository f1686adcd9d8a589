"""A stale cache and a ConfigMap edited by a user: nothing is deleted or confirmed by mistake."""

import pytest

from linplane_api import names
from linplane_api.kinds import CONFIG_MAP, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER
from linplane_api.routing import make_entry, parse_entry
from linplane_operator.compile import routing_map as routing_module
from linplane_operator.compile.objects import uid_of
from linplane_operator.compile.routing_plan import CONFIRMED
from unit.operator.builders import document, linear_model, model_route, status_and_reason, status_condition
from unit.operator.planning import error


def apply_ready_route(sim, *routes):
    """A version and its routes."""
    sim.apply(linear_model(), *(routes or (model_route(),)))
    sim.settle()


def test_route_that_only_the_cache_lacks_keeps_its_document(sim):
    """The route is read live before its document is removed."""
    apply_ready_route(sim)
    live, data = sim.route(), sim.routing()["data"]
    sim.cluster.read = lambda kind, *_: _given(live if kind is MODEL_ROUTE else None)
    sim.cache.drop(MODEL_ROUTE, "default", "homes")
    sim.enqueue(("ModelServer", "default", "default"))
    sim.reconcile_all()
    assert sim.routing()["data"] == data


def test_job_is_deleted_only_for_the_current_spec(sim):
    """A version whose spec is newer than the cached one is not judged by the cached one."""
    sim.results["homes-v1"] = error
    sim.apply(linear_model())
    sim.settle()
    job, old = sim.job(), sim.model()
    sim.edit(LINEAR_MODEL, "homes-v1", training={"data": {"synthetic": {"samples": 77}}})
    live = sim.model()
    sim.pending.clear()
    sim.cache.put(LINEAR_MODEL, {**old, "spec": {**old["spec"], "training": {"data": {"synthetic": {"samples": 3}}}}})
    sim.cluster.read = lambda *_: _given(live)
    sim.enqueue(("LinearModel", "default", "homes-v1"))
    with pytest.raises(AssertionError, match="endless"):
        sim.reconcile_all(limit=2)
    assert set(sim.failures) == {"LinearModel homes-v1 has changed meanwhile"}
    assert sim.job() == job


async def _given(value):
    return value


def test_seal_that_conflicts_with_a_newer_result_is_retried(sim):
    """The retry reads the newer result; NameTaken is not reported."""
    sim.apply(linear_model())
    once = iter([True])

    def touch(verb, body):
        if verb == "replace" and body.get("immutable") and next(once, False):
            seen = sim.get(CONFIG_MAP, body["metadata"]["name"])
            labels = {**seen["metadata"]["labels"], "touched": "yes"}
            sim.store.update(CONFIG_MAP, seen, {**seen, "metadata": {**seen["metadata"], "labels": labels}})

    sim.cluster.before_write = touch
    sim.settle()
    assert len(sim.failures) == 1
    assert status_and_reason(sim.model(), "Ready") == ("True", "Validated")
    assert not any(reason == "NameTaken" for _, _, reason, _ in sim.cluster.events)


def test_routing_configmap_is_written_by_compare_and_swap(sim):
    """A newer state than was seen is not written over."""
    apply_ready_route(sim)
    once = iter([True])

    def touch(verb, body):
        if verb == "replace" and body["metadata"]["name"] == names.routing_name("default") and next(once, False):
            seen = sim.routing()
            sim.store.update(CONFIG_MAP, seen, {**seen, "data": {**seen["data"], "sequence": "41"}})

    sim.cluster.before_write = touch
    sim.edit(MODEL_ROUTE, "homes", rateLimit={"requestsPerSecond": 5})
    sim.settle()
    assert len(sim.failures) == 1
    assert sim.routing()["data"]["sequence"] == "42"


def test_damaged_routing_configmap_is_repaired(sim):
    """The document's key, the sequence, or a key too many; the route answers all the while."""
    apply_ready_route(sim)
    good = sim.routing()["data"]
    for damage in ({"route.homes": "{}"}, {"sequence": "abc"}, {"sequence": ""}, {"note": "x"}, {"route.gone": "{"}):
        body = sim.routing()
        sim.store.update(CONFIG_MAP, body, {**body, "data": {**good, **damage}})
        sim.settle()
        data = sim.routing()["data"]
        assert set(data) == set(good)
        assert int(data["sequence"]) >= parse_entry(data["route.homes"]).sequence
        assert sim.document() == document(weights={"v1": 2.0})
        assert status_and_reason(sim.route(), "Ready") == ("True", "Ready")


def test_memory_outlives_a_damaged_sequence(sim):
    """The documents hold the last good versions."""
    apply_ready_route(sim)
    sim.edit(MODEL_ROUTE, "homes", version="v9")
    sim.settle()
    body = sim.routing()
    sim.store.update(CONFIG_MAP, body, {**body, "data": {**body["data"], "sequence": "?"}})
    sim.settle()
    assert sim.document().current == "v1"
    assert status_and_reason(sim.route(), "Servable") == ("True", "Serving")


def test_sequence_that_was_lowered_confirms_nothing(sim):
    """A report of the higher number was made of another state."""
    apply_ready_route(sim)
    for _ in range(5):
        sim.edit(MODEL_ROUTE, "homes", splitKey={"salt": f"s{sim.routing()['data']['sequence']}"})
        sim.settle()
    high = int(sim.routing()["data"]["sequence"])
    sim.loads = False
    body = sim.routing()
    entry = make_entry(sim.document(), 1).to_bytes().decode()
    sim.store.update(CONFIG_MAP, body, {**body, "data": {"route.homes": entry, "sequence": "1"}})
    sim.edit(MODEL_ROUTE, "homes", splitKey={"salt": "new"})
    sim.settle()
    assert int(sim.routing()["data"]["sequence"]) == high + 1
    assert status_and_reason(sim.route(), "Converged") == ("False", "ReplicasBehind")


def test_recreated_configmap_has_to_be_confirmed_again(sim):
    """Acknowledgements are of its UID."""
    apply_ready_route(sim)
    sim.loads = False
    sim.delete(CONFIG_MAP, names.routing_name("default"))
    sim.settle()
    assert status_and_reason(sim.route(), "Converged") == ("False", "ReplicasBehind")
    body = sim.routing()
    sim.acknowledge("p1", uid_of(body), int(body["data"]["sequence"]))
    sim.settle()
    assert status_and_reason(sim.route(), "Ready") == ("True", "Ready")


def test_restarted_process_agrees_with_the_running_one(sim):
    """One remembers the deleted ConfigMap; the other reads the same in the status."""
    apply_ready_route(sim)
    sim.edit(MODEL_ROUTE, "homes", version="v9")
    sim.settle()
    sim.delete(CONFIG_MAP, names.routing_name("default"))
    sim.settle()
    before = sim.document(), sim.route()["status"]["conditions"]
    assert status_and_reason(sim.route(), "Servable") == ("True", "Serving")
    sim.start()
    sim.delete(CONFIG_MAP, names.routing_name("default"))
    sim.settle()
    assert (sim.document(), sim.route()["status"]["conditions"]) == before


def test_refused_document_is_reported_by_route_and_server(sim):
    """The route is not Ready, whatever the sequence."""
    apply_ready_route(sim, model_route(), model_route(name="other"))
    sim.loads = False
    body = sim.routing()
    rejected = {"rejected": [{"route": "homes", "reason": "format 2"}], "rejectedCount": 1}
    sim.acknowledge("p1", uid_of(body), int(body["data"]["sequence"]), **rejected)
    sim.settle()
    assert status_and_reason(sim.route(), "Ready") == ("False", "Rejected")
    assert status_and_reason(sim.route("other"), "Ready") == ("True", "Ready")
    assert status_and_reason(sim.get(MODEL_SERVER, "default"), "Ready") == ("False", "Rejected")
    assert "format 2" in status_condition(sim.route(), "Converged")["message"]


def test_full_configmap_is_reported_by_the_newest_route_until_there_is_room(sim, monkeypatch):
    """None that serves is evicted."""
    apply_ready_route(sim, model_route(name="a"), model_route(name="b"))
    size = sum(len(text) + len(key) for key, text in sim.routing()["data"].items())
    monkeypatch.setattr(routing_module, "ROOM", size + 200)
    data = sim.routing()["data"]
    sim.apply(model_route(name="c"))
    sim.settle()
    assert status_and_reason(sim.route("c"), "Ready") == ("False", "RoutingFull")
    assert status_and_reason(sim.route("c"), "Servable") == ("False", "NeverServed")
    assert sim.routing()["data"] == data
    sim.edit(MODEL_ROUTE, "a", splitKey={"salt": "x" * 250})
    sim.settle()
    assert status_and_reason(sim.route("a"), "Accepted") == ("False", "RoutingFull")
    assert status_and_reason(sim.route("a"), "Servable") == ("True", "Serving")
    assert sim.routing()["data"] == data
    sim.delete(MODEL_ROUTE, "b")
    sim.settle()
    assert status_and_reason(sim.route("a"), "Ready") == ("True", "Ready")
    assert status_and_reason(sim.route("c"), "Ready") == ("False", "RoutingFull")
    sim.edit(MODEL_ROUTE, "a", splitKey=None)
    sim.settle()
    assert status_and_reason(sim.route("a"), "Ready") == status_and_reason(sim.route("c"), "Ready") == ("True", "Ready")


@pytest.mark.parametrize("behind", [MODEL_ROUTE, LINEAR_MODEL])
def test_document_is_not_written_from_a_stale_cache(sim, behind):
    """Otherwise a second operator would undo what the first has confirmed."""
    sim.apply(linear_model("v1"), linear_model("v2"), model_route("v1"))
    sim.settle()
    before, read = sim.routing(), sim.cluster.read

    async def newer(kind, *where):
        body = await read(kind, *where)
        if kind is not behind:
            return body
        return {**body, "metadata": {**body["metadata"], "generation": body["metadata"]["generation"] + 1}}

    sim.cluster.read = newer
    sim.apply(model_route("v2"))
    with pytest.raises(AssertionError, match="endless"):
        sim.reconcile_all(limit=20)
    assert sim.routing() == before
    assert all("has changed meanwhile" in failure for failure in sim.failures)
    sim.cluster.read = read
    sim.settle()
    assert sim.document().current == "v2"


@pytest.mark.parametrize("routes", [1, CONFIRMED + 1])
@pytest.mark.parametrize("seen", [True, None])
def test_stale_cache_of_a_frozen_version_undoes_nothing(sim, seen, routes):
    """It neither removes a version that serves again nor restores its weights, on any number of routes."""
    sim.apply(linear_model("v1"), linear_model("v2"))
    sim.apply(*(model_route("v1", name=f"r{number}") for number in range(routes)))
    sim.settle()
    if not seen:
        sim.edit(LINEAR_MODEL, "homes-v1", frozen=True)
        sim.settle()
    before, live = sim.routing(), sim.model()
    assert ("v1" in sim.document("r0").versions) == bool(seen)
    old = {**live, "metadata": {**live["metadata"], "generation": live["metadata"]["generation"] - 1}}
    sim.cache.put(LINEAR_MODEL, {**old, "spec": {**old["spec"], "frozen": bool(seen)}})
    read = sim.cluster.read

    async def newer(kind, *where):
        return live if where[-1] == "homes-v1" else await read(kind, *where)

    sim.cluster.read = newer
    sim.pending.clear()
    sim.enqueue(("ModelServer", "default", "default"))
    with pytest.raises(AssertionError, match="endless"):
        sim.reconcile_all(limit=2)
    assert set(sim.failures) == {"LinearModel homes-v1 has changed meanwhile"}
    assert sim.routing() == before
