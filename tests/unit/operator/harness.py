"""The reconciler over a real store, with trainers and replicas played by the test."""

import asyncio
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from linplane_api import names
from linplane_api.kinds import (
    BY_KIND,
    CONFIG_MAP,
    DEPLOYMENT,
    JOB,
    LINEAR_MODEL,
    MODEL_ROUTE,
    POD,
    REPLICA_REPORT,
    Kind,
)
from linplane_api.routing import RouteDocument, parse_entry, routing_map
from linplane_operator.cluster_client import ConflictError
from linplane_operator.compile.acknowledgements import is_serving
from linplane_operator.compile.job_progress import has_ended
from linplane_operator.compile.objects import uid_of
from linplane_operator.compile.observed import Job, Pod, observe
from linplane_operator.compile.settings import Mode, Settings
from linplane_operator.local.client import LocalClient
from linplane_operator.local.state_dir import StateDir
from linplane_operator.local.store import Store
from linplane_operator.observe.cache import ObjectCache
from linplane_operator.reconcile.reconciler import Reconciler
from linplane_operator.runtime.enqueue import WorkKey, every_key, keys_for_change
from unit.operator.builders import NOW, Object, pod, report, text
from unit.operator.recorder import Recorder


class Sim:
    """One namespace. `settle` reconciles, trains and loads until nothing moves."""

    def __init__(self, folder: Path, settings: Settings | None = None, budget: Callable[[str], float] | None = None):
        self.folder = folder
        self.settings = settings or Settings(servers=("default",), max_replicas=1, mode=Mode.LOCAL)
        self.budget = budget or (lambda _: 0.0)
        self.now = NOW
        self.results: dict[str, Callable[[], Object]] = {}  # the result of its training, by LinearModel
        self.default_result: Callable[[], Object] = lambda: {names.ARTIFACT_KEY: text()}
        self.trains = self.loads = True
        self.pods = ["p1"]
        self.failures: list[str] = []
        self.created: dict[tuple[str, str], int] = {}
        self.effective: list[tuple[str, str, str]] = []  # the changes of the store
        self.cache = ObjectCache()
        self.start()

    def start(self) -> None:
        """Starts a new process over the stored state; the pods stay as they are."""
        pods = [(kind, body) for kind in (POD, REPLICA_REPORT) for body in self.cache.all(kind)]
        self.cache = ObjectCache()
        for kind, body in pods:
            self.cache.put(kind, body)
        self.store_writes = 0
        self.pending: dict[WorkKey, None] = {}
        self.later: dict[WorkKey, datetime] = {}  # when to requeue each key
        self.store = _Store(self)
        self.store.load()
        self.cluster = Recorder(LocalClient(self.store, "http://here", lambda _: None), lambda: self.store_writes)
        self.reconciler = Reconciler(
            self.cache, self.cluster, self.settings, now=lambda: self.now, budget=self.budget, enqueue=self.enqueue
        )
        self.resync()

    def resync(self) -> None:
        """Enqueues every key."""
        self.enqueue(*every_key(self.cache))

    def enqueue(self, *keys: WorkKey) -> None:
        self.pending.update(dict.fromkeys(sorted(keys)))

    def changed(self, kind: Kind, before: Object | None, after: Object | None) -> None:
        """Records a change in the store and enqueues the keys that depend on it."""
        self.store_writes += 1
        one = after or before or {}
        verb = "create" if before is None else "delete" if after is None else "update"
        self.effective.append((verb, kind.kind, one["metadata"]["name"]))
        self.enqueue(*keys_for_change(self.cache, kind, before, after))

    # ---- actions of users ----

    def apply(self, *bodies: Object) -> None:
        """kubectl apply."""
        for body in bodies:
            kind = BY_KIND[body["apiVersion"], body["kind"]]
            before = self.store.get(kind, body["metadata"]["name"])
            if before is None:
                self.store.create(kind, body)
            else:
                kept = {"status": before["status"]} if "status" in before else {}
                self.store.update(kind, before, {**body, **kept})

    def edit(self, kind: Kind, name: str, **spec: Any) -> None:
        """kubectl patch: sets fields of the spec, None removes one."""
        before = self.get(kind, name)
        merged = {key: value for key, value in {**before["spec"], **spec}.items() if value is not None}
        self.store.update(kind, before, {**before, "spec": merged})

    def delete(self, kind: Kind, name: str) -> None:
        """kubectl delete."""
        self.store.delete(kind, self.get(kind, name))

    def get(self, kind: Kind, name: str) -> Object:
        """Returns an object that has to exist."""
        body = self.store.get(kind, name)
        assert body is not None, f"{kind.kind} {name} is not there"
        return body

    def set_status(self, kind: Kind, name: str, status: Object | None) -> None:
        """Writes a status over; None clears it."""
        before = self.get(kind, name)
        rest = {key: value for key, value in before.items() if key != "status"}
        self.store.update(kind, before, rest if status is None else {**rest, "status": status})

    # ---- reads of the store ----

    def model(self, version: str = "v1") -> Object:
        return self.get(LINEAR_MODEL, f"homes-{version}")

    def route(self, name: str = "homes") -> Object:
        return self.get(MODEL_ROUTE, name)

    def routing(self) -> Object:
        return self.get(CONFIG_MAP, names.routing_name("default"))

    def document(self, name: str = "homes") -> RouteDocument:
        """A route's document in force."""
        return parse_entry(self.routing()["data"][names.route_key(name)]).document

    def job(self) -> Object:
        """The only Job."""
        (job,) = self.store.all(JOB)
        return job

    # ---- controllers, trainers and replicas ----

    def settle(self, rounds: int = 60) -> None:
        """Reconciles, trains and loads until the state is stable."""
        for _ in range(rounds):
            self.reconcile_all()
            moved = (self.trains and self._train()) or (self.loads and self._load())
            if not moved and not self.pending and not self._wait():
                return
        raise AssertionError(f"never quiet: {list(self.pending)[:8]}")

    def reconcile_all(self, limit: int = 400) -> None:
        """Reconciles the pending keys in order; a conflict requeues its key."""
        asyncio.run(self._work(limit))

    async def _work(self, limit: int) -> None:
        for _ in range(limit):
            if not self.pending:
                return
            key = next(iter(self.pending))
            del self.pending[key]
            try:
                wait = (await self.reconciler.reconcile(key)).requeue_after
            except ConflictError as error:
                self.failures.append(str(error))
                self.enqueue(key)
                continue
            except ConnectionResetError:
                self.enqueue(key)
                continue
            self.later.pop(key, None)
            if wait is not None:
                self.later[key] = self.now + timedelta(seconds=wait)
        raise AssertionError(f"endless: {list(self.pending)[:8]}")

    def _wait(self) -> bool:
        """Advances the clock to the next requeue, if it is within five seconds."""
        soon = min(self.later.values(), default=None)
        if soon is None or soon > self.now + timedelta(seconds=5):
            return False
        self.now = max(self.now, soon)
        self.enqueue(*(key for key, due in self.later.items() if due <= self.now))
        return True

    def _train(self) -> bool:
        running = [job for job in self.store.all(JOB) if not has_ended(observe(Job, job))]
        for job in running:
            owner = job["metadata"]["ownerReferences"][0]["name"]
            self.finish(job, self.results.get(owner, self.default_result)())
        return bool(running)

    def finish(self, job: Object, data: Object, message: str = "Job has failed") -> None:
        """Ends a Job: complete with `data` in its result, failed if `data` has no artifact."""
        result = self.store.get(CONFIG_MAP, job["metadata"]["name"])
        if result is not None and data:
            self.store.update(CONFIG_MAP, result, {**result, "data": {**(result.get("data") or {}), **data}})
        kind = "Complete" if names.ARTIFACT_KEY in data else "Failed"
        done = {"type": kind, "status": "True", "message": message}
        status = {"conditions": [done], "completionTime": self.now.strftime("%Y-%m-%dT%H:%M:%SZ")}
        self.store.update(JOB, job, {**job, "status": status})

    def _load(self) -> bool:
        """Makes every pod load the routing ConfigMap, if there is a Deployment."""
        body = self.store.get(CONFIG_MAP, names.routing_name("default"))
        if body is None or not self.store.all(BY_KIND["apps/v1", "Deployment"]):
            return False
        state = routing_map(uid_of(body), body["data"])
        before = self.store_writes
        for name in self.pods:
            if self.store.get(POD, name) is None:
                self.store.create(POD, pod(name))
            self.acknowledge(name, state.uid, state.sequence)
        self._roll_out()
        return self.store_writes > before

    def _roll_out(self) -> None:
        """Writes the counts that the Deployment's controller writes."""
        (body,) = self.store.all(DEPLOYMENT)
        pods = [p for p in self.store.all(POD) if p["metadata"]["labels"].get(names.LABEL_SERVER) == "default"]
        ready = sum(is_serving(observe(Pod, body)) for body in pods)
        counts = {"replicas": len(pods), "updatedReplicas": len(pods), "readyReplicas": ready}
        status = {"observedGeneration": body["metadata"]["generation"], **counts}
        self.store.update(DEPLOYMENT, body, {**body, "status": status})

    def acknowledge(self, name: str, uid: str, sequence: int, **fields: Any) -> None:
        """Writes the report of a pod."""
        own = uid_of(self.get(POD, name))
        body = report(name, sequence, uid, podUID=own, **fields)
        before = self.store.get(REPLICA_REPORT, name)
        if before is None:
            self.store.create(REPLICA_REPORT, body)
        else:
            self.store.update(REPLICA_REPORT, before, {**body, "metadata": before["metadata"]})

    def content(self) -> dict[tuple[str, str], Object]:
        """The state without sequences, which depend on the number of steps."""
        state = {key: _masked(body, ("sequence",)) for key, body in self.state().items()}
        routing = state.get(("ConfigMap", names.routing_name("default")))
        if routing:
            routes = [key.removeprefix(names.ROUTE_KEY_PREFIX) for key in routing["data"]]
            routing["data"] = {route: self.document(route) for route in routes}
        return state

    def state(self) -> dict[tuple[str, str], Object]:
        """All objects, without fields that differ between two equivalent runs."""
        kinds = set(BY_KIND.values()) - {POD, REPLICA_REPORT}
        return {
            (kind.kind, body["metadata"]["name"]): _masked(body, MASKED)
            for kind in sorted(kinds)
            for body in self.store.all(kind)
        }


class _Store(Store):
    """A store with reproducible UIDs: kind, name and the count of earlier objects of that name."""

    def __init__(self, sim: Sim) -> None:
        sim.folder.mkdir(parents=True, exist_ok=True)
        super().__init__(StateDir(sim.folder), sim.cache, lambda: sim.now, sim.changed)
        self._sim = sim

    def create(self, kind: Kind, body: Object, *args: Any, **fields: Any) -> Object:
        key = (kind.kind, body["metadata"]["name"])
        count = self._sim.created.get(key, 0)
        uuid.uuid4 = lambda: f"{key[0]}-{key[1]}-{count}"  # type: ignore[assignment, return-value]
        created = super().create(kind, body, *args, **fields)
        self._sim.created[key] = count + 1
        return created


MASKED = ("resourceVersion", "creationTimestamp", "completionTime", "lastTransitionTime", "at", "trainedAt")


def _masked(value: Any, masked: tuple[str, ...]) -> Any:
    if isinstance(value, dict):
        return {key: _masked(item, masked) for key, item in value.items() if key not in masked}
    if isinstance(value, list):
        return [_masked(item, masked) for item in value]
    return value
