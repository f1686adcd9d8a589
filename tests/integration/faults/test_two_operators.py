"""Two operators at once, also with one whose cache is stale: traffic and objects stay correct."""

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from integration.faults.crashes import Laboratory
from integration.faults.proxied_site import ProxiedSite
from integration.faults.proxy import Proxy
from integration.faults.workloads import all_is_well, by_hand, two_versions
from integration.operator.site import Operator
from linplane_api.kinds import CONFIG_MAP, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, REPLICA_REPORT
from linplane_operator.kube.watched_kinds import WATCHED
from support import eventually

ROUTING = "linplane-routing-default"
ROW = {"x": 1.0}
SWITCHES = 8

pytestmark = pytest.mark.timeout(300)


class Second:
    """Another operator of the same namespace, which reaches the API server through its own proxy."""

    def __init__(self, laboratory: Laboratory, site: ProxiedSite, folder: Path) -> None:
        self.proxy = Proxy(laboratory.proxies, site.plane)
        kubeconfig = folder / "second.kubeconfig"
        site.plane.write_kubeconfig(kubeconfig, site.token, self.proxy.url, site.namespace)
        flags = ("--namespace", site.namespace)
        self.operator = Operator(site.programs, kubeconfig, folder / "second.log", *flags)
        self.sees_everything()

    def sees_everything(self) -> None:
        wanted = {kind.plural for kind in WATCHED}
        eventually(lambda: {call.resource for call in self.proxy.calls if call.is_watch and call.status} >= wanted, 60)

    def close(self) -> None:
        self.operator.kill()
        self.proxy.close()


class Asking:
    """Calls the server continuously, and records the version and the time of each answer."""

    def __init__(self, site: ProxiedSite) -> None:
        self.answers: list[tuple[float, Any]] = []
        self._site = site
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.wait(0.01):
            began = time.monotonic()
            self.answers += [(began, version) for version in self._site.versions("iris", ROW)]

    def since(self, moment: float) -> Counter[Any]:
        return Counter(version for began, version in self.answers if began > moment)

    def close(self) -> None:
        self._over.set()
        self._thread.join()


@contextmanager
def _site(laboratory: Laboratory, folder: Path) -> Iterator[tuple[ProxiedSite, Second]]:
    site = laboratory.site(folder)
    try:
        two_versions(site)
        second = Second(laboratory, site, folder)
        try:
            yield site, second
        finally:
            second.close()
    finally:
        site.close()


def check_sequences(*proxies: Proxy) -> int:
    """Checks that each sequence of a routing ConfigMap has one content. Returns the number of sequences."""
    contents: dict[tuple[str, str], str] = {}
    for call in (call for proxy in proxies for call in proxy.writes() if call.name == ROUTING):
        body = json.loads(call.answer)
        data = dict(body["data"])
        key = (body["metadata"]["uid"], data["sequence"])
        assert contents.setdefault(key, json.dumps(data, sort_keys=True)) == json.dumps(data, sort_keys=True), key
    return len(contents)


def switch_and_look(site: ProxiedSite, asking: Asking, version: str) -> None:
    """Once it has converged, no replica answers with another version."""
    site.edit(MODEL_ROUTE, "iris", version=version, split=None)
    site.comes_to(MODEL_ROUTE, "iris", "Converged", "True")
    converged = time.monotonic()
    eventually(lambda: asking.since(converged).total() > 20)
    time.sleep(0.5)
    assert asking.since(converged).keys() == {version}


