"""The routing ConfigMap of a ModelServer: one document a route, written with all others of its server."""

import asyncio
from collections.abc import Callable

from linplane_api.conditions import Cause
from linplane_api.kinds import CONFIG_MAP, MODEL_ROUTE, MODEL_SERVER, Kind

from ..cluster_client import ConflictError, ContestedError, NameTakenError, RefusedError
from ..compile.objects import Object, controller_uid, generation_of, is_deleting, meta, name_of, uid_of
from ..compile.outcome import Applied, Result, earliest
from ..compile.routing_plan import (
    CONFIRMED,
    RoutingInputs,
    RoutingMemory,
    RoutingPlan,
    Write,
    plan_routing,
    remember,
    waiting_routes,
)
from ..compile.server import make_routing
from ..observe.cache import Key, key_of
from ..runtime.enqueue import WorkKey
from .context import Context, cause_of

Edition = tuple[str, int, bool] | None
"""The part of an object that a document depends on, apart from its status; None if it is absent."""


class RoutingWriter:
    """Writes the documents that the replicas of a server load."""

    def __init__(self, context: Context, budget: Callable[[str], float], enqueue: Callable[[WorkKey], None]) -> None:
        """`budget(key)` gives 0 to write a routing ConfigMap now, or how many seconds to wait; `enqueue` has another
        key reconciled soon.
        """
        self._context = context
        self._budget = budget
        self._enqueue = enqueue
        self._memories: dict[Key, RoutingMemory] = {}  # by server

    def refused(self, namespace: str, server: str) -> Cause | None:
        """Why the last write of a server's routing ConfigMap was refused, None if it was not."""
        return self._memory((namespace, server)).refused

    def forget(self, namespace: str, server: str) -> None:
        """Drops the state of a server that is gone."""
        self._memories.pop((namespace, server), None)

    def _memory(self, key: Key) -> RoutingMemory:
        return self._memories.get(key, RoutingMemory())

    async def reconcile(self, server: Object) -> Applied:
        """Observes, plans and applies the plan. Raises ConflictError if something has changed meanwhile."""
        key = key_of(server)
        plan = plan_routing(await self._observe(server))
        self._memories[key] = plan.memory
        applied = await self._apply(plan)
        memory = self._memories[key] = remember(plan, applied)
        if memory.refused and memory.refused != plan.memory.refused:
            for route in waiting_routes(plan.inputs):
                self._enqueue((MODEL_ROUTE.kind, key[0], route))
        return applied

    async def _observe(self, server: Object) -> RoutingInputs:
        context, (namespace, name) = self._context, key_of(server)
        live = await context.live.unknown_routes(namespace, name, context.queries.routes(namespace, name))
        routes = context.queries.routes(namespace, name)  # after the live reads: they may have changed meanwhile
        return context.queries.routing_inputs(server, routes, live, self._memory((namespace, name)), context.now())

    async def _apply(self, plan: RoutingPlan) -> Applied:
        if plan.refused or plan.write is Write.NOTHING:
            return Applied(refused=plan.refused, result=plan.result)
        try:
            return Applied(result=await self._write(plan))
        except ContestedError as error:
            return Applied(result=Result(error.seconds))
        except RefusedError as error:
            return Applied(refused=cause_of(error))
        except NameTakenError as error:
            return Applied(taken=error.taken)

    async def _write(self, plan: RoutingPlan) -> Result:
        """Confirms and writes, or waits if the budget of writes is used up."""
        namespace, name = key_of(plan.inputs.server)
        made_of = await self._confirm(namespace, plan.confirm)
        wait = self._budget(f"{namespace}/{name}")
        if wait > 0:
            return earliest(Result(wait), plan.result)
        body = make_routing(plan.inputs.server, dict(plan.data))
        if plan.inputs.routing:
            seen, entries = plan.inputs.routing.config_map.body, plan.inputs.wanted
            revisions = [entries[route].entry.revision for route in plan.changed]
            cause = repr((sorted(plan.data), revisions, made_of))
            await self._context.client.replace({**seen, "data": body["data"]}, seen, cause)
        elif plan.inputs.orphan:
            await self._adopt(plan, plan.inputs.orphan.config_map.body, body)
        else:
            await self._create(body, plan.inputs.server)
        self._context.routings.find(namespace, name)  # remembered at once: it may be deleted before it is read again
        return plan.result

    async def _confirm(self, namespace: str, objects: tuple[tuple[Kind, str], ...]) -> list[Edition]:
        """The editions of what changed documents are made of. Raises ConflictError if the cache is behind one: a write
        would take back what another operator, or the one before this, has brought about and confirmed.
        """
        client, cache = self._context.client, self._context.cache
        seen = [_edition(cache.get(kind, namespace, name)) for kind, name in objects]
        for start in range(0, len(objects), CONFIRMED):
            part = objects[start : start + CONFIRMED]
            live = await asyncio.gather(*(client.read(kind, namespace, name) for kind, name in part))
            for (kind, name), before, now in zip(part, seen[start:], live, strict=False):
                if before != _edition(now):
                    raise ConflictError(f"{kind.kind} {name} has changed meanwhile")
        return seen

    async def _adopt(self, plan: RoutingPlan, orphan: Object, body: Object) -> None:
        """Sets owner and documents in one write. Raises ConflictError if the server goes or a route was not cached."""
        server, client = plan.inputs.server, self._context.client
        namespace, name = key_of(server)
        live = await client.read(MODEL_SERVER, namespace, name)
        if live is None or uid_of(live) != uid_of(server) or is_deleting(live):
            raise ConflictError(f"ModelServer {name} has changed meanwhile")
        for route in plan.absent:
            if self._context.cache.get(MODEL_ROUTE, namespace, route):
                continue
            if await client.read(MODEL_ROUTE, namespace, route):
                raise ConflictError(f"ModelRoute {route} was not in view")
        metadata = {**meta(orphan), "ownerReferences": meta(body)["ownerReferences"]}
        await client.replace({**orphan, "metadata": metadata, "data": body["data"]}, orphan)

    async def _create(self, body: Object, server: Object) -> None:
        client = self._context.client
        try:
            await client.create(body)
        except ConflictError as error:  # another owner's, or the cache is behind
            live = await client.read(CONFIG_MAP, *key_of(body))
            if live is None or controller_uid(live) == uid_of(server):
                raise
            raise NameTakenError(f"ModelServer {name_of(server)}", f"ConfigMap {name_of(body)}") from error


def _edition(body: Object | None) -> Edition:
    return None if body is None else (uid_of(body), generation_of(body), is_deleting(body))
