"""Changes and failures under a constant load from inside, by two client protocols: no request fails, none gets the
answer to another.
"""

import http.client
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from e2e.chart import CHART, RELEASE, SYSTEM
from e2e.cluster_failures import answers, api_server_away, renew_names
from e2e.conftest import Release, values
from e2e.figures import RecordFigure
from e2e.kubectl import Kubectl, from_pod, helm
from e2e.load import FORMS
from e2e.load_pod import Answer, grpc_calls, load
from e2e.objects import handmade, route, server
from support import eventually

RATE = 200
REPLICAS = 3
SWITCHES = 100
P99 = SWITCHES * 99 // 100 - 1
PAUSE = 1.1  # a server's routing is written once a second at most, after a burst
VERSIONS = {"v1": (0.1, 7.3), "v2": (1 / 3, -2.7)}
ROUTE = "modelroute/flat"
AWAY_SECONDS = 30.0


@pytest.fixture
def served(kubectl: Kubectl) -> Kubectl:
    """A route with two versions and three replicas, by HTTP and gRPC."""
    objects = [body for name, (slope, start) in VERSIONS.items() for body in handmade("flat", name, slope, start)]
    kubectl.apply(server(replicas=REPLICAS, grpc={}), *objects, route("flat", "v1"))
    kubectl.wait("Ready", ROUTE, "linearmodel/flat-v2")
    _rolled_out(kubectl, REPLICAS)
    return kubectl


def _rolled_out(kubectl: Kubectl, replicas: int) -> None:
    kubectl("rollout", "status", "deployment/linplane-server-default", "--timeout=180s", timeout=200)

    def complete() -> bool:
        pods = kubectl.list("pods", "app.kubernetes.io/component=server")
        ready = kubectl.get("modelserver", "default")["status"].get("loadedReplicas")
        return len(pods) == replicas and ready == replicas

    eventually(complete, 90, interval=0.5)
    kubectl.wait("Ready", ROUTE, "modelserver/default")


def _patch(kubectl: Kubectl, **spec: Any) -> None:
    kubectl.patch("modelroute", "flat", {"spec": spec})
    eventually(lambda: _is_in_effect(kubectl.get("modelroute", "flat")), 30, interval=0.1)


def _is_in_effect(body: dict[str, Any]) -> bool:
    status = body.get("status") or {}
    ready = next((c for c in status.get("conditions") or () if c["type"] == "Ready"), {})
    generation = body["metadata"]["generation"]
    return ready.get("status") == "True" and ready.get("observedGeneration") == generation


# ---- what happens ----


def _switch(kubectl: Kubectl) -> None:
    """Under calls by gRPC too."""
    with grpc_calls(kubectl, "flat", VERSIONS) as lines:
        assert next(lines) == "v1 ok"
        _patch(kubectl, version="v2")
        first = next(line for line in lines if line != "v1 ok")
        assert [first, *(next(lines) for _ in range(9))] == ["v2 ok"] * 10


def _split(kubectl: Kubectl) -> None:
    _patch(kubectl, version="v1", split=[{"version": "v2", "percent": 30}])


def _freeze_a_candidate(kubectl: Kubectl) -> None:
    kubectl.patch("linearmodel", "flat-v2", {"spec": {"frozen": True}})
    kubectl.wait("Withdrawn", "linearmodel/flat-v2", timeout=30)


def _unfreeze(kubectl: Kubectl) -> None:
    kubectl.patch("linearmodel", "flat-v2", {"spec": {"frozen": None}})
    kubectl.wait("Accepted", ROUTE, timeout=30)
    kubectl.wait("Ready", ROUTE, timeout=30)


def _scale(kubectl: Kubectl) -> None:
    kubectl("scale", "mserver/default", f"--replicas={REPLICAS + 2}")
    _rolled_out(kubectl, REPLICAS + 2)
    kubectl("scale", "mserver/default", f"--replicas={REPLICAS}")
    _rolled_out(kubectl, REPLICAS)


def _restart(kubectl: Kubectl) -> None:
    kubectl("rollout", "restart", "deployment/linplane-server-default")
    _rolled_out(kubectl, REPLICAS)


def _a_pod(kubectl: Kubectl) -> str:
    return str(kubectl.list("pods", "app.kubernetes.io/component=server")[0]["metadata"]["name"])


