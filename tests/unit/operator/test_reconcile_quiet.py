"""The fewest writes: none if nothing differs, few if only counts differ, within the budget, each with its Event."""

from datetime import timedelta

from linplane_api.kinds import LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, POD
from linplane_api.timing import TokenBuckets
from linplane_operator.compile.objects import uid_of
from linplane_operator.compile.settings import Settings
from unit.operator.builders import linear_model, model_route, pod, status_and_reason, status_condition, with_meta
from unit.operator.planning import error

MANY = Settings(servers=None, max_replicas=1)


def apply_every_situation(sim):
    """One of each situation that stays as it is."""
    sim.results["homes-v3"] = error
    sim.apply(
        *(linear_model(v) for v in ("v1", "v2", "v3")),
        linear_model("v4", frozen=True),
        model_route(split=[("v2", 10)]),
        model_route("v3", name="waits"),
        model_route("v1", name="partly", split=[("v4", 10)]),
        model_route("v1", name="lost", serverName="nowhere"),
    )
    sim.settle()


def test_reconciling_again_writes_nothing(new_sim):
    """Nor does a restart, nor an hour of resyncs."""
    sim = new_sim()
    apply_every_situation(sim)
    sim.resync()
    sim.store_writes = 0
    sim.cluster.writes.clear()
    sim.settle()
    assert {verb for verb, _, _ in sim.cluster.writes} == {"apply"}  # none for a child in its desired state
    assert sim.store_writes == 0
    sim.start()
    sim.now += timedelta(seconds=30)
    sim.settle()
    assert sim.store_writes == 0


def test_all_objects_converge_by_events_alone(new_sim):
    """A resync afterwards writes nothing, so every event enqueued all affected objects."""
    sim = new_sim()
    apply_every_situation(sim)
    for change in (
        lambda: sim.edit(MODEL_ROUTE, "homes", version="v2", split=None),
        lambda: sim.apply(linear_model("v4")),
        lambda: sim.delete(MODEL_ROUTE, "partly"),
        lambda: sim.edit(MODEL_SERVER, "default", replicas=3),
    ):
        change()
        sim.settle()
        sim.store_writes = 0
        sim.resync()
        sim.settle()
        assert sim.store_writes == 0


def test_count_is_written_at_most_once_a_second(new_sim):
    """The last one always is; the moment of convergence does not wait."""
    sim = new_sim(settings=MANY)
    sim.pods = [f"p{number:02}" for number in range(20)]
    sim.apply(linear_model(), model_route())
    sim.settle()
    sim.loads = False
    sim.edit(MODEL_ROUTE, "homes", rateLimit={"requestsPerSecond": 9})
    sim.reconcile_all()
    data = sim.routing()
    writes = len(sim.cluster.writes)
    for name in sim.pods[:-1]:
        sim.acknowledge(name, uid_of(data), int(data["data"]["sequence"]))
        sim.reconcile_all()
    assert [write for write in sim.cluster.writes[writes:] if write[0] == "status"] == []
    sim.acknowledge(sim.pods[-1], uid_of(data), int(data["data"]["sequence"]))
    sim.reconcile_all()
    assert status_and_reason(sim.route(), "Converged") == ("True", "Converged")
    assert sim.route()["status"]["loadedSummary"] == "20/20"


def test_delayed_count_is_written_after_its_second(new_sim):
    """A user may watch `kubectl get`."""
    sim = new_sim(settings=MANY)
    sim.pods = ["p1", "p2", "p3"]
    sim.apply(linear_model(), model_route())
    sim.settle()
    sim.loads = False
    sim.edit(MODEL_ROUTE, "homes", rateLimit={"requestsPerSecond": 9})
    sim.settle()
    assert sim.route()["status"]["loadedSummary"] == "0/3"
    data = sim.routing()
    sim.acknowledge("p1", uid_of(data), int(data["data"]["sequence"]))
    sim.reconcile_all()
    assert sim.route()["status"]["loadedSummary"] == "0/3"
    sim.settle()
    assert sim.route()["status"]["loadedSummary"] == "1/3"


def test_clock_that_goes_back_delays_nothing(new_sim):
    """The count is written at once, not after an hour."""
    sim = new_sim(settings=MANY)
    sim.pods = ["p1", "p2", "p3"]
    sim.apply(linear_model(), model_route())
    sim.settle()
    sim.loads = False
    sim.edit(MODEL_ROUTE, "homes", rateLimit={"requestsPerSecond": 9})
    sim.settle()
    sim.now -= timedelta(hours=1)
    data = sim.routing()
    sim.acknowledge("p1", uid_of(data), int(data["data"]["sequence"]))
    sim.reconcile_all()
    assert sim.route()["status"]["loadedSummary"] == "1/3"


def test_switch_takes_five_writes(new_sim):
    """The document, what the route, the server and each of the two versions say: none of them twice."""
    sim = new_sim(settings=MANY)
    sim.apply(linear_model("v1"), linear_model("v2"), model_route())
    sim.settle()
    sim.edit(MODEL_ROUTE, "homes", version="v2")
    sim.effective.clear()
    sim.settle()
    wrote = [(kind, name) for _, kind, name in sim.effective if kind != "ReplicaReport"]
    assert sorted(wrote) == [
        ("ConfigMap", "linplane-routing-default"),
        ("LinearModel", "homes-v1"),
        ("LinearModel", "homes-v2"),
        ("ModelRoute", "homes"),
        ("ModelServer", "default"),
    ]