def test_two_operators_create_each_object_once(laboratory: Laboratory, tmp_path: Path) -> None:
    with _site(laboratory, tmp_path) as (site, second):
        asking = Asking(site)
        try:
            for number in range(SWITCHES):
                switch_and_look(site, asking, "v2" if number % 2 == 0 else "v1")
            site.apply(*by_hand("v3"))
            site.comes_to(LINEAR_MODEL, "iris-v3", "Ready", "True")
            switch_and_look(site, asking, "v3")
        finally:
            asking.close()
        all_is_well(site)
        made = Counter(c.what for proxy in (site.proxy, second.proxy) for c in proxy.writes() if c.created)
        assert set(made.values()) == {1}, made
        assert check_sequences(site.proxy, second.proxy) >= SWITCHES
        writes = [len(proxy.writes()) for proxy in (site.proxy, second.proxy)]
        print(f"{SWITCHES + 1} switches by two operators: {writes} writes")
        assert site.tracebacks() == []
        assert "Traceback" not in second.operator.log.read_text()
        at_rest(site, second)


def at_rest(site: ProxiedSite, second: Second) -> None:
    """Waits until neither operator writes."""

    def quiet() -> bool:
        before = len(site.proxy.writes()), len(second.proxy.writes())
        time.sleep(2)
        return before == (len(site.proxy.writes()), len(second.proxy.writes()))

    eventually(quiet, 60)


def one_that_joins_is_waited_for(site: ProxiedSite) -> None:
    """No operator writes Converged before a replica has loaded a switch, nor one that does not see the pod."""
    (first,) = site.servers(1)
    site.edit(MODEL_SERVER, "default", replicas=2)
    (joined,) = (server for server in site.servers(2) if server.uid != first.uid)
    eventually(lambda: site.get(MODEL_SERVER, "default")["status"].get("loadedReplicas") == 2, 60)  # one has seen both
    assert joined.process
    os.kill(joined.process.pid, signal.SIGSTOP)
    try:
        site.edit(MODEL_ROUTE, "iris", version="v2", split=None)
        until = time.monotonic() + 3
        while time.monotonic() < until:
            assert site.condition(MODEL_ROUTE, "iris", "Converged")[0] != "True"
            time.sleep(0.05)
    finally:
        os.kill(joined.process.pid, signal.SIGCONT)
    site.comes_to(MODEL_ROUTE, "iris", "Converged", "True")


@pytest.mark.parametrize("old", ["modelroutes", "linearmodels", "configmaps", "replicareports", "pods"])
def test_operator_with_a_stale_cache_reverts_no_switch(laboratory: Laboratory, tmp_path: Path, old: str) -> None:
    """Its watch of one kind is silent; it sees everything else and acts on it."""
    with _site(laboratory, tmp_path) as (site, second):
        second.proxy.hushed = lambda call: call.resource == old
        if old == "pods":
            one_that_joins_is_waited_for(site)
        asking = Asking(site)
        try:
            for number in range(SWITCHES):
                switch_and_look(site, asking, "v2" if number % 2 == 0 else "v1")
            site.edit(LINEAR_MODEL, "iris-v2", frozen=True)
            site.comes_to(LINEAR_MODEL, "iris-v2", "Withdrawn", "True")
            time.sleep(1)
            entry = site.get(CONFIG_MAP, ROUTING)["data"]["route.iris"]
            assert "v2" not in json.loads(entry)["document"]["versions"]
        finally:
            asking.close()
            second.proxy.hushed = lambda call: False
        count = check_sequences(site.proxy, second.proxy)
        writes = [len(proxy.writes()) for proxy in (site.proxy, second.proxy)]
        print(f"{old} unseen by one: {count} sequences, {writes} writes")
        site.edit(LINEAR_MODEL, "iris-v2", frozen=None)
        switch_back(site)


def switch_back(site: ProxiedSite) -> None:
    """Checks that no server is stuck."""
    site.edit(MODEL_ROUTE, "iris", version="v2")
    all_is_well(site)
    assert site.versions("iris", ROW) == {"v2"}
    sequence = int(site.get(CONFIG_MAP, ROUTING)["data"]["sequence"])
    reports = [body["report"]["sequence"] for body in site.admin.list(REPLICA_REPORT, site.namespace)]
    assert set(reports) == {sequence}
