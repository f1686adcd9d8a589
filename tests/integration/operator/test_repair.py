"""Children that were deleted, edited or taken by other clients; trainings that fail; weights by hand."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from cluster.audit import granted
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
    POD,
    REPLICA_REPORT,
    ROLE,
    ROLE_BINDING,
    SERVICE,
    SERVICE_ACCOUNT,
    Kind,
)
from linplane_api.names import API_VERSION
from linplane_api.names import LABEL_SERVER as LABEL
from linplane_operator.kube.permissions import HANDED_ON, rules
from linplane_operator.kube.watched_kinds import WATCHED
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


def test_copied_weights_survive_the_deletion_of_their_config_map(site: Site) -> None:
    """Once they are copied, the user's own ConfigMap does not count any more."""
    artifact = {"coefficients": {"area": 2.5}, "intercept": 10}
    site.apply(config_map("homes", **{"model.json": json.dumps(artifact)}), version("v1", "homes"))
    site.apply(route("v1", name="homes", model="homes"))
    site.comes_to(MODEL_ROUTE, "homes", "Ready", "True")
    assert {answer["prediction"] for answer in site.predict("homes", {"area": 4.0})} == {20.0}
    site.admin.delete(CONFIG_MAP, "homes", site.namespace)
    site.patch_route("homes", rateLimit={"requestsPerSecond": 1000})
    site.comes_to(MODEL_ROUTE, "homes", "Ready", "True")
    assert site.condition(LINEAR_MODEL, "homes-v1", "Ready")[0] == "True"


def test_missing_config_map_of_weights_is_reported_until_it_exists(site: Site) -> None:
    site.apply(version("v1", "late"))
    assert "late" in site.comes_to(LINEAR_MODEL, "late-v1", "Trained", "False", "ConfigMapNotFound")
    site.apply(config_map("late", other="{}"))
    site.comes_to(LINEAR_MODEL, "late-v1", "Trained", "False", "KeyNotFound")
    site.apply(config_map("late", **{"model.json": "{"}))
    site.comes_to(LINEAR_MODEL, "late-v1", "Trained", "False", "InvalidArtifact")
    good = {"coefficients": {"a": 1}, "intercept": 0}
    site.apply(config_map("late", **{"model.json": json.dumps(good)}))
    site.comes_to(LINEAR_MODEL, "late-v1", "Ready", "True")


def test_failed_training_reports_the_message_of_its_trainer(site: Site) -> None:
    """And is tried again once `training` is another."""
    site.apply(config_map("rows", **{"rows.csv": "a,y\n1,2\n2,4\n3,6.1\n4,8\n5,10\n6,12\n7,14\n8,16\n"}))
    data = {"configMapKeyRef": {"name": "rows", "key": "rows.csv"}}
    site.apply(version("v1", "bad", training={"data": data, "target": "absent"}))
    message = site.comes_to(LINEAR_MODEL, "bad-v1", "Trained", "False", "BadData")
    assert "absent" in message
    assert "Job linplane-bad-v1-" in message
    site.patch_model("bad-v1", training={"target": "y"})
    site.comes_to(LINEAR_MODEL, "bad-v1", "Ready", "True")


