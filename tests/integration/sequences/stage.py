"""A namespace for one sequence: its operator and servers, a constant load, and the facts about its versions."""

import math
import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.controlplane import ControlPlane
from integration.cluster.objects import route as route_object
from integration.faults.proxy import Proxies, Proxy
from integration.operator.fork_server import ForkServer
from integration.operator.site import Object, Site
from integration.sequences.chronicle import Chronicle
from integration.sequences.judging import Facts, Meaning, Outage, Verdict, Withdrawal, judge
from integration.sequences.lines import Data, Line, by_hand, trained
from integration.sequences.load import Load, Loads
from linplane_api.kinds import CONFIG_MAP, LINEAR_MODEL, MODEL_ROUTE
from linplane_api.names import API_VERSION
from support import eventually

PER_SECOND = 40.0
PATIENCE = 90.0
KUBELET_SECONDS = 0.15  # the polling interval of a dozen kubelets


@dataclass
class Theatre:
    """Resources that all stages share."""

    plane: ControlPlane
    fork_server: ForkServer
    proxies: Proxies
    loads: Loads
    chronicle: Chronicle


class Stage(Site):
    """The namespace. `facts` grows with each change that is made through it."""

    def __init__(self, theatre: Theatre, folder: Path, *, proxied: bool = False) -> None:
        """`proxied`: operator and servers see the API server through `proxy`."""
        self.theatre, plane = theatre, theatre.plane
        namespace = f"stage-{secrets.token_hex(4)}"
        plane.admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        self.proxy = Proxy(theatre.proxies, plane, tls=True) if proxied else None
        url = self.proxy.url if self.proxy else ""
        super().__init__(plane, namespace, folder, theatre.fork_server, api_url=url)
        self.user = self.client()  # a second user next to the administrator
        self.kubelet.pause = self.kubelet.probe_seconds = KUBELET_SECONDS
        self.kubelet.api_url = url or plane.server
        self.facts = Facts()
        self.figures: list[str] = []
        self._load: Load | None = None
        self._changes: dict[str, list[tuple[float, float]]] = defaultdict(list)  # by a version's UID: time, generation

    def close(self) -> None:
        if self._load:
            self._load.close()
        super().close()
        if self.proxy:
            self.proxy.close()

    # ---- actions of users ----

    def serve(self, replicas: int = 1, name: str = "default") -> None:
        server = {"apiVersion": API_VERSION, "kind": "ModelServer", "metadata": {"name": name}}
        self.apply({**server, "spec": {"replicas": replicas}})

    def means(self, model: str, name: str, line: Line, *routes: str) -> Meaning:
        """Records that from now on a version may answer by this line, on `routes` (by default the one with the name of
        its model).
        """
        found = [Meaning(route, name, line, time.monotonic()) for route in routes or (model,)]
        self.facts.meanings += found
        return found[0]

    def give(self, model: str, name: str, line: Line, *routes: str) -> Meaning:
        """Creates a version with hand-written weights."""
        meaning = self.means(model, name, line, *routes)
        self.apply(*by_hand(model, name, line))
        return meaning

    def train(self, model: str, name: str, rows: Data, *routes: str) -> Meaning:
        """Creates a version that is trained."""
        meaning = self.means(model, name, rows.line, *routes)
        self.apply(*trained(model, name, rows))
        return meaning

    def route(self, name: str, version: str, *, model: str = "", **spec: object) -> None:
        body = route_object(version, name=name, model=model or name)
        self.apply({**body, "spec": {**body["spec"], **spec}})

    def edit(self, name: str, **spec: object) -> Object:
        """Sends a merge patch of a route's spec."""
        return self.user.patch(MODEL_ROUTE, name, {"spec": spec}, self.namespace)

    def switch(self, name: str, version: str, **query: str) -> None:
        self.user.patch(MODEL_ROUTE, name, {"spec": {"version": version}}, self.namespace, **query)

    def freeze(self, name: str) -> None:
        self._change(name, frozen=True)

    def unfreeze(self, name: str) -> None:
        self._change(name, frozen=None)

    def _change(self, name: str, **spec: object) -> None:
        at = time.monotonic()
        found = self.admin.patch(LINEAR_MODEL, name, {"spec": spec}, self.namespace)["metadata"]
        self._changes[found["uid"]].append((at, found["generation"]))

    def remove(self, name: str) -> None:
        """Deletes a version."""
        uid = self.get(LINEAR_MODEL, name)["metadata"]["uid"]
        self._changes[uid].append((time.monotonic(), math.inf))
        self.admin.delete(LINEAR_MODEL, name, self.namespace)

    @contextmanager
    def expected(self, *statuses: int) -> Iterator[None]:
        """Requests in flight inside of the `with` may fail with these statuses, which the sequence itself causes."""
        outage = Outage(frozenset(statuses), time.monotonic())
        self.facts.outages.append(outage)
        try:
            yield
        finally:
            outage.until = time.monotonic()

    # ---- observations ----

    def refused(self) -> list[tuple[Any, ...]]:
        """Refused calls, without late results of deleted versions: their permissions end before their Jobs."""
        left = {f"/configmaps/{body['metadata']['name']}" for body in self.admin.list(CONFIG_MAP, self.namespace)}
        calls = super().refused()
        return [call for call in calls if call[0] != "linplane-trainer" or any(name in call[2] for name in left)]

    def ready(self, *routes: str) -> None:
        """Waits until each route is Ready for its current spec."""
        for name in routes:
            self.comes_to(MODEL_ROUTE, name, "Ready", "True", timeout=PATIENCE)

    def version_ready(self, *names: str) -> None:
        for name in names:
            self.comes_to(LINEAR_MODEL, name, "Ready", "True", timeout=PATIENCE)

    def withdrawn(self, name: str) -> None:
        self.comes_to(LINEAR_MODEL, name, "Withdrawn", "True", timeout=PATIENCE)

    def start_load(self, *routes: str, per_second: float = PER_SECOND) -> None:
        self._load = Load(self.theatre.loads, self.kubelet.servers, routes, per_second)

    @property
    def load(self) -> Load:
        assert self._load
        return self._load

    def answered(self, count: int = 5, since: float | None = None) -> None:
        """Waits until each ready server has answered `count` requests of each route that began after `since` (now)."""
        moment, start = time.monotonic() if since is None else since, len(self.load.answers)

        def seen() -> bool:
            recent = [a for a in self.load.answers[start:] if a.began >= moment and a.status == 200]
            wanted = {(s.uid, route) for s in self.kubelet.servers() for route in self.load.routes}
            return bool(wanted) and all(sum((a.server, a.route) == pair for a in recent) >= count for pair in wanted)

        eventually(seen, 60)

    def routing_writes(self) -> int:
        """The number of states of the routing ConfigMap so far."""
        return len(self.theatre.chronicle.of(CONFIG_MAP, self.namespace))

    def judged(self) -> Verdict:
        """The verdict on all answers so far."""
        self.facts.withdrawals = [*self._withdrawals()]
        return judge(self.load.answers, self.facts)

    def _withdrawals(self) -> Iterator[Withdrawal]:
        """Withdrawals, from the first watch event with Withdrawn=True of each generation."""
        known: set[tuple[str, int]] = set()
        for seen in self.theatre.chronicle.of(LINEAR_MODEL, self.namespace):
            body, metadata = seen.body, seen.body["metadata"]
            key = (metadata["uid"], metadata["generation"])
            if key not in known and _is_withdrawn(body):
                known.add(key)
                until = min((at for at, now in self._changes[metadata["uid"]] if now > key[1]), default=math.inf)
                yield Withdrawal(self._routes_of(body["spec"]["model"]), body["spec"]["version"], seen.at, until)

    def _routes_of(self, model: str) -> frozenset[str]:
        seen = self.theatre.chronicle.of(MODEL_ROUTE, self.namespace)
        return frozenset(s.body["metadata"]["name"] for s in seen if s.body["spec"]["model"] == model)


def _is_withdrawn(body: Object) -> bool:
    conditions = (body.get("status") or {}).get("conditions") or ()
    return body["spec"].get("frozen") is True and any(
        c["type"] == "Withdrawn" and c["status"] == "True" and c["observedGeneration"] == body["metadata"]["generation"]
        for c in conditions
    )


def at_once(*calls: "Sequence[object]") -> None:
    """Makes calls, each a function with its arguments, at the same moment, each in a thread of its own."""
    barrier = threading.Barrier(len(calls))
    failures: list[BaseException] = []

    def run(call: Sequence[object]) -> None:
        function, *arguments = call
        assert callable(function)
        barrier.wait()
        try:
            function(*arguments)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