def _delete_a_pod(kubectl: Kubectl) -> None:
    kubectl("delete", "pod", _a_pod(kubectl), "--wait=false")
    _rolled_out(kubectl, REPLICAS)


def _evict_a_pod(kubectl: Kubectl) -> None:
    pod = _a_pod(kubectl)
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": kubectl.namespace}}
    path = f"/api/v1/namespaces/{kubectl.namespace}/pods/{pod}/eviction"
    kubectl("create", f"--raw={path}", "--filename=-", stdin=json.dumps(body))
    _rolled_out(kubectl, REPLICAS)


def _upgrade_the_chart(kubectl: Kubectl) -> None:
    """Changes values so that the pods of the operator and of the servers are replaced."""
    changed = ("--set=operator.podAnnotations.e2e=upgraded", '--set-json=server.resources={"requests":{"cpu":"50m"}}')
    before = _pods(kubectl), _pods(Kubectl(SYSTEM))
    helm("upgrade", RELEASE, str(CHART), f"--namespace={SYSTEM}", "--wait", *values(), *changed)
    eventually(lambda: not before[0] & _pods(kubectl), 120, interval=0.5)
    assert not before[1] & _pods(Kubectl(SYSTEM))
    _rolled_out(kubectl, REPLICAS)


def _pods(kubectl: Kubectl) -> set[str]:
    """UIDs of the product's pods that are not being deleted."""
    pods = kubectl.list("pods", "app.kubernetes.io/name=linplane")
    return {pod["metadata"]["uid"] for pod in pods if "deletionTimestamp" not in pod["metadata"]}


def _kill_the_operator(kubectl: Kubectl) -> None:
    system = Kubectl(SYSTEM)
    system("delete", "pod", "--selector=app.kubernetes.io/component=operator", "--force", "--grace-period=0")
    _patch(kubectl, split=[{"version": "v2", "percent": 40}])


def _scale_the_operator_to_0(kubectl: Kubectl) -> None:
    system = Kubectl(SYSTEM)
    system("scale", "deployment/linplane-operator", "--replicas=0")
    system("wait", "--for=delete", "pod", "--selector=app.kubernetes.io/component=operator", "--timeout=60s")
    kubectl.patch("modelroute", "flat", {"spec": {"split": None}})  # waits for an operator
    time.sleep(5)
    system("scale", "deployment/linplane-operator", "--replicas=1")
    eventually(lambda: _is_in_effect(kubectl.get("modelroute", "flat")), 60, interval=0.5)


def _stop_the_api_server(kubectl: Kubectl) -> None:
    with api_server_away():
        assert "flat" not in kubectl("get", "modelroutes", check=False, timeout=60)
        time.sleep(AWAY_SECONDS)
    eventually(answers, 60, interval=0.5)
    _patch(kubectl, version="v2")


def _new_names_are_found(kubectl: Kubectl) -> None:
    """kube-proxy and CoreDNS serve a new Service, which may take a minute after the API server is back."""
    renew_names()
    kubectl.apply(route("flat", "v1", "later"))
    eventually(lambda: _answers(kubectl, "later"), 150, interval=1)


def _answers(kubectl: Kubectl, name: str) -> bool:
    return from_pod(kubectl, f"http://{name}/predict", {"features": {"area": 1}})[0] == 200


STEPS: list[Callable[[Kubectl], None]] = [
    _switch,
    _split,
    _freeze_a_candidate,
    _unfreeze,
    _scale,
    _restart,
    _delete_a_pod,
    _evict_a_pod,
    _upgrade_the_chart,
    _kill_the_operator,
    _scale_the_operator_to_0,
    _stop_the_api_server,
]


@pytest.mark.timeout(1500)
def test_requests_under_load_never_fail_during_changes_and_failures(
    served: Kubectl, release: Release, record_figure: RecordFigure
) -> None:
    times: list[tuple[str, float, float]] = []
    try:
        with load(served, "flat", RATE, VERSIONS) as asking:
            for step in STEPS:
                began = time.time()
                step(served)
                time.sleep(1.5)  # answers of what it has led to
                times.append((step.__name__.strip("_").replace("_", " "), began, time.time()))
            answers = asking.answers()
        _new_names_are_found(served)
    finally:
        helm("upgrade", RELEASE, str(CHART), f"--namespace={SYSTEM}", "--wait", *values())
    lines = [_told(name, [a for a in answers if began <= a.began < end], end - began) for name, began, end in times]
    took = answers[-1].began - answers[0].began
    for line in lines:
        record_figure(*line, "")
    failed = [answer for answer in answers if answer.outcome != "ok"]
    record_figure(f"failed, of {len(answers):,} requests at {len(answers) / took:.0f} a second", str(len(failed)), "0")
    assert not failed, f"{len(failed)} of {len(answers)}: {failed[:5]}"
    assert len(answers) > 0.9 * RATE * took
    _check_what_each_step_did(answers, times)