def test_quota_is_reported_and_the_training_continues_once_there_is_room(site: Site) -> None:
    """Only the Events of the Job report it."""
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": {"pods": "0"}}}
    site.admin.create(quota, site.namespace)
    eventually(lambda: "hard" in site.get(QUOTA, "few").get("status", {}), 30)
    site.apply(version("v1", "many", training=SYNTHETIC))
    message = site.comes_to(LINEAR_MODEL, "many-v1", "Trained", "False", "QuotaExceeded")
    assert "gets no pod: exceeded quota: few, requested: pods=1" in message
    assert "it goes on once the quota has room" in message
    job = site.get(LINEAR_MODEL, "many-v1")["status"]["job"]
    waited_for: list[tuple[Kind, str]] = [
        (CONFIG_MAP, job), (JOB, job), (SERVICE_ACCOUNT, "linplane-trainer"),
        (ROLE, "linplane-trainer"), (ROLE_BINDING, "linplane-trainer"),
    ]  # fmt: skip
    before = [site.get(kind, name)["metadata"]["uid"] for kind, name in waited_for]
    for (kind, name), uid in zip(waited_for, before, strict=True):  # what it waits for, each alone
        site.admin.delete(kind, name, site.namespace, propagation="Background")
        eventually(lambda: (site.get_or_none(kind, name) or {"metadata": {"uid": uid}})["metadata"]["uid"] != uid, 35)  # noqa: B023
    site.admin.delete(QUOTA, "few", site.namespace)
    site.comes_to(LINEAR_MODEL, "many-v1", "Ready", "True", timeout=90)


SERVER = "linplane-server-default"
CHILDREN: list[tuple[Kind, str]] = [
    (ROLE, SERVER),
    (ROLE_BINDING, SERVER),
    (SERVICE_ACCOUNT, SERVER),
    (DEPLOYMENT, SERVER),  # after the account, whose tokens go with it
    (SERVICE, "iris"),
    (SERVICE, "linplane-default-admin"),
    (DISRUPTION_BUDGET, SERVER),
    (CONFIG_MAP, ROUTING),
]
UNWATCHED = CHILDREN[:2]  # not watched: repaired periodically


def test_deleted_children_are_recreated(site: Site) -> None:
    """Each alone, but for those that take their time."""
    for together in (UNWATCHED, *([child] for child in CHILDREN[2:])):
        before = {(kind, name): site.get(kind, name) for kind, name in together}
        began = time.monotonic()
        for kind, name in together:
            site.admin.delete(kind, name, site.namespace, propagation="Background")

        def back(one: tuple[Kind, str], old: dict[str, Any]) -> bool:
            found = site.get_or_none(*one)
            return found is not None and found["metadata"]["uid"] != old["metadata"]["uid"]

        for one, old in before.items():
            eventually(lambda: back(one, old), 35 - (time.monotonic() - began), 0.1)  # noqa: B023
            print(f"{one[0].kind} {one[1]}: back after {time.monotonic() - began:.1f} s")
    site.servers(2)
    site.comes_to(MODEL_ROUTE, "iris", "Ready", "True")
    site.comes_to(MODEL_SERVER, "default", "Ready", "True")
    assert {answer["status"] for answer in site.predict("iris", ROW)} <= {200, 422}


Edit = tuple[Kind, str, Any]
CHANGED: list[Edit] = [
    (DEPLOYMENT, SERVER, {"spec": {"replicas": 5}}),
    (SERVICE, "iris", {"spec": {"selector": {LABEL: "x"}}}),
    (SERVICE, "linplane-default-admin", {"spec": {"ports": [{"name": "admin", "port": 1, "targetPort": 1}]}}),
    (SERVICE_ACCOUNT, SERVER, {"automountServiceAccountToken": True}),
    (DISRUPTION_BUDGET, SERVER, {"spec": {"maxUnavailable": 0}}),
    (ROLE, SERVER, {"rules": []}),
    (ROLE_BINDING, SERVER, {"subjects": []}),
    (CONFIG_MAP, ROUTING, {"data": {"route.iris": "{"}}),
]


def add(where: str, what: object) -> dict[str, object]:
    return {"op": "add", "path": where, "value": what}


