"""Sequences of switches: with freezes, by two users, in quick succession, and to a version that is deleted."""

import random
import time

from integration.sequences.ending import answers_match_status
from integration.sequences.lines import simple
from integration.sequences.stage import PATIENCE, Stage, at_once
from linplane_api.kinds import LINEAR_MODEL, MODEL_ROUTE
from support import eventually

WRITES_AT_ONCE = 5  # of the routing ConfigMap, and then one a second


def begin(stage: Stage, versions: int = 2, replicas: int = 2) -> None:
    """A route on v1, under constant load; v2 and more versions exist."""
    stage.serve(replicas)
    for number in range(1, versions + 1):
        stage.give("iris", f"v{number}", simple(number))
    stage.route("iris", "v1")
    stage.servers(replicas)
    stage.ready("iris")
    stage.start_load("iris")
    stage.answered()


def frozen_while_switched_away(stage: Stage, times: int) -> None:
    """In the order that the docs advise, without a pause. Two watches deliver it: if the operator sees the freeze
    first, servers answer 503 until the next write of the routing ConfigMap, a second later at most.
    """
    begin(stage)
    for number in range(times):
        old, new = ("v1", "v2") if number % 2 == 0 else ("v2", "v1")
        with stage.expected(503):
            stage.switch("iris", new)
            stage.freeze(f"iris-{old}")
            stage.ready("iris")
        stage.withdrawn(f"iris-{old}")
        stage.answered()
        stage.unfreeze(f"iris-{old}")
        stage.comes_to(LINEAR_MODEL, f"iris-{old}", "Withdrawn", "False", "NotFrozen", PATIENCE)


def two_admins(stage: Stage, times: int) -> None:
    """Each user has a field manager, and both together switch 48 times a second."""
    begin(stage)
    before, began = stage.routing_writes(), time.monotonic()

    def admin(manager: str, seed: int) -> None:
        chance = random.Random(seed)
        for number in range(times // 2):
            time.sleep(max(0.0, began + number / 24 - time.monotonic()))
            stage.switch("iris", chance.choice(("v1", "v2")), fieldManager=manager)

    at_once((admin, "alice", 1), (admin, "bob", 2))
    ended = time.monotonic()
    stage.ready("iris")
    stage.figures.append(f"{times} switches in {ended - began:.1f} s, Ready {time.monotonic() - ended:.2f} s later")
    within_the_budget(stage, before, time.monotonic() - began)
    switches = stage.get(MODEL_ROUTE, "iris")["status"]["switches"]
    assert [item.get("from") for item in switches[1:]] == [item["to"] for item in switches[:-1]], switches
    assert {item["manager"] for item in switches[1:]} <= {"alice", "bob"}


def many_patches(stage: Stage, times: int) -> None:
    """20 changes a second, each of one or more fields."""
    begin(stage, versions=3)
    chance = random.Random(3)
    before, began = stage.routing_writes(), time.monotonic()
    for number in range(times):
        time.sleep(max(0.0, began + number / 20 - time.monotonic()))
        current, *others = chance.sample(("v1", "v2", "v3"), 3)
        shares = chance.choice(((), (10,), (25, 25), ("0.25", 50)))
        split = [{"version": name, "percent": share} for name, share in zip(others, shares, strict=False)]
        limit = {"requestsPerSecond": chance.randrange(5000, 9000), "burst": 9000, "per": "Client"}
        key = chance.choice((None, {"header": "X-User"}, {"salt": "other"}))
        stage.edit("iris", version=current, split=split or None, rateLimit=limit, splitKey=key)
    ended = time.monotonic()
    stage.ready("iris")
    stage.figures.append(f"{times} patches in {ended - began:.1f} s, Ready {time.monotonic() - ended:.2f} s later")
    within_the_budget(stage, before, time.monotonic() - began)


def within_the_budget(stage: Stage, before: int, seconds: float) -> None:
    writes = stage.routing_writes() - before
    stage.figures.append(f"{writes} writes of the routing ConfigMap in {seconds:.1f} s")
    assert writes <= WRITES_AT_ONCE + seconds + 1


def promoted_is_deleted(stage: Stage, times: int) -> None:
    """Traffic either stays on v1 or keeps the weights that v2 had; status and answers agree on which."""
    begin(stage)
    kept = 0
    for _ in range(times):
        at_once((stage.switch, "iris", "v2"), (stage.remove, "iris-v2"))
        stage.comes_to(MODEL_ROUTE, "iris", "Accepted", "False", "VersionNotFound", PATIENCE)
        eventually(lambda: stage.condition(MODEL_ROUTE, "iris", "Converged")[0] == "True", PATIENCE)
        eventually(lambda: _agree(stage), PATIENCE, 0.2)
        kept += stage.get(MODEL_ROUTE, "iris")["status"]["version"] == "v1"
        stage.give("iris", "v2", simple(2))
        stage.version_ready("iris-v2")
        stage.ready("iris")  # spec.version exists again
        stage.switch("iris", "v1")
        stage.ready("iris")
    stage.figures.append(f"traffic stayed on v1 {kept} times of {times}")


def _agree(stage: Stage) -> bool:
    answers_match_status(stage, "iris")
    return True
