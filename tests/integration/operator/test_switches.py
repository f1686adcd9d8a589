"""200 switches, with ten server processes under constant load."""

import signal
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from integration.cluster.objects import config_map, route, version
from integration.operator.kubelet import Container
from integration.operator.site import Site
from integration.operator.switching import (
    Load,
    Switch,
    Watch,
    every_server_answered,
    from_the_old_version,
    ports,
    switch,
)
from linplane_api.kinds import MODEL_ROUTE
from linplane_api.names import API_VERSION

SERVERS, ROUNDS = 10, 20
STOPPED_SECONDS = 0.4
ROUTES = [f"iris-{number}" for number in range(10)]
ROW = {"x": 1.0}
WEIGHTS = {"v1": '{"coefficients": {"x": 1}, "intercept": 1}', "v2": '{"coefficients": {"x": 2}, "intercept": 2}'}


@pytest.mark.timeout(600)
def test_switches_under_load_fail_no_request_and_delay_none(own_site: Site) -> None:
    """Each round patches ten routes, for a routing ConfigMap is written at most once a second. A route that says
    Converged of the patched generation is at once answered by the new version alone, by every server: one of them
    hears of each round late.
    """
    site = own_site
    server = {"apiVersion": API_VERSION, "kind": "ModelServer", "metadata": {"name": "default"}}
    site.apply({**server, "spec": {"replicas": SERVERS}}, config_map("iris", **WEIGHTS))
    for name in ("v1", "v2"):
        site.apply(version(name, weights={"configMapKeyRef": {"name": "iris", "key": name}}))
    site.apply(*(route("v1", name=name) for name in ROUTES))
    found = ports(site, SERVERS)
    for name in ROUTES:
        site.comes_to(MODEL_ROUTE, name, "Converged", "True")
    load = Load(found, ROUTES, ROW, per_second=30)
    switches: list[Switch] = []
    with closing(Watch(site)) as watch, load.running():
        every_server_answered(load, SERVERS, ROUTES, 0.0)
        for number in range(ROUNDS):
            with stopped(site.kubelet.servers()[number % SERVERS], STOPPED_SECONDS) as went_on:
                made = switch(site, watch, ROUTES, ("v2", "v1")[number % 2])
            assert min(s.converged for s in made) > went_on[0], "it was said before every server could know"
            switches += made
            every_server_answered(load, SERVERS, ROUTES, time.monotonic())
    assert load.failures == []
    wrong, judged = from_the_old_version(switches, load.answers)
    assert wrong == []
    assert judged >= ROUNDS * SERVERS * len(ROUTES)
    assert len(switches) == 200
    assert {answer.version for answer in load.answers} == {"v1", "v2"}
    times = sorted(made.seconds for made in switches)
    print(
        f"{len(load.answers)} answers, {judged} after a switch; patch to Converged: median"
        f" {statistics.median(times):.2f} s, longest {times[-1]:.2f} s, with waits for the budget of writes"
    )


@contextmanager
def stopped(server: Container, seconds: float) -> Iterator[list[float]]:
    """Neither answers nor reads its routing for so long; returns the time at which it continues."""
    assert server.process
    process, moment = server.process, []

    def go_on() -> None:
        moment.append(time.monotonic())
        process.send_signal(signal.SIGCONT)

    timer = threading.Timer(seconds, go_on)
    process.send_signal(signal.SIGSTOP)
    timer.start()
    try:
        yield moment
    finally:
        timer.join()
