"""Dispatches a key to the reconciler of its kind, and handles the errors that all of them share."""

from collections.abc import Callable
from datetime import datetime

from linplane_api.canonical import FormatError
from linplane_api.kinds import LINEAR_MODEL, MODEL_ROUTE, Kind

from ..cluster_client import ClusterClient, ContestedError, NamespaceTerminatingError
from ..compile.conditions import unreadable
from ..compile.outcome import DONE, Result
from ..compile.settings import Settings
from ..observe.cache import ObjectCache
from ..observe.live_reads import LiveReader
from ..observe.queries import Queries
from ..observe.routings import Routings
from ..runtime.enqueue import WorkKey
from ..runtime.status_writer import StatusWriter
from .context import Context
from .model import ModelReconciler
from .route import RouteReconciler
from .routing import RoutingWriter
from .server import ServerReconciler
from .trainer_rbac import TrainerRbac


class Reconciler:
    """Brings the cluster to its desired state, one key at a time."""

    def __init__(  # noqa: PLR0913 - its dependencies
        self,
        cache: ObjectCache,
        cluster: ClusterClient,
        settings: Settings,
        *,
        now: Callable[[], datetime],
        budget: Callable[[str], float] = lambda _: 0.0,
        enqueue: Callable[[WorkKey], None],
    ) -> None:
        """`now` is the clock, in UTC; `budget(key)` gives 0 to write a routing ConfigMap now, or how many seconds to
        wait; `enqueue` has another key reconciled soon.
        """
        routings = Routings(cache)
        context = Context(
            cache,
            cluster,
            settings,
            now,
            routings,
            Queries(cache, routings, settings),
            LiveReader(cache, routings, cluster),
            StatusWriter(cluster, now),
        )
        self._context = context
        self._trainers = TrainerRbac(context)
        self._models = ModelReconciler(context, self._trainers)
        routing = RoutingWriter(context, budget, enqueue)
        self._routes = RouteReconciler(context, routing)
        self._servers = ServerReconciler(context, routing, enqueue)

    async def reconcile(self, key: WorkKey) -> Result:
        """Reconciles one key."""
        try:
            return await self._reconcile(key)
        except ContestedError as error:
            return Result(error.seconds)
        except NamespaceTerminatingError:  # what is in it is deleted, and each deletion is reconciled
            return DONE

    async def _reconcile(self, key: WorkKey) -> Result:
        kind, namespace, name = key
        try:
            if kind == LINEAR_MODEL.kind:
                return await self._models.reconcile(namespace, name)
            if kind == MODEL_ROUTE.kind:
                return await self._routes.reconcile(namespace, name)
        except FormatError as error:
            unreadable_kind = LINEAR_MODEL if kind == LINEAR_MODEL.kind else MODEL_ROUTE
            return await self._report_unreadable(unreadable_kind, namespace, name, error)
        return await self._servers.reconcile(namespace, name)

    async def repair(self) -> None:
        """Repairs the trainers' RBAC, which is not watched. Call it at start-up and periodically."""
        await self._trainers.repair()

    async def _report_unreadable(self, kind: Kind, namespace: str, name: str, error: FormatError) -> Result:
        """Reports a spec that the API server accepted and this operator cannot read: one of the two is older."""
        body = self._context.cache.get(kind, namespace, name)
        if body is None:
            return DONE
        status = unreadable(kind, body, str(error), self._context.stamp())
        return await self._context.statuses.write(kind, body, status)