def test_replicas_behind_are_reported_a_second_later(new_sim):
    """Until then the status says by its generation that it is of an earlier spec."""
    sim = new_sim(settings=MANY)
    sim.apply(linear_model("v1"), linear_model("v2"), model_route())
    sim.settle()
    before, began = sim.route()["status"], sim.now
    sim.loads = False
    sim.edit(MODEL_ROUTE, "homes", version="v2")
    sim.reconcile_all()
    assert sim.route()["status"] == before
    sim.settle()
    assert status_and_reason(sim.route(), "Converged") == ("False", "ReplicasBehind")
    assert (sim.now - began).total_seconds() == 1
    assert status_and_reason(sim.get(MODEL_SERVER, "default"), "Converged") == ("False", "ReplicasBehind")


def test_server_is_soon_reported_behind(new_sim):
    """Its generation does not move with a route's spec: only its sequence shows that its status is old."""
    sim = new_sim(settings=MANY)
    sim.apply(linear_model("v1"), linear_model("v2"), model_route())
    sim.settle()
    old = sim.get(MODEL_SERVER, "default")["status"]["sequence"]
    sim.loads = False
    sim.edit(MODEL_ROUTE, "homes", version="v2")
    sim.reconcile_all()
    assert sim.get(MODEL_SERVER, "default")["status"]["sequence"] == old
    sim.now += timedelta(seconds=0.5)
    sim.enqueue(*sim.later)
    sim.reconcile_all()
    assert status_and_reason(sim.get(MODEL_SERVER, "default"), "Converged") == ("False", "ReplicasBehind")


def test_switch_and_its_reversal_within_a_moment_are_two_log_lines(new_sim):
    """Two Events follow: the status that is held back is written before another version's."""
    sim = new_sim(settings=MANY)
    sim.apply(linear_model("v1"), linear_model("v2"), model_route())
    sim.settle()
    sim.loads = False
    for version in ("v2", "v1"):
        sim.edit(MODEL_ROUTE, "homes", version=version)
        sim.reconcile_all()
    sim.loads = True
    sim.settle()
    lines = [(line.get("from"), line["to"]) for line in sim.route()["status"]["switches"]]
    assert lines == [(None, "v1"), ("v1", "v2"), ("v2", "v1")]
    assert [reason for name, _, reason, _ in sim.cluster.events if name == "homes"].count("Switched") == 3
    assert status_and_reason(sim.route(), "Ready") == ("True", "Ready")


def test_undo_reverts_one_change_though_two_came_within_a_moment(new_sim):
    """A switch, and a split before a replica has confirmed it."""
    sim = new_sim(settings=MANY)
    sim.apply(*map(linear_model, ("v1", "v2", "v3")), model_route())
    sim.settle()
    sim.loads = False
    for change in ({"version": "v2"}, {"split": [{"version": "v3", "percent": 10}]}):
        sim.edit(MODEL_ROUTE, "homes", **change)
        sim.reconcile_all()
    sim.loads = True
    sim.settle()
    undo = sim.route()["status"]["undo"]
    assert (undo["version"], undo.get("split")) == ("v2", None)
    assert status_and_reason(sim.route(), "Ready") == ("True", "Ready")


def test_status_that_is_no_longer_true_is_corrected_at_once(new_sim):
    """A document changes under an unchanged route: only the status shows that it is not loaded."""
    sim = new_sim(settings=MANY)
    sim.apply(linear_model("v1"), linear_model("v2"), model_route(split=[("v2", 10)]))
    sim.settle()
    sim.loads = False
    sim.edit(LINEAR_MODEL, "homes-v2", frozen=True)
    sim.reconcile_all()
    assert status_and_reason(sim.route(), "Converged") == ("False", "ReplicasBehind")


def test_change_enqueues_only_affected_objects(new_sim):
    """One switch among many routes: one route, its versions, the server; a report: who waits."""
    sim = new_sim()
    sim.apply(linear_model("v1"), linear_model("v2"))
    sim.apply(*(model_route(name=f"r{number}") for number in range(30)))
    sim.settle()
    seen = set()
    original = sim.reconciler.reconcile

    async def noted(key):
        seen.add((key[0], key[2]))
        return await original(key)

    sim.reconciler.reconcile = noted
    sim.edit(MODEL_ROUTE, "r7", version="v2")
    sim.settle()
    assert seen == {
        ("ModelRoute", "r7"),
        ("ModelServer", "default"),
        ("LinearModel", "homes-v1"),
        ("LinearModel", "homes-v2"),
    }


