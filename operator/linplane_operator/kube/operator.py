"""`linplane operator`: checks its rights, waits for the CRDs, sees everything once, then reconciles until it is
told to stop.
"""

import asyncio
import logging
import random
import socket
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import kopf
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from linplane_api import names
from linplane_api.api_access import ApiError
from linplane_api.kinds import MODEL_SERVER, OURS, Kind
from linplane_api.timing import Backoff, TokenBuckets

from ..compile.objects import Object, Settings
from ..compile.outcome import Result
from ..observe.cache import ObjectCache, key_of
from ..reconcile.reconciler import Reconciler
from ..runtime.enqueue import WorkKey, every_key, owners
from ..runtime.workqueue import WorkQueue
from .cluster import KubeClient
from .credentials import AccountError, Login, read_kubeconfig, renewed
from .event_recorder import Events
from .http import Client
from .http_endpoints import serving
from .informer import Informer
from .kopf.handlers import WATCHED, configure, register
from .kopf.lists import ListInterceptor
from .kopf.supervisor import Watching
from .liveness import Limits, Signs, ailing
from .metrics import Counts, Figures, FiguresCollector, metrics_registry
from .permissions import missing_rights
from .resync import Resync
from .watch_lag import Watches

PATROL_SECONDS = 20.0
CRD_SECONDS = 2.0
WORKERS = 4
PATIENCE = Backoff(1.0, 5.0)  # between tries at the start
ROUTING_BURST = 5  # writes of a routing ConfigMap at once
ROUTING_RATE = 1.0  # and then in a second

log = logging.getLogger(__name__)


class RightsError(Exception):
    """The operator lacks rights; one line each."""


@dataclass(frozen=True)
class Options:
    """What `linplane operator` was told. No namespaces: all of them."""

    namespaces: tuple[str, ...] = ()
    kubeconfig: Path | None = None  # None: as kubectl finds it
    context: str | None = None  # of the kubeconfig; None: its current one at the start
    in_cluster: bool = False
    health_port: int = 8080
    health_host: str = "0.0.0.0"  # noqa: S104 - kubelet asks from outside of the pod
    limits: Limits = field(default_factory=Limits)
    settings: Settings = field(default_factory=Settings)


