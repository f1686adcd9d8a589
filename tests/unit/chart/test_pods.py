"""Every pod: the chart's for every value file, and those that the operator creates."""

import copy
from typing import Any

import pytest

from chart import matrix, pods
from linplane_server.options import group_of, parse
from linplane_server.settings import Shutdown
from unit.chart import made

Object = dict[str, Any]
MADE = dict(made.everything())
TOKENS = {"Deployment linplane-operator", "Deployment linplane-server-default"}


@pytest.mark.parametrize("name", matrix.NAMES)
def test_chart_pods_are_restricted(name: str) -> None:
    for whose, pod in pods.templates(matrix.rendered(name)):
        assert not pods.problems(pod), whose


@pytest.mark.parametrize(("name", "public"), [("default", True), ("defaults-for-pods", False)])
def test_operator_argument_says_that_names_are_not_public(name: str, public: bool) -> None:
    pod = dict(pods.templates(matrix.rendered(name)))["Deployment linplane-operator"]
    assert ("--no-public-names" not in pod["spec"]["containers"][0]["args"]) is public


@pytest.mark.parametrize(("name", "enabled"), [("default", True), ("deny", False)])
def test_operator_argument_says_that_trainings_mount_no_secret(name: str, enabled: bool) -> None:
    pod = dict(pods.templates(matrix.rendered(name)))["Deployment linplane-operator"]
    assert ("--no-credentials" not in pod["spec"]["containers"][0]["args"]) is enabled


def test_secret_is_mounted_only_by_trainings_that_name_one() -> None:
    """As one read-only volume called credentials, of which no variable has anything."""
    found = [body for _, body in matrix.every_object()] + list(MADE.values())
    with_secret = [pod["spec"] for _, pod in pods.templates(found) if "'secret'" in str(pod["spec"].get("volumes"))]
    assert len(with_secret) == sum(name in ("job-s3", "job-postgres") for name in MADE)
    for spec in with_secret:
        (volume,) = [volume for volume in spec["volumes"] if "secret" in volume]
        (mount,) = [each for each in spec["containers"][0]["volumeMounts"] if each["name"] == volume["name"]]
        assert (volume["name"], volume["secret"]["optional"], mount["readOnly"]) == ("credentials", True, True)


@pytest.mark.parametrize("name", MADE)
def test_operator_created_pods_are_restricted(name: str) -> None:
    ((_, pod),) = pods.templates([MADE[name]])
    assert not pods.problems(pod)


def test_token_is_mounted_only_by_pods_that_call_the_api() -> None:
    """Operator, servers and trainers mount one explicitly; no ServiceAccount mounts it by default."""
    found = [body for _, body in matrix.every_object()] + list(MADE.values())
    wanting = {who for who, pod in pods.templates(found) if pod["spec"]["automountServiceAccountToken"]}
    assert {who for who in wanting if not who.startswith("Job ")} == TOKENS | {"Deployment linplane-staging-operator"}
    assert not {who for who in wanting if who.startswith("Pod ")}
    for body in (*found, *made.others()):
        if body["kind"] == "ServiceAccount":
            assert body["automountServiceAccountToken"] is False


def broken(path: str, value: object) -> Object:
    """The server's pod template with one change; a number is a list's index, None removes the key."""
    ((_, pod),) = pods.templates([copy.deepcopy(MADE["server-empty"])])
    *way, last = path.split(".")
    part: Any = pod
    for key in way:
        part = part[int(key)] if key.isdigit() else part[key]
    if value is None:
        del part[last]
    else:
        part[last] = value
    return pod


