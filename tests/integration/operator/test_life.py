"""The operator killed, away, and back; and what is deleted meanwhile."""

import time

from cluster.kinds import NAMESPACE
from integration.cluster.objects import config_map, route, version
from integration.operator.site import Site, rights_everywhere
from linplane_api.kinds import CONFIG_MAP, JOB, LINEAR_MODEL, MODEL_ROUTE, POD
from support import eventually

TRAINING = {"data": {"synthetic": {"samples": 60, "featureCount": 2, "noise": "0.1"}}, "seed": 3}
OURS = "app.kubernetes.io/name=linplane"


def test_operator_killed_during_a_training_reaches_the_same_end(own_site: Site) -> None:
    """And with the operator away: servers answer, and nothing hangs that is deleted, nor the namespace."""
    site = own_site
    site.kubelet.holding.set()
    site.apply(version("v1", training=TRAINING), route("v1"))
    (job,) = eventually(lambda: site.admin.list(JOB, site.namespace), 30)
    site.operator.kill()
    site.kubelet.holding.clear()
    eventually(lambda: (site.get(JOB, job["metadata"]["name"]).get("status") or {}).get("succeeded"), 30)
    assert site.condition(LINEAR_MODEL, "iris-v1", "Ready")[0] != "True"
    site.start_operator()
    site.comes_to(LINEAR_MODEL, "iris-v1", "Ready", "True")
    site.comes_to(MODEL_ROUTE, "iris", "Ready", "True")
    site.servers(2)
    (same,) = site.admin.list(JOB, site.namespace)
    assert same["metadata"]["uid"] == job["metadata"]["uid"], "trained once"
    features = [item["feature"] for item in site.get(LINEAR_MODEL, "iris-v1")["status"]["coefficients"]]
    row = dict.fromkeys(features, 1.0)
    assert site.versions("iris", row) == {"v1"}

    assert site.operator.stop() == 0
    mark = site.plane.audit.mark()
    assert site.versions("iris", row) == {"v1"}
    site.kubectl("delete", "lmod/iris-v1", "mroute/iris", "mserver/default", "--timeout=20s")
    eventually(lambda: not site.admin.list(CONFIG_MAP, site.namespace, labelSelector=OURS), 20)
    began = time.monotonic()
    site.admin.delete(NAMESPACE, site.namespace)
    eventually(lambda: site.admin.find(NAMESPACE, site.namespace) is None, 25, 0.1)
    print(f"the namespace was gone after {time.monotonic() - began:.1f} s")
    assert [call for call in site.writes(mark) if call.startswith("the-operator")] == []


def test_operator_reports_a_missing_permission_and_exits(own_site: Site) -> None:
    """And does not start."""
    site = own_site
    site.operator.kill()
    name = f"linplane-operator-{site.namespace}"
    where = f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{name}"
    rules = [rule for rule in site.admin.call("GET", where)["rules"] if rule["resources"] != ["jobs"]]
    site.admin.call("PATCH", where, {"rules": rules}, "application/merge-patch+json")
    asked = {"namespace": site.namespace, "verb": "create", "group": "batch", "resource": "jobs"}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": f"system:serviceaccount:{site.namespace}:the-operator", "resourceAttributes": asked},
    }
    reviews = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    eventually(lambda: not site.admin.call("POST", reviews, review)["status"]["allowed"], 30, 0.1)
    operator = site.start_operator()
    assert operator.process.wait(60) == 2
    assert any("create jobs.batch" in line["message"] for line in operator.logged())


def test_deleted_objects_are_gone_while_the_operator_runs(own_site: Site) -> None:
    site = own_site
    site.apply(version("v1", training=TRAINING), route("v1"))
    site.comes_to(MODEL_ROUTE, "iris", "Ready", "True")
    site.kubectl("delete", "lmod/iris-v1", "--timeout=20s")
    site.comes_to(MODEL_ROUTE, "iris", "Accepted", "False", "VersionNotFound")
    site.kubectl("delete", "mroute/iris", "mserver/default", "--timeout=20s")
    eventually(lambda: not site.admin.list(POD, site.namespace), 30, 0.1)
    site.admin.delete(NAMESPACE, site.namespace)
    eventually(lambda: site.admin.find(NAMESPACE, site.namespace) is None, 25, 0.1)
    assert [call for call in site.refused() if call[0] != "linplane-server-default"] == [], "their Roles went first"
    assert site.operator.process.poll() is None


def test_operator_serves_all_namespaces(alone: Site) -> None:
    """By a ClusterRoleBinding; it needs no right to list namespaces or CRDs."""
    site, other = alone, "another"
    site.operator.kill()
    site.admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}})
    weights = config_map("iris", **{"model.json": '{"coefficients": {"x": 2}, "intercept": 1}'})
    with rights_everywhere(site.admin, site.namespace):
        eventually(lambda: not site.start_operator(everywhere=True).died_within(3), 20)
        for namespace in (site.namespace, other):
            for body in (weights, version("v1"), route("v1")):
                site.admin.apply(body, namespace, force=True)
        site.comes_to(MODEL_ROUTE, "iris", "Ready", "True")
        found = eventually(lambda: site.admin.get(LINEAR_MODEL, "iris-v1", other).get("status"), 20)
        assert found["digest"] == site.get(LINEAR_MODEL, "iris-v1")["status"]["digest"]
        assert site.versions("iris", {"x": 1.0}) == {"v1"}
        assert site.operator.stop() == 0
