"""The keys that each change enqueues: every affected object, and no other."""

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
)
from linplane_api.routing import make_entry
from linplane_operator.compile.objects import child
from linplane_operator.observe.cache import ObjectCache
from linplane_operator.runtime.enqueue import keys_for_change
from unit.operator.builders import (
    config_map,
    csv_training,
    document,
    handmade,
    linear_model,
    model_route,
    pod,
    report,
    weights_from,
    with_meta,
)

CONVERGED = {"observedGeneration": 1, "conditions": [{"type": "Converged", "status": "True"}]}
WITHDRAWN = {"conditions": [{"type": "Withdrawn", "status": "True"}]}
MODEL = with_meta(linear_model(), uid="m1")
COLD = {**with_meta(linear_model("v2", frozen=True), uid="m2")}
COLD_AND_GONE = {**with_meta(linear_model("v3", frozen=True), uid="m3"), "status": WITHDRAWN}
CAR = with_meta(linear_model(model="cars", training=csv_training()), uid="c1")
HAND = with_meta(linear_model("v7", weights=weights_from()), uid="h1")
HOMES = {**with_meta(model_route(), uid="r1", generation=1), "status": CONVERGED}
SECOND = with_meta(model_route(name="second"), uid="r2")
CARS = {**with_meta(model_route(name="cars", model="cars"), uid="r3", generation=1), "status": CONVERGED}
FAR = with_meta(model_route(name="far", serverName="gpu"), uid="r4")
SERVER = with_meta(
    {"apiVersion": names.API_VERSION, "kind": "ModelServer", "metadata": {"name": "default", "namespace": "default"}},
    uid="s1",
)
S = ("ModelServer", "default")
WAITING = {S, ("ModelRoute", "second"), ("LinearModel", "homes-v2")}
ALL_HERE = {("ModelRoute", name) for name in ("homes", "second", "cars")}


@pytest.fixture
def cache() -> ObjectCache:
    """Two models, four routes on two servers; `second` is not Converged, `homes-v2` is frozen and not Withdrawn."""
    result = ObjectCache()
    for kind, bodies in {
        LINEAR_MODEL: (MODEL, COLD, COLD_AND_GONE, CAR, HAND),
        MODEL_ROUTE: (HOMES, SECOND, CARS, FAR),
        MODEL_SERVER: (SERVER,),
    }.items():
        for body in bodies:
            result.put(kind, body)
    return result


def event(cache: ObjectCache, kind, before, after):
    """The keys after that event, without the namespace."""
    if after is None:
        cache.drop(kind, "default", before["metadata"]["name"])
    else:
        cache.put(kind, after)
    return {(k, n) for k, _, n in keys_for_change(cache, kind, before, after)}


HOMES_USERS = {("ModelRoute", "homes"), ("ModelRoute", "second"), ("ModelRoute", "far"), S, ("ModelServer", "gpu")}


@pytest.mark.parametrize(
    ("before", "after", "routes"),
    [
        (None, MODEL, True),
        (MODEL, None, True),
        (MODEL, {**MODEL, "spec": {**MODEL["spec"], "frozen": True}}, True),
        (MODEL, {**MODEL, "status": {"digest": "d"}}, True),
        (MODEL, with_meta(MODEL, uid="new"), True),
        (MODEL, with_meta(MODEL, deletionTimestamp="t"), True),
        (MODEL, {**MODEL, "status": {"servingIn": ["homes"]}}, False),
        (MODEL, with_meta(MODEL, resourceVersion="9"), False),
    ],
)
def test_model_change_enqueues_the_routes_of_its_model(cache, before, after, routes):
    """The inputs of a route; a status that only reports enqueues nothing else."""
    assert event(cache, LINEAR_MODEL, before, after) == {("LinearModel", "homes-v1")} | (
        HOMES_USERS if routes else set()
    )


@pytest.mark.parametrize(
    ("after", "server"),
    [
        (with_meta(model_route("v2"), uid="r1"), True),
        (None, True),
        ({**HOMES, "status": {}}, False),
    ],
)
def test_route_change_enqueues_its_server(cache, after, server):
    """It enqueues no other route."""
    assert event(cache, MODEL_ROUTE, HOMES, after) == {("ModelRoute", "homes")} | ({S} if server else set())


def test_server_created_or_deleted_enqueues_its_routes(cache):
    """A change of its spec or status enqueues itself; changes of its documents arrive by the ConfigMap."""
    assert event(cache, MODEL_SERVER, SERVER, {**SERVER, "spec": {"replicas": 3}}) == {S}
    assert event(cache, MODEL_SERVER, SERVER, {**SERVER, "status": {"routes": 3}}) == {S}
    assert event(cache, MODEL_SERVER, SERVER, {**SERVER, "spec": {"grpc": {}}}) == {S} | ALL_HERE
    assert event(cache, MODEL_SERVER, {**SERVER, "spec": {"grpc": {}}}, SERVER) == {S} | ALL_HERE
    assert event(cache, MODEL_SERVER, SERVER, None) == {S} | ALL_HERE
    assert event(cache, MODEL_SERVER, None, SERVER) == {S} | ALL_HERE


def test_report_enqueues_the_keys_that_wait_for_it(cache):
    """Not the routes that have converged, however many there are."""
    assert event(cache, REPLICA_REPORT, None, report()) == WAITING
    assert event(cache, REPLICA_REPORT, report(), report(sequence=6)) == WAITING
    assert event(cache, REPLICA_REPORT, report(), None) == WAITING