def _told(name: str, answers: list[Answer], seconds: float) -> tuple[str, str]:
    failed = sum(answer.outcome != "ok" for answer in answers)
    slowest = max((answer.took for answer in answers), default=0.0)
    return f"{name}, s: requests, failed, the slowest", f"{seconds:.0f}: {len(answers):,}, {failed}, {slowest:.3f} s"


def _check_what_each_step_did(answers: list[Answer], times: list[tuple[str, float, float]]) -> None:
    """Versions that answered in the last second of each step, whatever the form of the request."""
    ends = {name: {a.version for a in answers if end - 1 < a.began < end} for name, _, end in times}
    assert ends["switch"] == {"v2"}
    assert ends["split"] == {"v1", "v2"}
    assert ends["freeze a candidate"] == {"v1"}
    assert ends["unfreeze"] == {"v1", "v2"}
    assert ends["stop the api server"] == {"v2"}
    for name, began, end in times:
        within = [a for a in answers if began < a.began < end]
        assert {a.form for a in within} == set(FORMS), name
        if name == "delete a pod":
            for form in FORMS:
                share = [a.version for a in within if a.form == form]
                assert 0.2 < share.count("v2") / len(share) < 0.4, form


# ---- how fast a switch is ----


@contextmanager
def _proxy() -> Iterator[http.client.HTTPConnection]:
    """A client of the API server that needs no process per call."""
    with subprocess.Popen(["kubectl", "proxy", "--port=0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            said = process.stdout.readline()  # "Starting to serve on 127.0.0.1:40411"
            with closing(http.client.HTTPConnection(said.rpartition(" ")[2].strip(), timeout=30)) as connection:
                yield connection
        finally:
            process.kill()


def _call(api: http.client.HTTPConnection, method: str, path: str, body: object = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body)
    api.request(method, path, data, {"Content-Type": "application/merge-patch+json"} if data else {})
    answer = api.getresponse()
    found: dict[str, Any] = json.loads(answer.read())
    assert answer.status == 200, found
    return found


@pytest.mark.timeout(900)
def test_switch_is_in_effect_on_every_replica_within_a_second(served: Kubectl, record_figure: RecordFigure) -> None:
    path = f"/apis/linplane.dev/v1alpha1/namespaces/{served.namespace}/modelroutes/flat"
    patched: list[tuple[float, str]] = []
    converged: list[float] = []
    with load(served, "flat", RATE, VERSIONS) as asking, _proxy() as api:
        for number in range(SWITCHES):
            version = ("v2", "v1")[number % 2]
            patched.append((time.time(), version))
            _call(api, "PATCH", path, {"spec": {"version": version}})
            eventually(lambda: _is_in_effect(_call(api, "GET", path)), 30, interval=0.01)
            converged.append(time.time() - patched[-1][0])
            time.sleep(max(0.0, patched[-1][0] + PAUSE - time.time()))
        answers = asking.answers()
    assert all(answer.outcome == "ok" for answer in answers)
    ends = [moment for moment, _ in patched[1:]] + [answers[-1].began]
    effective = [
        # one that is under way at the next switch may be answered by what is then current
        max((a.began - moment for a in answers if moment < a.began < end - a.took and a.version != version), default=0)
        for (moment, version), end in zip(patched, ends, strict=True)
    ]
    for name, seconds in (("effective everywhere", effective), ("`Converged`", converged)):
        said = ", ".join(f"{sorted(seconds)[number]:.3f}" for number in (SWITCHES // 2, P99, -1))
        record_figure(f"patch to {name}, {REPLICAS} replicas, {SWITCHES} switches, s: p50, p99, worst", said, "p99 < 1")
    assert sorted(effective)[P99] < 1.0
    assert sorted(converged)[P99] < 1.0
