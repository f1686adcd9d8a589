"""Brings about whatever a key names: each kind has its own way, what is the same for all is here."""

from collections.abc import Callable
from datetime import datetime

from linplane_api.canonical import FormatError
from linplane_api.kinds import LINEAR_MODEL, MODEL_ROUTE, Kind

from ..affected import WorkKey
from ..cluster import Cluster, ContestedError, NamespaceTerminatingError
from ..compile.conditions import unreadable
from ..compile.objects import Settings
from ..compile.outcome import DONE, Result
from ..lookout import Lookout
from ..statuses import Statuses
from ..survey import Survey
from ..world import World
from .model import ModelReconciler
from .route import RouteReconciler
from .routing import RoutingWriter
from .server import ServerReconciler
from .tools import Tools
from .trainers import Trainers


class Reconciler:
    """Brings the cluster to what its objects ask for."""

    def __init__(  # noqa: PLR0913 - all that it works with
        self,
        world: World,
        cluster: Cluster,
        settings: Settings,
        *,
        now: Callable[[], datetime],
        budget: Callable[[str], float] = lambda _: 0.0,
        ask: Callable[[WorkKey], None],
    ) -> None:
        """`now` is the clock, in UTC; `budget(key)` gives 0 to write a routing ConfigMap now, or how many seconds to
        wait; `ask` has another key reconciled soon.
        """
        survey = Survey(world, settings)
        tools = Tools(world, cluster, settings, now, survey, Lookout(world, survey, cluster), Statuses(cluster, now))
        self._tools = tools
        self._trainers = Trainers(tools)
        self._models = ModelReconciler(tools, self._trainers)
        routing = RoutingWriter(tools, budget, ask)
        self._routes = RouteReconciler(tools, routing)
        self._servers = ServerReconciler(tools, routing, ask)

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
            await self._tell_unreadable(
                LINEAR_MODEL if kind == LINEAR_MODEL.kind else MODEL_ROUTE, namespace, name, error
            )
            return DONE
        return await self._servers.reconcile(namespace, name)

    async def patrol(self) -> None:
        """Brings back what trainings need and nobody tells about, and takes away what none needs any more: a crash may
        have come between. Call it at the start, and now and then.
        """
        await self._trainers.patrol()

    async def _tell_unreadable(self, kind: Kind, namespace: str, name: str, error: FormatError) -> None:
        """Of a spec that the API server took and this operator cannot read, as where one of them is older."""
        body = self._tools.world.get(kind, namespace, name)
        if body is not None:
            status = unreadable(kind, body, str(error), self._tools.stamp())
            await self._tools.statuses.write(kind, body, status)
