"""The policy that limits the operator's account to pods as the operator creates them, evaluated by its own CEL."""

import copy
from collections.abc import Callable
from typing import Any

import cel
import pytest

from chart import matrix
from unit.chart import made

Object = dict[str, Any]
MADE = dict(made.everything())


def policy(name: str = "hardened") -> Object:
    (found,) = [
        body
        for body in matrix.rendered(name)
        if body["kind"] == "ValidatingAdmissionPolicy" and body["metadata"]["name"] == "linplane-operator-pods"
    ]
    return found


def expressions(name: str) -> list[Any]:
    return [cel.compile(rule["expression"]) for rule in policy(name)["spec"]["validations"]]


EXPRESSIONS, WITHOUT_CREDENTIALS = expressions("hardened"), expressions("deny")


def is_taken(body: Object, rules: list[Any] = EXPRESSIONS) -> bool:
    """True if every rule allows it; a rule that fails to evaluate refuses, as with failurePolicy Fail."""
    try:
        return all(expression.execute({"object": body}) for expression in rules)
    except (RuntimeError, ValueError, TypeError):
        return False


@pytest.mark.parametrize("name", MADE)
def test_operator_pods_policy_accepts_the_operators_objects(name: str) -> None:
    assert is_taken(MADE[name])


def pod_of(body: Object) -> Object:
    found: Object = body["spec"]["template"]["spec"]
    return found


def security(body: Object) -> Object:
    found: Object = pod_of(body)["containers"][0]["securityContext"]
    return found


def pod_security(body: Object) -> Object:
    found: Object = pod_of(body)["securityContext"]
    return found


def container(body: Object) -> Object:
    found: Object = pod_of(body)["containers"][0]
    return found


def from_secret(kind: str) -> list[Object]:
    return [{"name": "X", "valueFrom": {kind: {"name": "x", "key": "y"}}}]


UNCONFINED = {"type": "Unconfined"}
CHANGES: dict[str, Callable[[Object], object]] = {
    "other-name": lambda body: body["metadata"].update(name="theirs"),
    "other-account": lambda body: pod_of(body).update(serviceAccountName="cluster-admin"),
    "as-root": lambda body: pod_security(body).update(runAsNonRoot=False),
    "as-root-or-not": lambda body: pod_security(body).pop("runAsNonRoot"),
    "as-user-0": lambda body: pod_security(body).update(runAsUser=0),
    "no-seccomp": lambda body: pod_security(body).pop("seccompProfile"),
    "seccomp-off": lambda body: pod_security(body).update(seccompProfile=UNCONFINED),
    "apparmor-off": lambda body: pod_security(body).update(appArmorProfile=UNCONFINED),
    "selinux": lambda body: pod_security(body).update(seLinuxOptions={"type": "spc_t"}),
    "windows": lambda body: pod_security(body).update(windowsOptions={"hostProcess": True}),
    "sysctls": lambda body: pod_security(body).update(sysctls=[{"name": "kernel.msgmax", "value": "1"}]),
    "no-security": lambda body: pod_of(body).pop("securityContext"),
    "host-network": lambda body: pod_of(body).update(hostNetwork=True),
    "host-pid": lambda body: pod_of(body).update(hostPID=True),
    "host-ipc": lambda body: pod_of(body).update(hostIPC=True),
    "init-container": lambda body: pod_of(body).update(initContainers=[{"name": "x", "image": "x"}]),
    "second-container": lambda body: pod_of(body)["containers"].append({"name": "x", "image": "x"}),
    "escalation": lambda body: security(body).update(allowPrivilegeEscalation=True),
    "privileged": lambda body: security(body).update(privileged=True),
    "container-as-root": lambda body: security(body).update(runAsNonRoot=False),
    "container-as-user-0": lambda body: security(body).update(runAsUser=0),
    "container-seccomp-off": lambda body: security(body).update(seccompProfile=UNCONFINED),
    "container-apparmor-off": lambda body: security(body).update(appArmorProfile=UNCONFINED),
    "container-selinux": lambda body: security(body).update(seLinuxOptions={"type": "spc_t"}),
    "container-windows": lambda body: security(body).update(windowsOptions={"hostProcess": True}),
    "container-proc": lambda body: security(body).update(procMount="Unmasked"),
    "host-port": lambda body: container(body).update(ports=[{"containerPort": 80, "hostPort": 80}]),
    "variable-of-secret": lambda body: container(body).update(env=from_secret("secretKeyRef")),
    "variables-of-secret": lambda body: container(body).update(envFrom=[{"secretRef": {"name": "x"}}]),
    "writable": lambda body: security(body).update(readOnlyRootFilesystem=False),
    "capabilities-kept": lambda body: security(body).pop("capabilities"),
    "capabilities-added": lambda body: security(body)["capabilities"].update(add=["SYS_ADMIN"]),
    "host-path": lambda body: pod_of(body).update(volumes=[{"name": "x", "hostPath": {"path": "/"}}]),
    "secret": lambda body: pod_of(body).update(volumes=[{"name": "x", "secret": {"secretName": "x"}}]),
}


@pytest.mark.parametrize("name", ["server-empty", "job-claim"])
@pytest.mark.parametrize("change", CHANGES)
def test_operator_pods_policy_refuses_other_objects(name: str, change: str) -> None:
    body = copy.deepcopy(MADE[name])
    CHANGES[change](body)
    assert not is_taken(body)


CREDENTIALS = {"name": "credentials", "secret": {"secretName": "x", "optional": True}}
OTHER_SECRETS = [
    {**CREDENTIALS, "name": "data"},
    {"name": "credentials", "projected": {"sources": [{"secret": {"name": "x"}}]}},
    {"name": "credentials", "csi": {"driver": "secrets-store.csi.k8s.io"}},
]


def test_operator_pods_policy_lets_a_job_alone_mount_a_secret() -> None:
    """One, since names of volumes are unique; and none where the chart turns credentials off."""
    for name in ("server-empty", "job-claim"):
        body = copy.deepcopy(MADE[name])
        volumes = pod_of(body).setdefault("volumes", [])
        volumes.append(CREDENTIALS)
        assert is_taken(body) is (name == "job-claim")
        assert not is_taken(body, WITHOUT_CREDENTIALS)
        for other in OTHER_SECRETS:
            volumes[-1] = other
            assert not is_taken(body), other


@pytest.mark.parametrize("name", MADE)
def test_operator_pods_policy_without_credentials_refuses_nothing_else(name: str) -> None:
    assert is_taken(MADE[name], WITHOUT_CREDENTIALS) is (name not in ("job-s3", "job-postgres"))


def test_operator_pods_policy_is_off_by_default_and_on_if_hardened() -> None:
    for name in matrix.NAMES:
        there = any(body["metadata"]["name"] == "linplane-operator-pods" for body in matrix.rendered(name))
        assert there is (name in ("deny", "hardened")), name


def test_operator_pods_policy_applies_to_the_operators_account_alone() -> None:
    (condition,) = policy()["spec"]["matchConditions"]
    judge = cel.compile(condition["expression"])
    for user, is_ours in (("linplane-system:linplane-operator", True), ("linplane-system:default", False)):
        request = {"userInfo": {"username": f"system:serviceaccount:{user}"}}
        assert judge.execute({"request": request}) is is_ours
