"""What was deleted, edited or taken by somebody else; trainings that fail; weights by hand."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from cluster.kinds import QUOTA
from integration.cluster.objects import config_map, route, version
from integration.operator.site import Site
from integration.server_cluster.forwarder import Forwarder
from linplane_api.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    JOB,
    LINEAR_MODEL,
    MODEL_ROUTE,
    MODEL_SERVER,
    ROLE,
    ROLE_BINDING,
    SERVICE,
    SERVICE_ACCOUNT,
    Kind,
)
from linplane_api.names import API_VERSION
from linplane_api.names import LABEL_SERVER as LABEL
from linplane_operator.kube.handlers import WATCHED
from linplane_operator.kube.rights import HANDED_ON, rules
from support import eventually

SYNTHETIC = {"data": {"synthetic": {"samples": 60, "featureCount": 2, "noise": "0.1"}}, "seed": 3}
ROUTING = "linplane-routing-default"
ROW = {"x1": 1.0, "x2": 2.0}


@pytest.fixture(scope="module", autouse=True)
def iris(site: Site) -> None:
    """One route with a trained version."""
    site.apply(version("v1", training=SYNTHETIC), route("v1"))
    site.comes_to(LINEAR_MODEL, "iris-v1", "Ready", "True")
    site.comes_to(MODEL_ROUTE, "iris", "Ready", "True")
    site.servers(2)


def test_weights_by_hand(site: Site) -> None:
    """Once they are copied, the user's own ConfigMap does not count any more."""
    artifact = {"coefficients": {"area": 2.5}, "intercept": 10}
    site.apply(config_map("homes", **{"model.json": json.dumps(artifact)}), version("v1", "homes"))
    site.apply(route("v1", name="homes", model="homes"))
    site.comes_to(MODEL_ROUTE, "homes", "Ready", "True")
    assert {answer["prediction"] for answer in site.predict("homes", {"area": 4.0})} == {20.0}
    site.admin.delete(CONFIG_MAP, "homes", site.namespace)
    site.patch_route("homes", rateLimit={"requestsPerSecond": 1000})
    site.comes_to(MODEL_ROUTE, "homes", "Ready", "True")
    assert site.told(LINEAR_MODEL, "homes-v1", "Ready")[0] == "True"


def test_a_missing_configmap_is_named_and_taken_once_it_is_there(site: Site) -> None:
    site.apply(version("v1", "late"))
    assert "late" in site.comes_to(LINEAR_MODEL, "late-v1", "Trained", "False", "ConfigMapNotFound")
    site.apply(config_map("late", other="{}"))
    site.comes_to(LINEAR_MODEL, "late-v1", "Trained", "False", "KeyNotFound")
    site.apply(config_map("late", **{"model.json": "{"}))
    site.comes_to(LINEAR_MODEL, "late-v1", "Trained", "False", "InvalidArtifact")
    good = {"coefficients": {"a": 1}, "intercept": 0}
    site.apply(config_map("late", **{"model.json": json.dumps(good)}))
    site.comes_to(LINEAR_MODEL, "late-v1", "Ready", "True")


def test_a_training_that_fails_says_the_trainers_own_line(site: Site) -> None:
    """And is tried again once `training` is another."""
    site.apply(config_map("rows", **{"rows.csv": "a,y\n1,2\n2,4\n3,6.1\n4,8\n5,10\n6,12\n7,14\n8,16\n"}))
    data = {"configMapKeyRef": {"name": "rows", "key": "rows.csv"}}
    site.apply(version("v1", "bad", training={"data": data, "target": "absent"}))
    message = site.comes_to(LINEAR_MODEL, "bad-v1", "Trained", "False", "BadData")
    assert "absent" in message
    assert "Job linplane-bad-v1-" in message
    site.patch_model("bad-v1", training={"target": "y"})
    site.comes_to(LINEAR_MODEL, "bad-v1", "Ready", "True")


def test_a_quota_is_named_and_the_training_goes_on_once_there_is_room(site: Site) -> None:
    """Only the Events of the Job tell of it."""
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": {"pods": "0"}}}
    site.admin.create(quota, site.namespace)
    eventually(lambda: "hard" in site.get(QUOTA, "few").get("status", {}), 30)
    site.apply(version("v1", "many", training=SYNTHETIC))
    message = site.comes_to(LINEAR_MODEL, "many-v1", "Trained", "False", "QuotaExceeded")
    assert "gets no pod: exceeded quota: few, requested: pods=1" in message
    assert "it goes on once the quota has room" in message
    site.admin.delete(QUOTA, "few", site.namespace)
    site.comes_to(LINEAR_MODEL, "many-v1", "Ready", "True", timeout=90)


