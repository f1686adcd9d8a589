"""Whatever the order in which things come, the end is the same."""

import random
from collections.abc import Callable

import pytest

from linplane_api import names
from linplane_api.kinds import LINEAR_MODEL, MODEL_ROUTE
from unit.operator.builders import (
    config_map,
    csv_training,
    handmade,
    linear_model,
    model_route,
    status_and_reason,
    text,
    weights_from,
)
from unit.operator.harness import Sim
from unit.operator.planning import error

OBJECTS = (
    handmade(),
    config_map("rows", {"rows.csv": "x,y\n1,2\n"}),
    linear_model("v1"),
    linear_model("v2", weights=weights_from()),
    linear_model("v3", training=csv_training()),
    linear_model("v4", frozen=True),
    linear_model("v5", acceptance={"minR2": "0.99"}),
    model_route(split=[("v2", 10), ("v3", "0.25")]),
    model_route("v3", name="other", rateLimit={"requestsPerSecond": 5, "per": "Route"}),
    model_route("v4", name="cold"),
    model_route("v2", name="mixed", split=[("v5", 50), ("v4", 10)]),
)


def prepare(sim: Sim) -> Sim:
    """Each version learns something else."""
    for number, version in enumerate(("v1", "v3", "v4", "v5"), 2):
        sim.results[f"homes-{version}"] = lambda slope=float(number): {names.ARTIFACT_KEY: text(slope)}
    return sim


def content(sim: Sim) -> dict:
    """The state without its history: no log of switches, no previous version."""

    def bare(value):
        if isinstance(value, dict):
            return {k: bare(v) for k, v in value.items() if k not in ("switches", "generation", "observedGeneration")}
        return [bare(item) for item in value] if isinstance(value, list) else value

    return {key: bare(body) for key, body in sim.content().items()}


@pytest.fixture
def reference(new_sim: Callable[..., Sim]) -> dict:
    """Everything at once."""
    sim = prepare(new_sim())
    sim.apply(*OBJECTS)
    sim.settle()
    assert status_and_reason(sim.route(), "Ready") == ("True", "Ready")
    assert status_and_reason(sim.route("cold"), "Ready") == ("False", "VersionFrozen")
    assert status_and_reason(sim.route("mixed"), "Accepted") == ("False", "CandidateUnavailable")
    return content(sim)


@pytest.mark.parametrize("seed", range(12))
def test_objects_in_any_order_give_the_same_state(new_sim, reference, seed):
    """One at a time, some together, with or without time between, and with events that are lost until a resync."""
    chance = random.Random(seed)
    objects = list(OBJECTS)
    chance.shuffle(objects)
    sim = prepare(new_sim())
    for body in objects:
        sim.apply(body)
        action = chance.choice(["settle", "reconcile", "nothing", "lose", "restart"])
        if action == "settle":
            sim.settle()
        elif action == "reconcile":
            sim.reconcile_all()
        elif action == "lose":
            sim.pending.clear()
        elif action == "restart":
            sim.start()
    sim.resync()
    sim.settle()
    assert content(sim) == reference


@pytest.mark.parametrize("seed", range(6))
def test_keys_in_any_order_give_the_same_state(new_sim, reference, seed):
    """The queue promises no order among keys."""
    chance = random.Random(seed)
    sim = prepare(new_sim())
    enqueue = sim.enqueue

    def shuffled(*keys):
        enqueue(*keys)
        mixed = list(sim.pending)
        chance.shuffle(mixed)
        sim.pending = dict.fromkeys(mixed)

    sim.enqueue = shuffled
    sim.apply(*OBJECTS)
    sim.settle()
    assert content(sim) == reference


def test_change_and_its_reversal_restore_the_state(new_sim, reference):
    """Freezes, a switch and a deletion, each reverted."""
    sim = prepare(new_sim())
    sim.apply(*OBJECTS)
    sim.settle()
    for version in ("v1", "v2", "v3"):
        sim.edit(LINEAR_MODEL, f"homes-{version}", frozen=True)
        sim.settle()
        sim.edit(LINEAR_MODEL, f"homes-{version}", frozen=None)
        sim.settle()
    sim.edit(MODEL_ROUTE, "other", version="v9")
    sim.settle()
    sim.edit(MODEL_ROUTE, "other", version="v3")
    sim.delete(LINEAR_MODEL, "homes-v2")
    sim.settle()
    sim.created.clear()
    sim.apply(linear_model("v2", weights=weights_from()))
    sim.settle()
    assert content(sim) == reference


def test_repaired_failure_leaves_no_trace(new_sim):
    """Only the number of attempts differs."""
    clean, mended = prepare(new_sim()), prepare(new_sim())
    for sim in (clean, mended):
        sim.apply(config_map("rows", {"rows.csv": "good"}), linear_model("v3", training=csv_training()))
    mended.apply(config_map("rows", {"rows.csv": "bad"}))
    mended.results["homes-v3"] = error
    mended.settle()
    prepare(mended)
    mended.apply(config_map("rows", {"rows.csv": "good"}))
    for sim in (clean, mended):
        sim.settle()
    assert {key: body.get("status") for key, body in clean.state().items() if key[0] != "Job"} == {
        key: body.get("status") for key, body in mended.state().items() if key[0] != "Job"
    }
