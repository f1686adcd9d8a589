"""The owner of a sequence is deleted and recreated, under predictions and switches: nothing is confirmed that is not
so, and no replica is left behind.
"""

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from integration.cluster.objects import config_map, route, version
from integration.operator.history import (
    check_confirmations,
    check_unique_sequences,
    is_ready,
    recorded,
)
from integration.operator.site import Site
from linplane_api.kinds import CONFIG_MAP, MODEL_ROUTE, MODEL_SERVER, POD, Kind
from support import eventually

Object = dict[str, Any]
ROUTING = "linplane-routing-default"
ROW = {"x": 1.0}
ROUNDS = 6


@pytest.fixture(scope="module", autouse=True)
def iris(site: Site) -> None:
    for number in (1, 2):
        name, weights = f"iris-{number}", {"coefficients": {"x": number}, "intercept": 0}
        by_hand = {"configMapKeyRef": {"name": name, "key": "model.json"}}
        site.apply(config_map(name, **{"model.json": json.dumps(weights)}), version(f"v{number}", weights=by_hand))
    site.apply(route("v1"))
    site.servers(2)
    site.comes_to(MODEL_ROUTE, "iris", "Ready", "True")


class Switching:
    """Switches without end, and holds what is confirmed against what is answered."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.checked, self.switched = 0, 0
        self.false: list[tuple[int, str, dict[str, Any]]] = []
        self.unanswered: list[str] = []
        self._ready: dict[int, set[str]] = {}  # by generation: who was ready before the route was patched
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=part, daemon=True) for part in (self._switch, self._check)]

    def __enter__(self) -> "Switching":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _switch(self) -> None:
        while not self._ended.wait(0.4):
            self.switched += 1
            ready = self._pods()
            spec = {"spec": {"version": f"v{self.switched % 2 + 1}"}}
            patched = self.site.admin.patch(MODEL_ROUTE, "iris", spec, self.site.namespace)
            self._ready[patched["metadata"]["generation"]] = ready

    def _check(self) -> None:
        """The state confirmed before and after the answers held while they were given, for all replicas ready before
        the switch and stay. (One that joins meanwhile gets its first request much later than it is ready.)
        """
        while not self._ended.is_set():
            before = self._confirmed()
            answers = {server.uid: self._answer(server) for server in self.site.kubelet.servers()}
            staying = self._pods()
            if before and before == self._confirmed() and before[0] in self._ready:
                judged = {uid: answers[uid] for uid in answers.keys() & staying & self._ready[before[0]]}
                self.checked += len(judged)
                if wrong := {uid: answer for uid, answer in judged.items() if answer not in (before[1], None)}:
                    self.false.append((*before, wrong))

    def _pods(self) -> set[str]:
        """The UIDs of those that are ready, and there to stay."""
        return {pod["metadata"]["uid"] for pod in self.site.admin.list(POD, self.site.namespace) if is_ready(pod)}

    def _confirmed(self) -> tuple[int, str] | None:
        """The generation and version of a route that says it has converged."""
        found = self.site.get(MODEL_ROUTE, "iris")
        generation = found["metadata"]["generation"]
        for item in (found.get("status") or {}).get("conditions") or ():
            if (item["type"], item["status"], item["observedGeneration"]) == ("Converged", "True", generation):
                return generation, found["spec"]["version"]
        return None

    def _answer(self, server: Any) -> Any:
        try:
            status, _, text = server.request("POST", "/routes/iris/predict", json.dumps({"features": ROW}).encode())
        except OSError as error:
            self.unanswered.append(repr(error))
            return None
        if status != 200:
            self.unanswered.append(f"{status} {text!r}")
            return None
        return json.loads(text)["version"]


def settles(site: Site, switching: Switching) -> None:
    """Nothing was confirmed falsely, and no replica is left behind."""
    print(f"{switching.switched} switches, {switching.checked} confirmed answers")
    assert switching.false == []
    assert switching.checked > 8
    current = site.get(MODEL_ROUTE, "iris")["spec"]["version"]
    site.comes_to(MODEL_ROUTE, "iris", "Converged", "True")
    site.comes_to(MODEL_SERVER, "default", "Converged", "True")
    site.servers(2)
    assert site.versions("iris", ROW) == {current}


def goes_on(switching: Switching, switches: int) -> None:
    """Until some more switches were made, and answers confirmed."""
    switched, checked = switching.switched + switches, switching.checked + switches
    eventually(lambda: switching.switched >= switched and switching.checked >= checked, 60)


def made_anew(site: Site, kind: Kind, name: str, uid: str) -> None:
    def is_another() -> bool:
        found = site.get_or_none(kind, name)
        return found is not None and found["metadata"]["uid"] != uid

    eventually(is_another, 35)


def test_routing_config_map_deleted_repeatedly_interrupts_no_request(site: Site, tmp_path: Path) -> None:
    """No request goes unanswered: a server keeps what it has."""
    with recorded(site, tmp_path) as history:
        with Switching(site) as switching:
            for _ in range(ROUNDS):
                before = site.get(CONFIG_MAP, ROUTING)["metadata"]["uid"]
                site.admin.delete(CONFIG_MAP, ROUTING, site.namespace)
                made_anew(site, CONFIG_MAP, ROUTING, before)
                goes_on(switching, 3)
        assert switching.unanswered == []
        settles(site, switching)
    assert check_confirmations(history, "iris") > ROUNDS
    assert check_unique_sequences(history) == ROUNDS + 1


def test_model_server_deleted_repeatedly_is_recreated(site: Site, tmp_path: Path) -> None:
    """Everything of it goes with it; the operator makes another, for a route names it."""
    with recorded(site, tmp_path) as history:
        with Switching(site) as switching:
            for _ in range(2):
                before = site.get(MODEL_SERVER, "default")["metadata"]["uid"]
                pods = {server.uid for server in site.kubelet.servers()}
                site.admin.delete(MODEL_SERVER, "default", site.namespace)
                made_anew(site, MODEL_SERVER, "default", before)
                eventually(lambda: pods.isdisjoint(s.uid for s in site.servers(2)), 60)  # noqa: B023
                goes_on(switching, 5)
        settles(site, switching)
    assert check_confirmations(history, "iris") > 2
    assert check_unique_sequences(history) == 3


def test_config_map_server_and_operator_lost_at_once_are_restored(site: Site, tmp_path: Path) -> None:
    """The ConfigMap, the server and the operator, one after the other without a pause."""
    with recorded(site, tmp_path) as history:
        with Switching(site) as switching:
            site.admin.delete(CONFIG_MAP, ROUTING, site.namespace)
            site.admin.delete(MODEL_SERVER, "default", site.namespace)
            site.operator.kill()
            time.sleep(1)  # servers go on by themselves, the operator sees none of it
            site.start_operator()
            goes_on(switching, 10)
        settles(site, switching)
    assert check_confirmations(history, "iris") > 0
    check_unique_sequences(history)