CHILDREN: list[tuple[Kind, str]] = [
    (DEPLOYMENT, "linplane-server-default"),
    (SERVICE, "iris"),
    (SERVICE, "linplane-default-admin"),
    (SERVICE_ACCOUNT, "linplane-server-default"),
    (DISRUPTION_BUDGET, "linplane-server-default"),
    (CONFIG_MAP, ROUTING),
    (ROLE, "linplane-server-default"),
    (ROLE_BINDING, "linplane-server-default"),
]


def test_every_child_that_is_deleted_comes_back(site: Site) -> None:
    before = {(kind, name): site.get(kind, name) for kind, name in CHILDREN}
    for kind, name in CHILDREN:
        site.admin.delete(kind, name, site.namespace, propagation="Background")

    def back() -> bool:
        for (kind, name), body in before.items():
            found = site.get_or_none(kind, name)
            assert found, (kind.kind, name)
            assert found["metadata"]["uid"] != body["metadata"]["uid"], (kind.kind, name)
        return True

    eventually(back, 35, 0.1)
    site.servers(2)
    site.comes_to(MODEL_ROUTE, "iris", "Ready", "True")
    site.comes_to(MODEL_SERVER, "default", "Ready", "True")
    assert {answer["status"] for answer in site.predict("iris", ROW)} <= {200, 422}


EDITS: list[tuple[Kind, str, Any, Callable[[dict[str, Any]], Any]]] = [
    (DEPLOYMENT, "linplane-server-default", {"spec": {"replicas": 5}}, lambda b: b["spec"]["replicas"] == 2),
    (SERVICE, "iris", {"spec": {"selector": {LABEL: "x"}}}, lambda b: b["spec"]["selector"][LABEL] != "x"),
    (ROLE, "linplane-server-default", {"rules": []}, lambda b: len(b["rules"] or ()) == 2),
    (CONFIG_MAP, ROUTING, {"data": {"route.iris": "{"}}, lambda b: "document" in b["data"]["route.iris"]),
    (CONFIG_MAP, ROUTING, {"data": {"route.no": "{}"}}, lambda b: "route.no" not in b["data"]),
]  # fmt: skip


def test_every_child_that_is_edited_is_as_it_was(site: Site) -> None:
    for kind, name, change, is_right in EDITS:
        site.admin.patch(kind, name, change, site.namespace)
        eventually(lambda: is_right(site.get(kind, name)), 35, 0.1)  # noqa: B023
    site.comes_to(MODEL_ROUTE, "iris", "Ready", "True")


def test_a_lost_artifact_is_said_and_trained_again_to_the_same_digest(site: Site) -> None:
    status = site.get(LINEAR_MODEL, "iris-v1")["status"]
    before = site.get(CONFIG_MAP, status["artifact"])
    site.admin.delete(CONFIG_MAP, status["artifact"], site.namespace)

    def back() -> bool:
        found = site.get_or_none(CONFIG_MAP, status["artifact"]) or before
        return found["metadata"]["uid"] != before["metadata"]["uid"] and bool(found.get("immutable"))

    eventually(back, 35)
    site.comes_to(LINEAR_MODEL, "iris-v1", "Ready", "True")
    assert site.get(LINEAR_MODEL, "iris-v1")["status"]["digest"] == status["digest"]


def test_a_lost_status_is_rebuilt_without_training(site: Site) -> None:
    before = site.get(LINEAR_MODEL, "iris-v1")
    artifact = site.get(CONFIG_MAP, before["status"]["artifact"])["metadata"]["uid"]
    site.admin.patch(LINEAR_MODEL, "iris-v1", {"status": None}, site.namespace, "status")
    site.comes_to(LINEAR_MODEL, "iris-v1", "Ready", "True")
    after = site.get(LINEAR_MODEL, "iris-v1")
    for field in ("digest", "artifact", "coefficients", "intercept", "evaluation", "trainedAt"):
        assert after["status"][field] == before["status"][field]
    assert site.get(CONFIG_MAP, after["status"]["artifact"])["metadata"]["uid"] == artifact


def test_what_somebody_else_has_is_not_touched(site: Site) -> None:
    """A Service of the route's name: it is said, and taken once it is free."""
    port = {"name": "mine", "port": 99, "protocol": "TCP", "targetPort": 99}
    theirs = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "taken"}, "spec": {"ports": [port]}}
    site.admin.create(theirs, site.namespace)
    before = site.get(SERVICE, "taken")
    site.apply(route("v1", name="taken"))
    assert "taken" in site.comes_to(MODEL_ROUTE, "taken", "Accepted", "False", "NameTaken")
    assert site.get(SERVICE, "taken") == before
    site.admin.delete(SERVICE, "taken", site.namespace)
    site.comes_to(MODEL_ROUTE, "taken", "Ready", "True")
    assert site.get(SERVICE, "taken")["spec"]["ports"][0]["port"] == 80