def test_burst_of_changes_is_a_few_writes_of_the_routing_configmap(new_sim):
    """The budget bounds them; the last state always comes in."""
    sim = new_sim()
    sim.budget = TokenBuckets(1.0, 5, lambda: sim.now.timestamp()).acquire  # noqa: PLW0108 - it moves
    sim.start()
    sim.apply(linear_model("v1"), linear_model("v2"), model_route())
    sim.settle()
    sim.now += timedelta(seconds=60)
    before, begun = int(sim.routing()["data"]["sequence"]), sim.now
    for number in range(40):
        sim.edit(MODEL_ROUTE, "homes", rateLimit={"requestsPerSecond": number + 1})
        sim.reconcile_all()
    sim.settle()
    written = int(sim.routing()["data"]["sequence"]) - before
    assert written <= 5 + (sim.now - begun).total_seconds() + 1
    assert '"requestsPerSecond":40' in sim.routing()["data"]["route.homes"]
    assert status_and_reason(sim.route(), "Ready") == ("True", "Ready")


def test_condition_change_is_an_event(sim):
    """A Warning for a failure, a Normal Event while the object is in progress."""
    sim.apply(linear_model(), model_route())
    sim.settle()
    model_events = [(warning, reason) for name, warning, reason, _ in sim.cluster.events if name == "homes-v1"]
    assert (False, "Training") in model_events
    assert (False, "Validated") in model_events
    assert not any(warning for warning, _ in model_events)
    sim.cluster.events.clear()
    sim.edit(MODEL_ROUTE, "homes", version="v9")
    sim.settle()
    assert ("homes", True, "VersionNotFound") in [event[:3] for event in sim.cluster.events]
    accepted = status_condition(sim.route(), "Accepted")["message"]
    assert f"Ready=False: {accepted}" in [event[3] for event in sim.cluster.events]


def test_first_apply_makes_few_events_and_none_twice(sim):
    """Of each object that it is under way, and that it is ready; each fact once, though several conditions have it."""
    sim.apply(linear_model(), linear_model("v2"), model_route(split=[("v2", 10)]))
    sim.settle()
    found = [(name, warning, reason) for name, warning, reason, _ in sim.cluster.events]
    assert sorted(found) == [
        ("default", False, "NoReplicas"),
        ("default", False, "Ready"),
        ("homes", False, "Ready"),
        ("homes", False, "Switched"),
        ("homes", False, "VersionNotReady"),
        ("homes-v1", False, "Training"),
        ("homes-v1", False, "Validated"),
        ("homes-v2", False, "Training"),
        ("homes-v2", False, "Validated"),
    ]


def test_blocked_deletion_is_one_event(sim):
    """A foreign finalizer blocks it: the object is inactive, and has one Event."""
    sim.apply(linear_model(), model_route())
    sim.settle()
    for kind, name in ((MODEL_ROUTE, "homes"), (LINEAR_MODEL, "homes-v1")):
        body = sim.get(kind, name)
        going = {"deletionTimestamp": "2026-03-01T12:00:00Z", "finalizers": ["example.com/audit"]}
        sim.store.update(kind, body, with_meta(body, **going))
    sim.settle()
    assert "homes" not in [key.removeprefix("route.") for key in sim.routing()["data"]]
    for kind in ("Accepted", "Servable", "Converged", "Ready"):
        assert status_and_reason(sim.route(), kind) == ("False", "Deleting")
    assert "example.com/audit" in status_condition(sim.route(), "Ready")["message"]
    assert "trafficSummary" not in sim.route()["status"]
    assert status_and_reason(sim.model(), "Ready") == ("False", "Deleting")
    sim.effective.clear()
    sim.resync()
    sim.settle()
    assert sim.effective == []


def test_absence_of_replicas_is_not_ready(sim):
    """Without a ready pod the route has NoReplicas; with one it is Ready."""
    sim.apply(linear_model(), model_route())
    sim.settle()
    sim.loads = False
    sim.store.update(POD, sim.get(POD, "p1"), pod("p1", ready=False, uid="uid-p1"))
    sim.settle()
    assert status_and_reason(sim.route(), "Ready") == ("False", "NoReplicas")
    assert status_and_reason(sim.get(MODEL_SERVER, "default"), "Available") == ("False", "NoReplicas")
    sim.store.update(POD, sim.get(POD, "p1"), pod("p1"))
    sim.settle()
    assert status_and_reason(sim.route(), "Ready") == ("True", "Ready")


def test_joining_replica_is_counted_by_one_route_a_second(new_sim):
    """Without a resync, and without an event that reaches them all."""
    sim = new_sim()
    names = [f"r{number}" for number in range(4)]
    sim.apply(linear_model(), *(model_route(name=name) for name in names))
    sim.settle()
    assert {sim.route(name)["status"]["loadedSummary"] for name in names} == {"1/1"}
    began = sim.now = sim.now + timedelta(seconds=60)
    sim.pods = ["p1", "p2"]
    sim.cluster.writes.clear()
    sim.settle()
    assert {sim.route(name)["status"]["loadedSummary"] for name in names} == {"2/2"}
    routes = [name for verb, kind, name in sim.cluster.writes if (verb, kind) == ("status", "ModelRoute")]
    assert sorted(routes) == names, "once each"
    assert sim.now - began >= timedelta(seconds=len(names) - 1)