CONTAINER = "spec.containers.0"
BREACHES = [
    ("spec.hostNetwork", True, pods.restricted),
    ("spec.securityContext.runAsNonRoot", None, pods.restricted),
    ("spec.securityContext.runAsUser", 0, pods.restricted),
    ("spec.securityContext.seccompProfile", None, pods.restricted),
    ("spec.volumes", [{"name": "config", "hostPath": {"path": "/"}}], pods.restricted),
    (f"{CONTAINER}.securityContext.allowPrivilegeEscalation", True, pods.restricted),
    (f"{CONTAINER}.securityContext.capabilities", {"drop": ["ALL"], "add": ["NET_ADMIN"]}, pods.restricted),
    (f"{CONTAINER}.securityContext.runAsUser", 0, pods.restricted),
    (f"{CONTAINER}.ports", [{"containerPort": 80, "hostPort": 80}], pods.restricted),
    (f"{CONTAINER}.livenessProbe.httpGet.host", "localhost", pods.no_host_in_handlers),
    (f"{CONTAINER}.securityContext.readOnlyRootFilesystem", False, pods.read_only),
    ("spec.volumes", [{"name": "config", "emptyDir": {}}], pods.read_only),
    ("spec.volumes", [{"name": "config", "persistentVolumeClaim": {"claimName": "c"}}], pods.read_only),
    ("spec.volumes", [{"name": "config", "secret": {"secretName": "s"}}], pods.no_secret_but_credentials),
    ("spec.enableServiceLinks", None, pods.no_service_links),
    ("spec.automountServiceAccountToken", None, pods.says_its_token),
    (f"{CONTAINER}.resources", {}, pods.has_resources),
    (f"{CONTAINER}.resources", {"requests": {"cpu": "1", "memory": "1Gi"}}, pods.has_resources),
    ("metadata.labels", {"app": "other"}, pods.spreads_over_itself),
    ("spec.topologySpreadConstraints.0.whenUnsatisfiable", "DoNotSchedule", pods.spreads_over_itself),
    (f"{CONTAINER}.envFrom", [{"secretRef": {"name": "all"}}], pods.no_secrets_in_plain_sight),
    (f"{CONTAINER}.env", [{"name": "API_TOKEN", "value": "abc"}], pods.no_secrets_in_plain_sight),
]


@pytest.mark.parametrize(("path", "value", "rule"), BREACHES)
def test_pod_rule_finds_its_breach(path: str, value: object, rule: pods.Rule) -> None:
    assert list(rule(broken(path, value)))


def test_pod_rules_each_have_a_breach() -> None:
    assert {rule for _, _, rule in BREACHES} == set(pods.RULES)


@pytest.mark.parametrize("name", made.SERVERS)
def test_server_grace_period_covers_its_drain(name: str) -> None:
    """The grace period covers preStop, the server's own drain times and a reserve."""
    spec = MADE[f"server-{name}"]["spec"]["template"]["spec"]
    sleep = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    own = group_of(parse(spec["containers"][0]["args"]), Shutdown)
    assert sleep >= 5
    assert own.drain_seconds >= 2  # for connections that are kept
    needed = sleep + own.drain_seconds + own.graceful_seconds + own.hard_seconds
    assert spec["terminationGracePeriodSeconds"] >= max(needed, sleep + own.graceful_seconds + 5)


@pytest.mark.parametrize("name", made.SERVERS)
def test_server_update_adds_one_pod_at_a_time(name: str) -> None:
    """S14, S16: never fewer than spec.replicas; probes on the admin port, liveness by /livez alone."""
    spec = MADE[f"server-{name}"]["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    container = spec["template"]["spec"]["containers"][0]
    asked = {probe: container[probe]["httpGet"] for probe in pods.HANDLERS}
    assert asked["startupProbe"] == asked["livenessProbe"] == {"path": "/livez", "port": "admin"}
    assert asked["readinessProbe"] == {"path": "/readyz", "port": "admin"}
    keys = {constraint["topologyKey"] for constraint in spec["template"]["spec"]["topologySpreadConstraints"]}
    assert keys == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}


def test_budgets_never_keep_a_node() -> None:
    """S13: one disruption at a time, even with one replica; an unready pod does not count."""
    bodies = [body for _, body in matrix.every_object()] + made.others()
    budgets = [body["spec"] for body in bodies if body["kind"] == "PodDisruptionBudget"]
    assert len(budgets) >= 2
    for spec in budgets:
        assert (spec["maxUnavailable"], spec["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
        assert "minAvailable" not in spec


@pytest.mark.parametrize("data", made.DATA)
def test_training_job_is_limited_and_never_expires(data: str) -> None:
    """S19: limits on time and retries, no retry if it cannot help, no expiry, one owner and one name."""
    body, again = made.job(data), made.job(data)
    spec = body["spec"]
    assert body["metadata"]["name"] == again["metadata"]["name"]
    assert spec["backoffLimit"] >= 0
    assert spec["activeDeadlineSeconds"] > 0
    assert "ttlSecondsAfterFinished" not in spec
    assert any(rule["action"] == "FailJob" for rule in spec["podFailurePolicy"]["rules"])
    (owner,) = body["metadata"]["ownerReferences"]
    assert owner["controller"] is True


def test_operator_deployment_has_one_replica_and_recreates_it() -> None:
    """S16: never two at a time for long."""
    for body in matrix.rendered("default"):
        if body["kind"] == "Deployment":
            assert body["spec"]["replicas"] == 1
            assert body["spec"]["strategy"] == {"type": "Recreate"}
