"""`linplane operator`: checks its rights, waits for the CRDs, sees everything once, then reconciles until it is
told to stop.
"""

import asyncio
import logging
import random
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import kopf
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from linplane_api import names
from linplane_api.kinds import MODEL_SERVER, OURS, Kind

from ..affected import WorkKey, every_key
from ..budget import Budget
from ..cluster import ConflictError, NameTakenError
from ..compile.objects import Settings
from ..queue import WorkQueue
from ..reconcile import Reconciler
from ..world import World, key_of
from .client import ApiError, AwayError, Client
from .cluster import KubeCluster
from .events import Events
from .feed import Feed
from .handlers import WATCHED, configure, register
from .rights import missing_rights

RESYNC_SECONDS = 60.0
PATROL_SECONDS = 20.0
WORKERS = 4
STALE_SECONDS = 300.0  # without a sign of life from a part, the process is not alive

log = logging.getLogger(__name__)


class RightsError(Exception):
    """The operator lacks rights; one line each."""


@dataclass(frozen=True)
class Options:
    """What `linplane operator` was told. No namespaces: all of them."""

    namespaces: tuple[str, ...] = ()
    kubeconfig: Path | None = None  # None: as kubectl finds it
    in_cluster: bool = False
    health_port: int = 8080
    health_host: str = "0.0.0.0"  # noqa: S104 - kubelet asks from outside of the pod
    settings: Settings = field(default_factory=Settings)


class Operator:
    """Everything of one operator process."""

    def __init__(self, api: ApiClient, options: Options, now: Callable[[], datetime]) -> None:
        self._options = options
        self._configuration = api.configuration
        self._client = Client(api)
        self._world = World()
        self._events = Events(self._client, now, socket.gethostname())
        budget = Budget(asyncio.get_running_loop().time)
        self._queue = WorkQueue(self._work, self._failed, random.Random())  # noqa: S311 - spreads retries
        self._feed = Feed(self._world, self._queue.add)
        self._cluster = KubeCluster(self._client, self._world, self._events.tell, self._feed.seen)
        self._reconciler = Reconciler(self._world, self._cluster, options.settings, now=now, budget=budget)
        self._resynced = asyncio.get_running_loop().time()

    async def prepare(self) -> None:
        """Names missing rights, waits for the CRDs, and lists every kind once. Raises RightsError."""
        missing = await _patiently(lambda: missing_rights(self._client, self._options.namespaces))
        if missing:
            raise RightsError("\n".join(missing))
        await self._wait_for_crds()
        for kind in WATCHED:
            await _patiently(lambda kind=kind: self._list(kind))  # type: ignore[misc]
        log.info("everything was seen once: %d models, %d routes", *(len(self._world.all(k)) for k in OURS[:2]))

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop`, or until a part of it dies."""
        registry = kopf.OperatorRegistry()
        register(registry, self._feed)
        settings = kopf.OperatorSettings()
        configure(settings)
        kopf.on.login(registry=registry)(self._login)
        kopf.on.probe(registry=registry, id="alive", errors=kopf.ErrorsMode.PERMANENT)(self._alive)
        parts: list[Awaitable[Any]] = [
            self._queue.run(WORKERS),
            self._resync(),
            self._patrol(),
            self._events.run(),
            kopf.operator(
                registry=registry,
                settings=settings,
                standalone=True,
                clusterwide=not self._options.namespaces,
                namespaces=self._options.namespaces,
                liveness_endpoint=f"http://{self._options.health_host}:{self._options.health_port}/healthz",
                stop_flag=stop,
            ),
        ]
        tasks = [asyncio.ensure_future(part) for part in parts]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done() and not stop.is_set():
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _login(self, **kwargs: Any) -> kopf.ConnectionInfo | None:
        if self._options.in_cluster:
            return kopf.login_with_service_account(**kwargs)
        known = self._configuration
        token = str(known.api_key.get("BearerToken") or "").removeprefix("Bearer ")
        return kopf.ConnectionInfo(
            server=known.host,
            ca_path=known.ssl_ca_cert,
            token=token or None,
            certificate_path=known.cert_file,
            private_key_path=known.key_file,
        )

    async def _alive(self, **_: Any) -> str:
        """Raises where a part shows no sign of life, which the probe answers as 500."""
        age = asyncio.get_running_loop().time() - self._resynced
        if age > STALE_SECONDS:
            raise kopf.PermanentError(f"no complete look at the cluster for {age:.0f} s")
        return f"queue {self._queue.depth}, last complete look {age:.0f} s ago"

    async def _wait_for_crds(self) -> None:
        wanted = {kind.plural for kind in OURS}
        while True:
            try:
                answer = await self._client.call("GET", f"/apis/{names.API_VERSION}")
                wanted -= {item["name"] for item in answer.get("resources") or ()}
            except (ApiError, AwayError) as error:
                log.info("the CRDs are not there: %s", error)
            if not wanted:
                return
            log.info("waiting for the CRDs of %s", ", ".join(sorted(wanted)))
            await asyncio.sleep(2)

    async def _list(self, kind: Kind) -> None:
        """A complete list; what the world has and the list has not is looked for once more before it is forgotten."""
        for namespace in self._options.namespaces or (None,):
            before = {key_of(body) for body in self._world.all(kind, namespace)}
            present = set()
            async for body in self._client.list(kind, namespace, WATCHED[kind]):
                present.add(key_of(body))
                self._feed.seen(kind, body)
            for body in self._feed.missing(kind, namespace, present):
                if key_of(body) in before and await self._client.get(kind, *key_of(body)) is None:
                    self._feed.deleted(kind, body)

    async def _resync(self) -> None:
        while True:
            self._queue.add(every_key(self._world))
            await asyncio.sleep(RESYNC_SECONDS)
            try:
                for kind in WATCHED:
                    await self._list(kind)
                self._feed.forget_old()
                self._resynced = asyncio.get_running_loop().time()
            except (ApiError, AwayError) as error:
                log.warning("not everything could be listed: %s", error)

    async def _patrol(self) -> None:
        """Looks after the children that are not watched."""
        while True:
            await asyncio.sleep(PATROL_SECONDS)
            self._cluster.forget_unwatched()
            self._queue.add((MODEL_SERVER.kind, *key_of(server)) for server in self._world.all(MODEL_SERVER))
            try:
                await self._reconciler.patrol()
            except (ApiError, OSError, ConflictError, NameTakenError) as error:
                log.warning("the rights of trainers: %s", error)

    async def _work(self, key: WorkKey) -> float | None:
        return await self._reconciler.reconcile(key)

    def _failed(self, key: WorkKey, error: Exception) -> None:
        log.warning("%s %s/%s: %s: %s; tried again", *key, type(error).__name__, error)


async def _patiently(work: Callable[[], Awaitable[Any]]) -> Any:
    """Tries again until the API server answers: an operator that starts first is no error."""
    while True:
        try:
            return await work()
        except AwayError as error:
            log.info("%s; tried again", error)
            await asyncio.sleep(1)


async def run(options: Options, stop: asyncio.Event) -> None:
    """Runs an operator until `stop`. Raises RightsError, and what a kubeconfig that cannot be read raises."""
    configuration = Configuration()
    if options.in_cluster:
        config.load_incluster_config(configuration)  # type: ignore[no-untyped-call]
    else:
        path = str(options.kubeconfig) if options.kubeconfig else None
        await config.load_kube_config(path, client_configuration=configuration)  # type: ignore[no-untyped-call]
    async with ApiClient(configuration) as api:
        operator = Operator(api, options, lambda: datetime.now(UTC))
        await operator.prepare()
        await operator.run(stop)