POD_SPEC = "/spec/template/spec"
ADDED: list[Edit] = [
    (
        DEPLOYMENT,
        SERVER,
        [
            add(f"{POD_SPEC}/containers/0/env/-", {"name": "ODD", "value": "x"}),
            add(f"{POD_SPEC}/containers/-", {"name": "odd", "image": "odd"}),
            add(f"{POD_SPEC}/volumes/-", {"name": "odd", "emptyDir": {}}),
            add(f"{POD_SPEC}/initContainers", [{"name": "odd-too", "image": "odd"}]),
            add(f"{POD_SPEC}/nodeSelector", {"odd": "x"}),
        ],
    ),
    (SERVICE, "iris", {"spec": {"selector": {"odd": "x"}}}),
    (SERVICE, "linplane-default-admin", [add("/spec/ports/-", {"name": "odd", "port": 99, "protocol": "TCP"})]),
    (SERVICE_ACCOUNT, SERVER, {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}}),
    (DISRUPTION_BUDGET, SERVER, {"spec": {"selector": {"matchLabels": {"odd": "x"}}}}),
    (ROLE, SERVER, [add("/rules/-", {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]})]),
    (ROLE_BINDING, SERVER, [add("/subjects/-", {"kind": "ServiceAccount", "name": "odd", "namespace": "odd"})]),
    (CONFIG_MAP, ROUTING, {"data": {"route.no": "{}"}}),
]


def meaning(body: dict[str, Any]) -> dict[str, Any]:
    """All of a child but who wrote it when; of the routing ConfigMap, the routes that it has a document of."""
    kept = {key: body.get(key) for key in ("spec", "rules", "subjects", "automountServiceAccountToken")}
    routes = sorted(k for k, text in (body.get("data") or {}).items() if k == "sequence" or "document" in text)
    return {**kept, "keys": sorted(body.get("data") or {}), "routes": routes, "labels": body["metadata"]["labels"]}


@pytest.mark.parametrize("edits", [CHANGED, ADDED], ids=["changed", "added"])
def test_edited_children_are_corrected(site: Site, edits: list[Edit]) -> None:
    """Each alone, but for those that take their time."""
    unwatched = [edit for edit in edits if edit[:2] in UNWATCHED]
    for together in (unwatched, *([edit] for edit in edits if edit not in unwatched)):
        before = [meaning(site.get(kind, name)) for kind, name, _ in together]
        began = time.monotonic()
        for kind, name, change in together:
            changed = site.admin.patch(kind, name, change, site.namespace)
            assert meaning(changed) not in before, (kind.kind, name)
        for (kind, name, _), right in zip(together, before, strict=True):

            def is_right(kind: Kind = kind, name: str = name, right: object = right) -> bool:
                found = meaning(site.get(kind, name))
                assert found == right, (kind.kind, name)
                return True

            eventually(is_right, 35 - (time.monotonic() - began), 0.1)
            print(f"{kind.kind} {name}: as it was after {time.monotonic() - began:.1f} s")
    site.servers(2)
    site.comes_to(MODEL_ROUTE, "iris", "Ready", "True")


