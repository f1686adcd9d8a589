"""Sequences in which programs are killed, or the API server is down."""

import random
import signal
import time
from collections import Counter

from integration.operator.kubelet import Container
from integration.sequences.judging import NO_ANSWER, NO_SERVER
from integration.sequences.lines import data
from integration.sequences.stage import PATIENCE, Stage
from integration.sequences.switches import begin
from linplane_api.kinds import JOB, LINEAR_MODEL
from support import eventually


def operator_is_killed(stage: Stage, times: int) -> None:
    """Kills in the middle of a switch, a freeze and a training."""
    begin(stage)
    chance = random.Random(8)
    for number in range(times):
        old, new, fresh = *(("v1", "v2") if number % 2 == 0 else ("v2", "v1")), f"t{number}"
        stage.train("iris", fresh, data(20 + number))
        stage.edit("iris", version=new, split=[{"version": fresh, "percent": 30}])
        stage.freeze(f"iris-{old}")
        time.sleep(chance.uniform(0, 0.8))
        stage.operator.kill()
        stage.start_operator()
        stage.version_ready(f"iris-{fresh}")
        stage.withdrawn(f"iris-{old}")
        stage.ready("iris")
        stage.answered()
        stage.unfreeze(f"iris-{old}")
        stage.version_ready(f"iris-{old}")
    owners = Counter(
        owner["uid"] for job in stage.admin.list(JOB, stage.namespace) for owner in job["metadata"]["ownerReferences"]
    )
    versions = stage.admin.list(LINEAR_MODEL, stage.namespace)
    assert owners == Counter(body["metadata"]["uid"] for body in versions if "training" in body["spec"])


def servers_are_killed(stage: Stage, times: int) -> None:
    """Kills in turn, then both at once during a switch."""
    begin(stage)
    for number in range(times):
        with stage.expected(NO_ANSWER):
            back(_kill(stage.kubelet.servers()[number % 2]))
        stage.answered()
    with stage.expected(NO_ANSWER, NO_SERVER):
        began = time.monotonic()
        killed = _kill(*stage.kubelet.servers())
        stage.switch("iris", "v2")
        back(killed)
    stage.figures.append(f"both are back after {time.monotonic() - began:.1f} s")
    stage.ready("iris")


def _kill(*servers: Container) -> list[tuple[Container, int]]:
    """Each server with its previous number of restarts."""
    before = [(server, server.restarts) for server in servers]
    for server in servers:
        assert server.process
        server.process.send_signal(signal.SIGKILL)
    return before


def back(killed: list[tuple[Container, int]]) -> None:
    """Waits until each server has restarted and is ready."""
    eventually(lambda: all(server.restarts > before and server.ready for server, before in killed), PATIENCE)


def api_server_is_away(stage: Stage, times: int) -> None:
    """The API server is down for the operator and the servers, for so many seconds; then a switch."""
    begin(stage)
    assert stage.proxy
    stage.proxy.leave("reset")
    left = time.monotonic()
    time.sleep(times)
    stage.proxy.come_back()
    meanwhile = [a for a in stage.load.answers if a.began > left]
    began = time.monotonic()
    stage.switch("iris", "v2")
    stage.ready("iris")
    stage.figures.append(f"{len(meanwhile)} answers while it was away, a switch {time.monotonic() - began:.1f} s after")