def test_no_call_was_refused(site: Site) -> None:
    """But for those of servers whose Role was deleted above, and the one beside somebody's port of the same name."""
    expected = 'Service "linplane-default-admin" is invalid: spec.ports[1].name: Duplicate value: "admin"'
    assert [call for call in site.refused() if call[0] != "linplane-server-default" and call[3] != expected] == []


@contextmanager
def without_watches(site: Site) -> Iterator[None]:
    """The operator can list and get, and no watch comes through: what is deleted meanwhile, nobody tells."""
    port = urlsplit(site.plane.server).port
    assert port
    api = Forwarder(port)
    site.operator.stop()
    site.start_operator(through=api.url)
    eventually(lambda: site.operator.metric("linplane_operator_watch_events_total", kind="PodDisruptionBudget"), 60)
    where = f"/apis/rbac.authorization.k8s.io/v1/clusterroles/linplane-operator-{site.namespace}"
    blind = [{**rule, "verbs": [verb for verb in rule["verbs"] if verb != "watch"]} for rule in rules()]
    mark = site.plane.audit.mark()
    site.admin.call("PATCH", where, {"rules": blind}, "application/merge-patch+json")
    api.go_away()
    api.come_back()

    def refused() -> bool:
        watches = (e for e in site.events(mark) if e["verb"] == "watch" and e["responseStatus"]["code"] == 403)
        return {e["objectRef"]["resource"] for e in watches if e["who"] == "the-operator"} == {
            k.plural for k in WATCHED
        }

    try:
        eventually(refused, 60, 0.2)
        yield
    finally:
        site.admin.call("PATCH", where, {"rules": rules()}, "application/merge-patch+json")
        site.operator.stop()
        api.close()
        site.start_operator()


@pytest.mark.timeout(240)  # a list comes once a minute
def test_what_is_deleted_while_no_watch_comes_through_is_noticed(site: Site) -> None:
    """By a list, and confirmed one by one: of every kind."""
    (job, *_) = (job["metadata"]["name"] for job in site.admin.list(JOB, site.namespace))
    site.apply({"apiVersion": API_VERSION, "kind": MODEL_SERVER.kind, "metadata": {"name": "spare"}, "spec": {}})
    site.comes_to(MODEL_SERVER, "spare", "Available", "True")
    gone: list[tuple[Kind, str]] = [
        (LINEAR_MODEL, "late-v1"), (MODEL_ROUTE, "homes"), (MODEL_SERVER, "spare"), (JOB, job), (CONFIG_MAP, "late"),
        (SERVICE, "iris"), (SERVICE_ACCOUNT, "linplane-server-default"), (DEPLOYMENT, "linplane-server-default"),
        (DISRUPTION_BUDGET, "linplane-server-default"),
    ]  # fmt: skip
    with without_watches(site):
        mark = site.plane.audit.mark()
        for kind, name in gone:
            site.admin.delete(kind, name, site.namespace, propagation="Background")

        def confirmed() -> bool:
            gets = (e for e in site.events(mark) if e["verb"] == "get" and e["responseStatus"]["code"] == 404)
            seen = {e["objectRef"]["resource"] for e in gets if e["who"] == "the-operator"}
            missing = {kind.plural for kind in WATCHED} - seen  # pods and reports went with the Deployment
            assert not missing
            return True

        eventually(confirmed, 90, 0.2)
        for kind, name in gone[5:]:
            eventually(lambda: site.get_or_none(kind, name), 30)  # noqa: B023
        eventually(lambda: "route.homes" not in site.get(CONFIG_MAP, ROUTING)["data"])
        assert site.operator.metric("linplane_operator_watch_behind_seconds") > 0
    site.servers(2)
    site.comes_to(MODEL_ROUTE, "iris", "Ready", "True")


def test_every_right_is_used(site: Site) -> None:
    """By the operator here, or handed on and used by the one who gets it."""
    used = site.used("the-operator")
    held_by = {
        (group, resource, verb)
        for rule in rules()
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    handed_on = {(group, resource, verb) for (group, resource), verbs in HANDED_ON.items() for verb in verbs}
    theirs = site.used("linplane-server-default") | site.used("linplane-trainer")
    assert held_by - used - (handed_on & theirs) == set()
