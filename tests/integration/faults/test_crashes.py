"""A crash of the operator before and after each of its writes: the world at the end is the same."""

import time
from collections.abc import Callable, Iterator

import pytest

from integration.faults.crashes import Laboratory, Outcome, Plan
from integration.faults.workloads import WORKLOADS

PLANS = {
    "create": 30,
    "train": 16,
    "switch": 8,
    "freeze and unfreeze": 24,
    "delete": 6,
    "fail, then a new version": 60,
}
"""How many there are at least: fewer would be less of a test."""

pytestmark = pytest.mark.timeout(1800)
Results = Callable[[str], dict[Plan, Outcome]]


@pytest.fixture(scope="module")
def results(laboratory: Laboratory, request: pytest.FixtureRequest) -> Iterator[Results]:
    """All that were asked for run at once; each is waited for by its test."""
    params = (getattr(item, "callspec", None) for item in request.session.items if item.fspath == request.fspath)
    wanted = {found.params["workload"] for found in params if found}
    references = {name: laboratory.references(name) for name in WORKLOADS if name in wanted}
    undisturbed = {name: [future.result() for future in futures] for name, futures in references.items()}
    for name, runs in undisturbed.items():
        assert [run.wrong for run in runs] == [[]] * len(runs), name
    crashes = {name: laboratory.crashes(name, runs) for name, runs in undisturbed.items()}

    def of(workload: str) -> dict[Plan, Outcome]:
        return {plan: future.result() for plan, future in crashes[workload].items()}

    yield of
    for futures in crashes.values():
        for future in futures.values():
            future.cancel()


@pytest.mark.parametrize("workload", WORKLOADS)
def test_a_crash_at_any_write_changes_nothing_in_the_end(workload: str, results: Results) -> None:
    began = time.monotonic()
    outcomes = results(workload)
    played = {plan: outcome for plan, outcome in outcomes.items() if outcome.reached}
    wrong = {str(plan): outcome.wrong for plan, outcome in outcomes.items() if outcome.wrong}
    took = sum(outcome.seconds for outcome in outcomes.values()) / len(outcomes)
    missed = [str(plan) for plan, outcome in outcomes.items() if not outcome.reached]
    more = time.monotonic() - began
    print(f"{workload}: {len(played)} crashes, {took:.1f} s each, {more:.0f} s more; not met {missed}")
    assert not wrong, "\n".join(f"{plan}: {problems}" for plan, problems in wrong.items())
    assert len(played) >= PLANS[workload]
