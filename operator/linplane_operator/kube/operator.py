"""One operator process: connects cache, informer, workqueue, reconciler, resync and watches, and runs them."""

import asyncio
import logging
import random
import socket
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from linplane_api.kinds import MODEL_SERVER, OURS, Kind
from linplane_api.timing import TokenBuckets

from ..compile.objects import Object
from ..compile.outcome import Result
from ..observe.cache import ObjectCache, key_of
from ..reconcile.reconciler import Reconciler
from ..runtime.enqueue import WorkKey, every_key, owners
from ..runtime.workqueue import WorkQueue
from .cluster import KubeClient
from .credentials import read_kubeconfig
from .event_recorder import EventRecorder
from .http import HttpClient
from .http_endpoints import serving
from .informer import Informer
from .kopf.lists import ListInterceptor
from .kopf.login import Login, make_connect
from .kopf.supervisor import Supervisor
from .kopf.tasks import spawn_tasks
from .liveness import Activity, unhealthy
from .metrics import Counters, Gauges, GaugesCollector, metrics_registry
from .options import Options
from .resync import Resync
from .startup import Startup, done_before
from .watch_lag import WatchLag
from .watched_kinds import WATCHED

REPAIR_SECONDS = 20.0
WORKERS = 4
ROUTING_BURST = 5  # writes of one routing ConfigMap at once
ROUTING_RATE = 1.0  # and per second after that

log = logging.getLogger(__name__)


