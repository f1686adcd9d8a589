"""The obstacles of a ModelServer, and its plan for each."""

from typing import Any

import pytest

from linplane_api import names
from linplane_api.conditions import Cause, Reason
from linplane_api.routing import RoutingMap
from linplane_operator.compile.observed import Deployment, Pod, observe
from linplane_operator.compile.outcome import DONE, Applied, Result
from linplane_operator.compile.server_plan import ServerInputs, ServerOutcome, plan_server, server_outcome
from linplane_operator.compile.settings import COUNT_SECONDS, RETRY_SECONDS, Settings
from unit.operator.builders import NOW, Object, model_route, observed, pod, replicas, report, status_and_reason

SERVER: Object = {
    "apiVersion": names.API_VERSION,
    "kind": "ModelServer",
    "metadata": {"name": "gpu", "namespace": "default", "uid": "u1", "generation": 3},
}
REFUSED, OTHER = Cause(Reason.CHILD_REFUSED, "documents"), Cause(Reason.CHILD_REFUSED, "a child")
UPDATING: Object = {
    "metadata": {"name": "d", "generation": 2},
    "spec": {"replicas": 1},
    "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1},
}
ROLLED_OUT: Object = {**UPDATING, "metadata": {"name": "d", "generation": 1}}


def outcome(
    written: Applied = Applied(),  # noqa: B008
    applied: Applied = Applied(),  # noqa: B008
    routes: Any = (),
    sequence: int = 5,
    **spec: Any,
) -> ServerOutcome:
    """The outcome for a server with one replica that has loaded `sequence`, and everything is 5."""
    inputs = ServerInputs(
        {route["metadata"]["name"]: route for route in routes},
        routing=RoutingMap("map", 5, {}),
        written=written,
        applied=applied,
        deployment=observe(Deployment, ROLLED_OUT),
        pods=observed(Pod, pod()),
        replicas=replicas([pod()], [report(sequence=sequence)]),
        now=NOW,
    )
    return server_outcome(plan_server({**SERVER, "spec": spec}, Settings()), inputs, "t1")


def ready(outcome: ServerOutcome) -> tuple[str, str, str]:
    """Reason and message of Ready, and in how many seconds it is reconciled again."""
    (found,) = (c for c in outcome.status["conditions"] if c["type"] == "Ready")
    return found["reason"], found["message"], str(outcome.result.requeue_after)


@pytest.mark.parametrize(
    ("written", "applied", "spec", "reason", "message"),
    [
        (Applied(), Applied(), {}, Reason.READY, "no route names this server"),
        (Applied(refused=REFUSED), Applied(), {}, Reason.CHILD_REFUSED, "documents"),
        (Applied(), Applied(refused=OTHER), {}, Reason.CHILD_REFUSED, "a child"),
        (Applied(refused=REFUSED), Applied(refused=OTHER), {}, Reason.CHILD_REFUSED, "documents"),
        (Applied(refused=REFUSED), Applied(taken=("Service x",)), {}, Reason.NAME_TAKEN, "Service x exists and does"),
        (Applied(), Applied(), {"replicas": "many"}, Reason.INVALID_SPEC, "spec.replicas"),
        (Applied(refused=REFUSED), Applied(), {"replicas": "many"}, Reason.CHILD_REFUSED, "documents"),
    ],
)
def test_cause_is_the_first_in_order(
    written: Applied, applied: Applied, spec: Object, reason: Reason, message: str
) -> None:
    """Names first, all at once; then the documents, a spec that cannot be read, and the other children."""
    found = ready(outcome(written, applied, **spec))
    assert found[0] == reason
    assert message in found[1]
    assert found[2] == str(None if reason is Reason.READY else RETRY_SECONDS)


def test_unreadable_spec_leaves_the_children_unchanged() -> None:
    kinds = [body["kind"] for body in plan_server({**SERVER, "spec": {}}, Settings()).children]
    assert kinds == ["ServiceAccount", "Role", "RoleBinding", "Service", "PodDisruptionBudget", "Deployment"]
    assert plan_server({**SERVER, "spec": {"replicas": "many"}}, Settings()).children == ()


def test_ready_is_judged_by_the_deployment_that_was_just_applied() -> None:
    """Pods of an earlier spec are not those of this one."""
    assert ready(outcome(applied=Applied(deployment=UPDATING)))[0] == Reason.REPLICAS_BEHIND
    assert ready(outcome(applied=Applied(deployment=ROLLED_OUT)))[0] == ready(outcome())[0] == Reason.READY


def test_delayed_write_is_retried_when_due() -> None:
    written = Applied(result=Result(0.5))
    assert outcome(written).result == Result(0.5)
    assert outcome().result == DONE


@pytest.mark.parametrize(
    ("converged", "summary", "recount"), [("True", "1/1", None), ("True", "2/2", "homes"), ("False", "2/2", None)]
)
def test_converged_route_with_an_outdated_count_is_enqueued(converged: str, summary: str, recount: str | None) -> None:
    conditions = [{"type": "Converged", "status": converged}]
    route = {**model_route(), "status": {"conditions": conditions, "loadedSummary": summary}}
    made = outcome(routes=[route])
    assert made.recount == recount
    assert made.result == (Result(COUNT_SECONDS) if recount else DONE)
    assert outcome(routes=[route], sequence=4).recount is None


def test_status_is_merged_with_the_observed_one() -> None:
    body = {"status": outcome().status}
    assert status_and_reason(body, "Available") == ("True", "ReplicasReady")
    assert body["status"]["observedGeneration"] == 3