def test_foreign_status_conditions_are_removed_and_then_nothing_is_written(site: Site) -> None:
    """But for conditions of a type that this operator doesn't know, which may be a newer one's. Then nothing is written
    at all, although the operator resyncs.
    """
    odd = {"status": "True", "reason": "Odd", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    later = {**odd, "type": "Later", "reason": "Later"}
    for kind, name, other in (
        (LINEAR_MODEL, "iris-v1", "Servable"),
        (MODEL_ROUTE, "iris", "Trained"),
        (MODEL_SERVER, "default", "Withdrawn"),
    ):
        for added in (later, {**odd, "type": other}):
            site.admin.patch(kind, name, [add("/status/conditions/-", added)], site.namespace, "status")
        eventually(lambda: "Odd" not in str(site.get(kind, name)["status"]), 35, 0.1)  # noqa: B023
        assert later in site.get(kind, name)["status"]["conditions"]

    def rest() -> bool:
        mark, before = site.plane.audit.mark(), reconciled()
        eventually(lambda: reconciled() > before, 40, 0.2)
        assert [line for line in site.writes(mark) if line.startswith("the-operator")] == []
        return True

    def reconciled() -> float:
        return site.operator.metric("linplane_operator_reconciles_total", kind="ModelServer")

    eventually(rest, 90)


def test_lost_artifact_is_reported_and_retrained_to_the_same_digest(site: Site) -> None:
    status = site.get(LINEAR_MODEL, "iris-v1")["status"]
    before = site.get(CONFIG_MAP, status["artifact"])
    site.kubelet.holding.set()  # no trainer begins meanwhile
    site.admin.delete(CONFIG_MAP, status["artifact"], site.namespace)
    assert status["artifact"] in site.comes_to(LINEAR_MODEL, "iris-v1", "Ready", "False", "ArtifactLost", timeout=35)
    assert {answer["status"] for answer in site.predict("iris", ROW)} <= {200, 422}, "routes go on"
    site.kubelet.holding.clear()

    def back() -> bool:
        found = site.get_or_none(CONFIG_MAP, status["artifact"]) or before
        return found["metadata"]["uid"] != before["metadata"]["uid"] and bool(found.get("immutable"))

    eventually(back, 35)
    site.comes_to(LINEAR_MODEL, "iris-v1", "Ready", "True")
    assert site.get(LINEAR_MODEL, "iris-v1")["status"]["digest"] == status["digest"]


def test_lost_status_is_restored_without_training(site: Site) -> None:
    before = site.get(LINEAR_MODEL, "iris-v1")
    artifact = site.get(CONFIG_MAP, before["status"]["artifact"])["metadata"]["uid"]
    site.admin.patch(LINEAR_MODEL, "iris-v1", {"status": None}, site.namespace, "status")
    site.comes_to(LINEAR_MODEL, "iris-v1", "Ready", "True")
    after = site.get(LINEAR_MODEL, "iris-v1")
    for field in ("digest", "artifact", "coefficients", "intercept", "evaluation", "trainedAt"):
        assert after["status"][field] == before["status"][field]
    assert site.get(CONFIG_MAP, after["status"]["artifact"])["metadata"]["uid"] == artifact


def test_labels_and_annotations_of_the_user_reach_job_and_service(site: Site) -> None:
    """A label that was removed from the spec goes; labels of other clients stay. The queue's label is on the Job
    itself.
    """
    queue = {"kueue.x-k8s.io/queue-name": "nightly"}
    site.apply(version("v1", "queued", training={**SYNTHETIC, "job": {"labels": queue}}))
    site.apply(route("v1", name="queued", model="queued"))
    site.patch_route("queued", service={"labels": {"team": "red"}, "annotations": {"mesh": "on"}})
    site.comes_to(MODEL_ROUTE, "queued", "Ready", "True")
    job = site.get(JOB, site.get(LINEAR_MODEL, "queued-v1")["status"]["job"])
    assert job["metadata"]["labels"].items() >= queue.items()
    assert job["spec"]["template"]["metadata"]["labels"].items() >= queue.items()
    eventually(lambda: site.get(SERVICE, "queued")["metadata"]["labels"].get("team") == "red")
    assert site.get(SERVICE, "queued")["metadata"]["annotations"]["mesh"] == "on"
    site.admin.patch(SERVICE, "queued", {"metadata": {"annotations": {"theirs": "kept"}}}, site.namespace)
    site.patch_route("queued", service={"labels": {"team": None, "tier": "gold"}, "annotations": None})
    eventually(lambda: site.get(SERVICE, "queued")["metadata"]["labels"].get("tier") == "gold")
    left = site.get(SERVICE, "queued")["metadata"]
    assert "team" not in left["labels"]
    assert left["annotations"].keys() == {"linplane.dev/applied", "theirs"}
    for kind, name in ((MODEL_ROUTE, "queued"), (LINEAR_MODEL, "queued-v1")):
        site.admin.delete(kind, name, site.namespace)


def test_report_that_outlived_its_pod_is_removed(site: Site) -> None:
    """Deleted with --cascade=orphan it has no owner any more: it goes once replicas have to confirm something. The
    replacement of the pod is one such moment, so the report may be gone early; it is then created as it was left.
    """
    pod = site.servers(2)[0].name
    report = site.get(REPLICA_REPORT, pod)
    site.kubectl("delete", "pod", pod, "--cascade=orphan", "--wait=false")
    eventually(lambda: site.get_or_none(POD, pod) is None, 60)
    site.comes_to(MODEL_ROUTE, "iris", "Converged", "True")
    left = site.get_or_none(REPLICA_REPORT, pod)
    if left is None:
        metadata = {"name": pod, "labels": report["metadata"].get("labels", {})}
        left = site.admin.create({**report, "metadata": metadata}, site.namespace)
    assert "ownerReferences" not in left["metadata"]
    site.patch_route("iris", splitKey={"salt": "other"})
    site.patch_model("late-v1", frozen=True)
    site.comes_to(LINEAR_MODEL, "late-v1", "Withdrawn", "True")
    assert site.get_or_none(REPLICA_REPORT, pod) is None
    site.comes_to(MODEL_ROUTE, "iris", "Converged", "True")
    site.patch_model("late-v1", frozen=False)
    remaining = [report["metadata"]["name"] for report in site.admin.list(REPLICA_REPORT, site.namespace)]
    assert sorted(remaining) == sorted(container.name for container in site.servers(2))


def test_foreign_service_of_the_same_name_is_not_changed(site: Site) -> None:
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


ABOVE = {"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}}


def test_calls_of_the_operator_were_never_refused_during_repairs(site: Site) -> None:
    """Except those of servers whose Role was deleted above, and the one about a foreign port of the same name."""
    expected = 'Service "linplane-default-admin" is invalid: spec.ports[1].name: Duplicate value: "admin"'
    assert [call for call in site.refused() if call[0] != "linplane-server-default" and call[3] != expected] == []


def test_child_refused_by_the_api_server_is_reported(site: Site) -> None:
    """By the server and by the version, in its words; what serves goes on."""
    before = site.get(DEPLOYMENT, SERVER)["spec"]
    site.admin.patch(MODEL_SERVER, "default", {"spec": ABOVE}, site.namespace)
    site.apply(version("v1", "tight", training={**SYNTHETIC, "job": ABOVE}))
    words = "must be less than or equal to cpu limit"
    assert words in site.comes_to(MODEL_SERVER, "default", "Ready", "False", "ChildRefused")
    assert words in site.comes_to(LINEAR_MODEL, "tight-v1", "Trained", "False", "ChildRefused")
    assert site.get(DEPLOYMENT, SERVER)["spec"] == before
    assert {answer["status"] for answer in site.predict("iris", ROW)} <= {200, 422}
    site.admin.patch(MODEL_SERVER, "default", {"spec": {"resources": None}}, site.namespace)
    site.patch_model("tight-v1", training={"job": None})
    site.comes_to(MODEL_SERVER, "default", "Ready", "True")
    site.comes_to(LINEAR_MODEL, "tight-v1", "Ready", "True")


@contextmanager
def without_watches(site: Site) -> Iterator[None]:
    """The operator can list and get, and no watch comes through: deletions meanwhile are not reported."""
    port = urlsplit(site.plane.server).port
    assert port
    api = Forwarder(port)
    site.operator.stop()
    site.start_operator(through=api.url)
    eventually(lambda: site.operator.get("/readyz")[0] == 200, 60)  # every watch has started
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
def test_deletions_without_a_watch_are_found_by_a_list(site: Site) -> None:
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
    site.servers(2)
    site.comes_to(MODEL_ROUTE, "iris", "Ready", "True")


def test_operator_permissions_are_all_used(site: Site) -> None:
    """By the operator here, or granted and used by the grantee."""
    handed_on = {(group, resource, verb) for (group, resource), verbs in HANDED_ON.items() for verb in verbs}
    theirs = site.used("linplane-server-default") | site.used("linplane-trainer")
    assert granted(rules()) - site.used("the-operator") - (handed_on & theirs) == set()
