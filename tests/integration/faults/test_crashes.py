"""A crash of the operator before and after each of its writes: the final state is the same."""

import time
from collections.abc import Callable, Iterator

import pytest

from integration.faults.crashes import Laboratory, Outcome, Plan
from integration.faults.workloads import WORKLOADS

SERVER = {
    *(f"PATCH {kind} linplane-server-default" for kind in ("deployments", "poddisruptionbudgets", "serviceaccounts")),
    *(f"PATCH {kind} linplane-server-default" for kind in ("roles", "rolebindings")),
    "PATCH services linplane-default-admin",
    "PATCH configmaps linplane-routing-default",
    "PATCH modelservers/status default",
}
TRAINER = {f"PATCH {kind} linplane-trainer" for kind in ("roles", "rolebindings", "serviceaccounts")}


def trained(version: str) -> set[str]:
    """The writes of a training."""
    made = {f"PATCH {kind} linplane-iris-{version}-HASH" for kind in ("configmaps", "jobs")}
    return {*made, *TRAINER, f"PATCH linearmodels/status iris-{version}"}


ROUTED = {"PATCH configmaps linplane-routing-default", "PATCH modelroutes/status iris"}
WRITES = {
    "create": {
        *SERVER,
        "PATCH configmaps linplane-iris-v1-HASH",
        "PATCH linearmodels/status iris-v1",
        "PATCH modelroutes/status iris",
        "PATCH modelservers default",
        "PATCH services iris",
    },
    "train": trained("v1"),
    "switch": {*ROUTED, "PATCH linearmodels/status iris-v1", "PATCH modelservers/status default"},
    "freeze and unfreeze": {*ROUTED, "PATCH linearmodels/status iris-v2", "PATCH modelservers/status default"},
    "delete": {*ROUTED, "PATCH linearmodels/status iris-v1"},
    "fail, then a new version": {
        *ROUTED,
        *trained("v1"),
        *trained("v2"),
        "PATCH modelservers/status default",
        "PATCH services iris",
    },
}
"""All writes; the number of status writes depends on timing."""
MAYBE = {"delete": {"PATCH modelservers/status default"}}
"""A delayed status write, which may be dropped because the server is deleted."""
OFTEN = {"create": {"PATCH configmaps linplane-routing-default"}}
"""Written once, or twice if the route existed before its version was ready."""

pytestmark = pytest.mark.timeout(1800)
Results = Callable[[str], dict[Plan, Outcome]]


@pytest.fixture(scope="module")
def results(laboratory: Laboratory, request: pytest.FixtureRequest) -> Iterator[Results]:
    """All selected workloads run at once; each test waits for its own."""
    params = (getattr(item, "callspec", None) for item in request.session.items if item.fspath == request.fspath)
    wanted = {found.params["workload"] for found in params if found}
    references = {name: laboratory.references(name) for name in WORKLOADS if name in wanted}
    crashes = {}
    for name, futures in references.items():
        runs = [future.result() for future in futures]
        assert [run.wrong for run in runs] == [[]] * len(runs), name
        crashes[name] = laboratory.crashes(name, runs)

    def of(workload: str) -> dict[Plan, Outcome]:
        return {plan: future.result() for plan, future in crashes[workload].items()}

    yield of
    for futures in crashes.values():
        for future in futures.values():
            future.cancel()


@pytest.mark.parametrize("workload", WORKLOADS)
def test_operator_crash_at_any_write_leads_to_the_same_final_state(workload: str, results: Results) -> None:
    began = time.monotonic()
    outcomes = results(workload)
    wrong = {str(plan): outcome.wrong for plan, outcome in outcomes.items() if outcome.wrong}
    took = sum(outcome.seconds for outcome in outcomes.values()) / len(outcomes)
    missed = {plan for plan, outcome in outcomes.items() if not outcome.reached}
    more = time.monotonic() - began
    crashes = len(outcomes) - len(missed)
    print(f"{workload}: {crashes} crashes, {took:.1f} s each, {more:.0f} s more; not met {sorted(map(str, missed))}")
    assert not wrong, "\n".join(f"{plan}: {problems}" for plan, problems in wrong.items())
    # only these can be written less often than before
    seldom = {plan for plan in missed if "/status " in plan.what or plan.what in OFTEN.get(workload, ())}
    sure = {plan for plan in missed if plan.number == 1 or plan not in seldom}
    assert not [plan for plan in sure if plan.what not in MAYBE.get(workload, ())]
    for applied in (False, True):
        played = {plan.what for plan in outcomes.keys() - missed if plan.applied == applied}
        assert played - MAYBE.get(workload, set()) == WRITES[workload]