def test_report_enqueues_routes_that_it_rejects_or_rejected(cache):
    """A joining replica may be of another release."""
    refuses = report(rejected=[{"route": "homes", "reason": "x"}], rejectedCount=1)
    assert event(cache, REPLICA_REPORT, report(), refuses) == WAITING | {("ModelRoute", "homes")}
    assert event(cache, REPLICA_REPORT, refuses, report()) == WAITING | {("ModelRoute", "homes")}


def test_report_enqueues_routes_whose_missing_features_changed(cache):
    """A count that stays costs nothing."""
    lacks, more = (
        report(lacking=[{"route": "homes", "version": "v1", "feature": "area", "count": count}]) for count in (3, 4)
    )
    assert event(cache, REPLICA_REPORT, report(), lacks) == WAITING | {("ModelRoute", "homes")}
    assert event(cache, REPLICA_REPORT, lacks, more) == WAITING | {("ModelRoute", "homes")}
    assert event(cache, REPLICA_REPORT, lacks, report()) == WAITING | {("ModelRoute", "homes")}
    assert event(cache, REPLICA_REPORT, lacks, {**lacks, "metadata": {**lacks["metadata"], "x": "y"}}) == WAITING


def test_pod_that_serves_first_or_last_enqueues_every_route(cache):
    """For then the truth of every one of them changes; else only who waits is concerned."""
    assert event(cache, POD, None, pod(ready=False)) == WAITING
    assert event(cache, POD, pod(ready=False), pod()) == WAITING | ALL_HERE
    assert event(cache, POD, None, pod("p2")) == WAITING
    assert event(cache, POD, pod("p2"), None) == WAITING
    assert event(cache, POD, pod(), pod(ready=False)) == WAITING | ALL_HERE


def test_pod_of_a_trainer_enqueues_its_model(cache):
    """Through its Job."""
    job = with_meta(child(JOB, "linplane-x", {**MODEL, "apiVersion": "a", "kind": "LinearModel"}, "trainer"), uid="j")
    trainer = {
        "metadata": {"name": "t", "namespace": "default", "labels": {"batch.kubernetes.io/job-name": "linplane-x"}}
    }
    assert event(cache, POD, None, trainer) == set()
    assert event(cache, JOB, None, job) == {("LinearModel", "homes-v1")}
    assert event(cache, POD, trainer, {**trainer, "status": {"phase": "Running"}}) == {("LinearModel", "homes-v1")}


def test_deployment_enqueues_its_server(cache):
    body = child(DEPLOYMENT, "linplane-server-default", SERVER, "server")
    assert event(cache, DEPLOYMENT, None, body) == {S}


def test_configmap_of_a_user_enqueues_the_models_that_read_it(cache):
    """Weights and data alike."""
    assert event(cache, CONFIG_MAP, None, handmade()) == {("LinearModel", "homes-v7")}
    assert event(cache, CONFIG_MAP, None, config_map("rows", {})) == {("LinearModel", "cars-v1")}
    assert event(cache, CONFIG_MAP, None, config_map("others", {})) == set()


def test_artifact_enqueues_the_routes_of_its_model_once_sealed(cache):
    """Before, only its version; a deletion takes it away from them."""
    owner = {**MODEL, "apiVersion": "a", "kind": "LinearModel"}
    open_result = {**child(CONFIG_MAP, "linplane-a", owner, "trainer"), "data": {}}
    sealed = {**open_result, "immutable": True}
    assert event(cache, CONFIG_MAP, None, open_result) == {("LinearModel", "homes-v1")}
    assert event(cache, CONFIG_MAP, open_result, sealed) == {("LinearModel", "homes-v1")} | HOMES_USERS
    assert event(cache, CONFIG_MAP, sealed, None) == {("LinearModel", "homes-v1")} | HOMES_USERS


def routing(sequence: int = 1, uid: str = "map", **slopes: float):
    """The routing ConfigMap with one document a route."""
    texts = {
        f"route.{r}": make_entry(document(route=r, weights={"v1": s}), 1).to_bytes().decode() for r, s in slopes.items()
    }
    body = child(CONFIG_MAP, "linplane-routing-default", SERVER, "routing", {names.LABEL_SERVER: "default"})
    return {**with_meta(body, uid=uid), "data": {**texts, "sequence": str(sequence)}}


MODELS = {("LinearModel", f"homes-v{number}") for number in (1, 2, 3, 7)}


def test_routing_entry_enqueues_its_route_and_the_models_of_it(cache):
    """One switch does not reach the other routes."""
    after = event(cache, CONFIG_MAP, routing(homes=2.0, cars=2.0), routing(2, homes=3.0, cars=2.0))
    assert after == {S, ("ModelRoute", "homes")} | MODELS


def test_routing_entry_removed_enqueues_the_models_that_it_served(cache):
    """Even if its route is deleted."""
    cache.drop(MODEL_ROUTE, "default", "homes")
    after = event(cache, CONFIG_MAP, routing(homes=2.0, cars=2.0), routing(2, cars=2.0))
    assert after == {S, ("ModelRoute", "homes")} | MODELS


def test_routing_configmap_replaced_enqueues_every_route(cache):
    """Acknowledgements of the old one do not count."""
    old, new = routing(homes=2.0), routing(uid="new", homes=2.0)
    for before, after in [(old, None), (None, new), (old, new)]:
        assert ALL_HERE | {S} <= event(cache, CONFIG_MAP, before, after)


def test_routing_entry_damaged_enqueues_its_route(cache):
    """Whatever client edited it."""
    damaged = routing(homes=2.0)
    damaged["data"]["route.homes"] = "{"
    assert {S, ("ModelRoute", "homes")} <= event(cache, CONFIG_MAP, routing(homes=2.0), damaged)


def test_keys_of_no_change_are_none(cache):
    """An event without an object."""
    assert keys_for_change(cache, POD, None, None) == set()