class Operator:
    """All parts of one operator process."""

    def __init__(self, api: ApiClient, options: Options, now: Callable[[], datetime]) -> None:
        self._options = options
        self._configuration = api.configuration
        self.registry = metrics_registry()
        self.synced = False
        self._clock = asyncio.get_running_loop().time
        self._counters = Counters(self.registry)
        self._client = HttpClient(api, self._counters.called)
        self._startup = Startup(self._client, options, api.configuration)
        self._cache = ObjectCache()
        self._events = EventRecorder(self._client, now, self._clock, socket.gethostname())
        self._queue = WorkQueue(self._reconcile, self._failed, random.random)
        self._informer = Informer(self._cache, self._queue.add)
        self._cluster = KubeClient(
            self._client,
            self._cache,
            self._events.record,
            self._informer,
            self._clock,
            requeue_after=self._requeue_owners,
        )
        budget: TokenBuckets[str] = TokenBuckets(ROUTING_RATE, ROUTING_BURST, self._clock)
        self._reconciler = Reconciler(
            self._cache, self._cluster, options.settings, now=now, budget=budget.acquire, enqueue=self._enqueue
        )
        self._watch_lag = WatchLag(WATCHED, options.namespaces, self._clock)
        self._interceptor = ListInterceptor(self._cache, WATCHED, self._watch_lag.scopes, self._received, self._clock)
        self._resync = Resync(self._client, self._cache, self._informer, self._watch_lag, clock=self._clock)
        self._supervisor = Supervisor(self._spawn, self._clock)
        self.registry.register(GaugesCollector(self._gauges, self._cache))

    async def prepare(self) -> None:
        """Checks permissions, waits for the CRDs and fills the cache. Raises MissingPermissionsError."""
        await self._startup.check_permissions()
        await self._startup.wait_for_crds()
        self._informer.silent = True
        await self._startup.list_all(self._list)
        self._informer.silent = False
        self.synced = True
        log.info("cache synced: %d models, %d routes", *(len(self._cache.all(k)) for k in OURS[:2]))

    async def _list(self, kind: Kind) -> None:
        await self._resync.first_list(kind, self._interceptor.hand_over)

    async def run(self, stop: asyncio.Event) -> None:
        """Runs every part until `stop`, or until one of them fails."""
        parts: list[Awaitable[Any]] = [
            self._queue.run(WORKERS),
            self._resync.run(lambda: self._queue.add_low_priority(every_key(self._cache))),
            self._interceptor.run(self._resync.confirm),
            self._repair_unwatched(),
            self._events.run(),
            self._supervisor.run(stop),
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

    async def _spawn(self, stop: asyncio.Event) -> Collection[asyncio.Task[Any]]:
        """Starts Kopf once the CRDs exist: a kind that is missing when Kopf starts is never watched."""
        await done_before(stop, self._startup.wait_for_crds())
        self._interceptor.reset()
        login = Login(make_connect(self._options, self._configuration), self._interceptor.session, self._clock)
        return await spawn_tasks(self._informer, self._watch_lag, login, self._options.namespaces, stop)

    def unhealthy(self) -> list[str]:
        """The parts that are stuck, see `liveness`; none before the first sync, as nothing runs yet."""
        if not self.synced:
            return []
        activity = Activity(
            queue_stalled=self._queue.stalled,
            longest_running=self._queue.longest_running,
            resync_idle=self._resync.idle,
            lagging=self._watch_lag.lagging(),
        )
        return unhealthy(activity, self._options.limits)

    def unready(self) -> str:
        """Why the operator is not ready; empty if it is."""
        if not self.synced:
            return f"cache not synced yet: {self._startup.waiting_for}".rstrip(": ")
        problem = self._startup.waiting_for or self._supervisor.problem
        if not problem and (kinds := self._interceptor.unlisted()):
            return f"not watched yet: {', '.join(sorted({kind.plural for kind in kinds}))}"
        return problem

    def _gauges(self) -> Gauges:
        return Gauges(
            synced=self.synced,
            queue_depth=self._queue.depth,
            queue_failing=self._queue.failing,
            queue_stalled=self._queue.stalled,
            longest_running=self._queue.longest_running,
            resync_age=self._resync.age,
            events_written=self._events.written,
            events_dropped=self._events.dropped,
            watches=self._watch_lag.figures(),
        )

    async def _repair_unwatched(self) -> None:
        """Repairs the children that are not watched."""
        while True:
            self._cluster.forget_unwatched()
            self._queue.add((MODEL_SERVER.kind, *key_of(server)) for server in self._cache.all(MODEL_SERVER))
            await self._reconciler.repair()
            await asyncio.sleep(REPAIR_SECONDS)

    def _received(self, kind: Kind, body: Object) -> None:
        """Called for each object in one of Kopf's lists."""
        self._informer.seen(kind, body)
        self._watch_lag.received(kind, body)

    def _requeue_owners(self, child: Object, seconds: float) -> None:
        for key in owners(key_of(child)[0], child):
            self._queue.add_after(seconds, key)

    def _enqueue(self, key: WorkKey) -> None:
        self._queue.add((key,))

    async def _reconcile(self, key: WorkKey) -> Result:
        started = self._clock()
        try:
            result = await self._reconciler.reconcile(key)
        except Exception as error:
            self._counters.reconciled(key[0], self._clock() - started, error)
            raise
        self._counters.reconciled(key[0], self._clock() - started, None)
        return result

    def _failed(self, key: WorkKey, error: Exception) -> None:
        log.warning("%s %s/%s: %s: %s; retrying", *key, type(error).__name__, error)


async def run(options: Options, stop: asyncio.Event) -> None:
    """Runs an operator until `stop`. Raises MissingPermissionsError, KubeconfigError, and what a kubeconfig that
    cannot be read raises.
    """
    if options.in_cluster:
        configuration = Configuration()
        config.load_incluster_config(configuration)  # type: ignore[no-untyped-call]
    else:
        configuration, context = await read_kubeconfig(options.kubeconfig, options.context)
        options = replace(options, context=context)  # stays, whatever the current context becomes
    # as Kopf's own calls: no proxy from the environment, and no read of ~/.netrc, in a thread, before each call
    configuration.client_session_kwargs = {"trust_env": False}
    async with ApiClient(configuration) as api:
        operator = Operator(api, options, lambda: datetime.now(UTC))
        async with serving(
            options.health_host,
            options.health_port,
            unhealthy=operator.unhealthy,
            unready=operator.unready,
            registry=operator.registry,
        ):
            if await done_before(stop, operator.prepare()):
                await operator.run(stop)
