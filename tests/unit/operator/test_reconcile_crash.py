"""A crash between any two writes: a new process ends in the same state, and with the same writes.

Each scenario is played once to learn its writes, and then once more for each of them, to die there.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from linplane_api import names
from linplane_api.kinds import JOB, LINEAR_MODEL, MODEL_ROUTE
from unit.operator.builders import config_map, csv_training, handmade, linear_model, model_route, text, weights_from
from unit.operator.harness import Sim
from unit.operator.planning import error
from unit.operator.recorder import Crash


def two_versions(sim: Sim) -> None:
    """v1 and v2, of different coefficients, and a route with a split."""
    sim.results["homes-v2"] = lambda: {names.ARTIFACT_KEY: text(3.0)}
    sim.apply(linear_model("v1"), linear_model("v2"), model_route(split=[("v2", 10)]))
    sim.settle()


def failed_training(sim: Sim) -> None:
    """A training that failed for its data."""
    sim.results["homes-v1"] = error
    sim.apply(config_map("rows", {"rows.csv": "bad"}), linear_model(training=csv_training()), model_route())
    sim.settle()


def repair_data(sim: Sim) -> None:
    """Repairs the data."""
    sim.results.clear()
    sim.apply(config_map("rows", {"rows.csv": "good"}))


def lose_statuses(sim: Sim) -> None:
    """Clears every status."""
    for kind, name in ((LINEAR_MODEL, "homes-v1"), (LINEAR_MODEL, "homes-v2"), (MODEL_ROUTE, "homes")):
        sim.set_status(kind, name, None)


def empty_namespace(_: Sim) -> None:
    """An empty namespace."""


# name: what is there before, what is done
SCENARIOS: dict[str, tuple[Callable[[Sim], None], Callable[[Sim], None]]] = {
    "create": (empty_namespace, lambda sim: sim.apply(linear_model(), model_route())),
    "create by hand": (
        empty_namespace,
        lambda sim: sim.apply(handmade(), linear_model(weights=weights_from()), model_route()),
    ),
    "train": (two_versions, lambda sim: sim.apply(linear_model("v3"))),
    "train and switch": (two_versions, lambda sim: sim.apply(linear_model("v3"), model_route("v3"))),
    "switch": (two_versions, lambda sim: sim.apply(model_route("v2"))),
    "freeze a candidate": (two_versions, lambda sim: sim.edit(LINEAR_MODEL, "homes-v2", frozen=True)),
    "freeze the current version": (two_versions, lambda sim: sim.edit(LINEAR_MODEL, "homes-v1", frozen=True)),
    "unfreeze": (
        lambda sim: (two_versions(sim), sim.edit(LINEAR_MODEL, "homes-v1", frozen=True), sim.settle()),
        lambda sim: sim.edit(LINEAR_MODEL, "homes-v1", frozen=None),
    ),
    "delete a version": (two_versions, lambda sim: sim.delete(LINEAR_MODEL, "homes-v1")),
    "delete a route": (two_versions, lambda sim: sim.delete(MODEL_ROUTE, "homes")),
    "fail, then mend the data": (failed_training, repair_data),
    "fail, then change the training": (
        failed_training,
        lambda sim: (sim.results.clear(), sim.edit(LINEAR_MODEL, "homes-v1", training=_synthetic(60))),
    ),
    "lose every status": (two_versions, lose_statuses),
}
WRITES = 110  # how many places to die at all scenarios have together: fewer would be less of a test


def _synthetic(samples: int) -> dict:
    return {"data": {"synthetic": {"samples": samples}}}


def play(folder: Path, scenario: str, die_at: int | None = None, *, applied: bool = True) -> Sim:
    """Plays a scenario; the process dies at the given write of the change, and a new process continues."""
    before, action = SCENARIOS[scenario]
    sim = Sim(folder)
    before(sim)
    sim.cluster.writes.clear()
    sim.cluster.effective.clear()
    sim.effective.clear()
    action(sim)
    sim.cluster.die_at, sim.cluster.applied = die_at, applied
    try:
        sim.settle()
    except Crash:
        sim.start()
        sim.settle()
    return sim


def jobs_and_results(sim: Sim) -> Counter:
    """How often each Job and each ConfigMap of ours was made or deleted."""
    return Counter(
        (verb, kind, name)
        for verb, kind, name in sim.effective
        if kind in ("Job", "ConfigMap", "ModelServer", "Deployment") and verb != "update"
    )


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_crash_at_any_write_gives_the_same_final_state(tmp_path, scenario):
    """Not the state, not what was made and deleted, and nothing is left to do."""
    reference = play(tmp_path / "reference", scenario)
    content, made, writes = reference.content(), jobs_and_results(reference), list(reference.cluster.writes)
    assert writes
    for number in (0, *reference.cluster.effective):
        # before the first write, or after the one of that number, which is before the next
        sim = play(tmp_path / str(number), scenario, max(number, 1), applied=number > 0)
        where = (number, writes[number - 1])
        assert sim.content() == content, where
        assert jobs_and_results(sim) == made, where
        assert sim.failures == [], where
        sim.store_writes = 0
        sim.resync()
        sim.settle()
        assert sim.store_writes == 0, where


def test_scenarios_have_the_expected_number_of_writes(tmp_path):
    """A scenario without writes would prove nothing."""
    total = sum(len(play(tmp_path / name.replace(" ", "-"), name).cluster.effective) for name in SCENARIOS)
    assert total >= WRITES


@pytest.mark.parametrize("scenario", ["create", "train and switch", "freeze the current version"])
def test_lost_reply_has_the_effect_of_a_crash(tmp_path, scenario):
    """The write is in, the caller hears of nothing but an error and tries again."""
    reference = play(tmp_path / "reference", scenario)
    content = reference.content()
    for number in reference.cluster.effective:
        before, action = SCENARIOS[scenario]
        sim = Sim(tmp_path / str(number))
        before(sim)
        action(sim)
        sim.cluster.lose_reply_of = len(sim.cluster.writes) + number
        sim.settle()
        assert sim.content() == content, number


def test_trained_version_is_never_trained_twice(tmp_path):
    """Whenever the process dies, one Job was made for it."""
    reference = play(tmp_path / "reference", "create")
    for number in reference.cluster.effective:
        sim = play(tmp_path / str(number), "create", number)
        assert sum(1 for verb, kind, _ in sim.effective if (verb, kind) == ("create", "Job")) == 1
        assert len(sim.store.all(JOB)) == 1