class Operator:
    """Everything of one operator process."""

    def __init__(self, api: ApiClient, options: Options, now: Callable[[], datetime]) -> None:
        self._options = options
        self._configuration = api.configuration
        self.registry = metrics_registry()
        self.synced = False
        self._waits_for = ""  # why not everything was seen yet
        self._clock = asyncio.get_running_loop().time
        self._counts = Counts(self.registry)
        self._client = Client(api, self._counts.called)
        self._cache = ObjectCache()
        self._events = Events(self._client, now, self._clock, socket.gethostname())
        budget: TokenBuckets[str] = TokenBuckets(ROUTING_RATE, ROUTING_BURST, self._clock)
        self._queue = WorkQueue(self._work, self._failed, random.random)
        self._informer = Informer(self._cache, self._queue.add)
        self._cluster = KubeClient(
            self._client, self._cache, self._events.tell, self._informer, self._clock, later=self._ask_later
        )
        self._reconciler = Reconciler(
            self._cache, self._cluster, options.settings, now=now, budget=budget.take, ask=self._ask
        )
        self._watches = Watches(WATCHED, options.namespaces, self._clock)
        self._interceptor = ListInterceptor(self._cache, WATCHED, self._watches.scopes, self._see, self._clock)
        self._resync = Resync(self._client, self._cache, self._informer, self._watches, clock=self._clock)
        self._watching = Watching(self._spawn, self._clock)
        self.registry.register(FiguresCollector(self._figures, self._cache))

    async def prepare(self) -> None:
        """Names missing rights, waits for the CRDs, and lists every kind once, however long that takes. Raises
        RightsError.
        """
        missing = await self._patiently(
            "what it may do", lambda: missing_rights(self._client, self._options.namespaces)
        )
        if missing:
            raise RightsError("\n".join(missing))
        await self._wait_for_crds()
        self._informer.silent = True
        await _together(map(self._list, WATCHED))  # the API server has more cores than one to answer with
        self._informer.silent = False
        self.synced, self._waits_for = True, ""
        log.info("everything was seen once: %d models, %d routes", *(len(self._cache.all(k)) for k in OURS[:2]))

    async def _list(self, kind: Kind) -> None:
        """The first list of a kind. Who asked for rights may have been told yes, and yet be refused."""
        await self._patiently(f"a list of {kind.plural}", lambda: self._resync.begin(kind, self._interceptor.hand_over))

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop`, or until a part of it dies."""
        parts: list[Awaitable[Any]] = [
            self._queue.run(WORKERS),
            self._resync.run(lambda: self._queue.add_behind(every_key(self._cache))),
            self._interceptor.run(self._resync.confirm),
            self._patrol(),
            self._events.run(),
            self._watching.run(stop),
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
        """Kopf, once there is all that it is to watch: what it does not find as it begins it never looks for again."""
        await _unless(stop, self._wait_for_crds())
        self._interceptor.begin()
        registry = kopf.OperatorRegistry()
        register(registry, self._informer, self._watches)
        settings = kopf.OperatorSettings()
        configure(settings)
        login = Login(self._connect, self._interceptor.session, self._clock)
        # an error of it ends Kopf, which would else try again in a minute
        kopf.on.login(registry=registry, errors=kopf.ErrorsMode.PERMANENT)(login.login)
        return await kopf.spawn_tasks(
            registry=registry,
            settings=settings,
            standalone=True,
            identity=socket.gethostname(),  # type: ignore[arg-type]  # else it asks for a user name: 65532 has none
            clusterwide=not self._options.namespaces,
            namespaces=self._options.namespaces,
            stop_flag=stop,
        )

    async def _connect(self, **kwargs: Any) -> kopf.ConnectionInfo | None:
        if self._options.in_cluster:
            return kopf.login_with_service_account(**kwargs)
        return await renewed(self._configuration, self._options.kubeconfig, self._options.context)

    def ailing(self) -> list[str]:
        """The parts that show no life; see `health`. Before everything was seen once, nothing has begun."""
        if not self.synced:
            return []
        signs = Signs(
            queue_stalled=self._queue.stalled,
            longest_running=self._queue.longest_running,
            resync_silent=self._resync.silent,
            behind=self._watches.all_behind(),
        )
        return ailing(signs, self._options.limits)

    def unready(self) -> str:
        """What it waits for; empty where it works and its watches tell."""
        if not self.synced:
            return f"not everything was seen yet: {self._waits_for}".rstrip(": ")
        problem = self._waits_for or self._watching.problem
        if not problem and (kinds := self._interceptor.unlisted()):
            return f"not watched yet: {', '.join(sorted({kind.plural for kind in kinds}))}"
        return problem

    def _figures(self) -> Figures:
        return Figures(
            synced=self.synced,
            queue_depth=self._queue.depth,
            queue_failing=self._queue.failing,
            queue_stalled=self._queue.stalled,
            longest_running=self._queue.longest_running,
            resync_age=self._resync.age,
            events_written=self._events.written,
            events_dropped=self._events.dropped,
            watches=self._watches.figures(),
        )

    async def _patiently(self, what: str, work: Callable[[], Awaitable[Any]]) -> Any:
        """Tries again until the API server answers and lets it: an operator that starts first is no error, and no
        refusal is cured by another start.
        """
        failures = 0
        while True:
            try:
                return await work()
            except ApiError as error:
                self._waits_for = f"{what}: {error}"
                log.warning("%s; tried again", self._waits_for)
                if error.status == 401 and not self._options.in_cluster:
                    await self._renew()
            failures += 1
            await asyncio.sleep(PATIENCE.delay(failures))

    async def _renew(self) -> None:
        """A new token, where there is one; in the cluster it is read anew each minute."""
        try:
            await self._connect()
        except (AccountError, config.ConfigException, OSError) as error:
            log.warning("no other credentials: %s", error)

    async def _wait_for_crds(self) -> None:
        while lacking := await self._patiently("which CRDs there are", self._lacking):
            self._waits_for = f"waiting for the CRDs of {', '.join(sorted(lacking))}"
            log.info(self._waits_for)
            await asyncio.sleep(CRD_SECONDS)
        self._waits_for = ""

    async def _lacking(self) -> set[str]:
        """The resources of ours that the API server does not have."""
        try:
            answer = await self._client.call("GET", f"/apis/{names.API_VERSION}")
        except ApiError as error:
            if error.status != 404:
                raise
            answer = {}
        return {kind.plural for kind in OURS} - {item["name"] for item in answer.get("resources") or ()}

    async def _patrol(self) -> None:
        """Looks after the children that are not watched."""
        while True:
            self._cluster.forget_unwatched()
            self._queue.add((MODEL_SERVER.kind, *key_of(server)) for server in self._cache.all(MODEL_SERVER))
            await self._reconciler.repair()
            await asyncio.sleep(PATROL_SECONDS)

    def _see(self, kind: Kind, body: Object) -> None:
        """Takes what a list of Kopf's tells of."""
        self._informer.seen(kind, body)
        self._watches.told(kind, body)

    def _ask_later(self, child: Object, seconds: float) -> None:
        for key in owners(key_of(child)[0], child):
            self._queue.add_after(seconds, key)

    def _ask(self, key: WorkKey) -> None:
        self._queue.add((key,))

    async def _work(self, key: WorkKey) -> Result:
        begun = self._clock()
        try:
            result = await self._reconciler.reconcile(key)
        except Exception as error:
            self._counts.reconciled(key[0], self._clock() - begun, error)
            raise
        self._counts.reconciled(key[0], self._clock() - begun, None)
        return result

    def _failed(self, key: WorkKey, error: Exception) -> None:
        log.warning("%s %s/%s: %s: %s; tried again", *key, type(error).__name__, error)


async def _together(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """All at once. The first error ends the others, and is raised as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work)
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Whether the work was done before `stop`; else it is given up."""
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            await working
        return working.done()
    finally:
        stopping.cancel()
        working.cancel()


async def run(options: Options, stop: asyncio.Event) -> None:
    """Runs an operator until `stop`. Raises RightsError, AccountError, and what a kubeconfig that cannot be read
    raises.
    """
    if options.in_cluster:
        configuration = Configuration()
        config.load_incluster_config(configuration)  # type: ignore[no-untyped-call]
    else:
        configuration, context = await read_kubeconfig(options.kubeconfig, options.context)
        options = replace(options, context=context)  # whatever context is chosen there later
    # as Kopf's own calls: no proxy by environment, and no look at ~/.netrc, in a thread, before each call
    configuration.client_session_kwargs = {"trust_env": False}
    async with ApiClient(configuration) as api:
        operator = Operator(api, options, lambda: datetime.now(UTC))
        async with serving(
            options.health_host,
            options.health_port,
            ailing=operator.ailing,
            unready=operator.unready,
            registry=operator.registry,
        ):
            if await _unless(stop, operator.prepare()):
                await operator.run(stop)
