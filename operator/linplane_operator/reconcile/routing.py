"""Brings the routing ConfigMap of a ModelServer up to date: one document a route."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from linplane_api import names
from linplane_api.conditions import Cause
from linplane_api.kinds import CONFIG_MAP, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, Kind
from linplane_api.routing import Entry, RoutingMap

from ..cluster_client import ConflictError, NameTakenError, RefusedError
from ..compile.acknowledgements import Replica
from ..compile.formats import Unread, held_back
from ..compile.objects import Object, controller_uid, generation_of, is_deleting, meta, name_of, server_of, uid_of
from ..compile.outcome import DONE, Result, earliest
from ..compile.routing import MAX_SEQUENCE, Wanted, compile_map
from ..compile.routing_view import Routing
from ..compile.server import make_routing
from ..observe.cache import Key, key_of
from ..runtime.enqueue import WorkKey
from .context import Context, cause_of

CONFIRMED = 20
"""Of up to so many changed documents at a time the routes are looked at live, too, before they are written; their
versions always are, so many at once.
"""

IMMUTABLE = (
    "was made immutable, which cannot be undone: routes keep the traffic that they have, and no change takes effect. "
    "Delete it: the operator makes it again with that traffic"
)

GRACE_SECONDS = 60.0
"""For how long at most a routing ConfigMap that is gone is not made again, while the weights that a route served are
not known: the servers go on with what they hold.
"""


class RoutingWriter:
    """Writes what the replicas of a server load."""

    def __init__(self, context: Context, budget: Callable[[str], float], ask: Callable[[WorkKey], None]) -> None:
        """`budget(key)` gives 0 to write a routing ConfigMap now, or how many seconds to wait; `ask` has another key
        reconciled soon.
        """
        self._context = context
        self._budget = budget
        self._ask = ask
        self._refused: dict[Key, Cause] = {}
        self._missing_since: dict[Key, datetime] = {}  # by server: weights that a route served are not known
        self._given_up: dict[Key, set[str]] = {}  # by server: the routes that were waited for long enough

    def refused(self, namespace: str, server: str) -> Cause | None:
        """Why the last write of a server's routing ConfigMap was refused, None where it was not."""
        return self._refused.get((namespace, server))

    def forget(self, namespace: str, server: str) -> None:
        """A server is gone."""
        self._refused.pop((namespace, server), None)
        self._missing_since.pop((namespace, server), None)
        self._given_up.pop((namespace, server), None)

    async def write(self, namespace: str, server: Object, routes: dict[str, Object]) -> Result:
        """Brings the routing ConfigMap up to date; says when to come again where the budget of writes is used up.

        Raises ConflictError where something has changed meanwhile, NameTakenError where a ConfigMap of that name is
        another owner's, RefusedError as `ClusterClient.create`, ContestedError as `ClusterClient.replace`.
        """
        key = namespace, name_of(server)
        try:
            result = await self._write(namespace, server, routes)
        except (NameTakenError, RefusedError) as error:
            if self._refused.get(key) != cause_of(error):
                self._refused[key] = cause_of(error)
                self._ask_waiting(*key, routes)
            raise
        if result == DONE:
            self._refused.pop(key, None)
        return result

    async def _write(self, namespace: str, server: Object, routes: dict[str, Object]) -> Result:
        name = name_of(server)
        routing = self._context.queries.routing(namespace, name)
        orphan = None if routing else self._context.queries.orphan(namespace, name)
        before, entries = (routing.state, routing.entries) if routing else (None, {})
        known = routing or orphan
        unread = {route: known.state.routes[route] for route in known.unread} if known else {}
        if orphan:  # adopted: its sequence goes on, and each document that can be read comes in again
            before = RoutingMap(orphan.state.uid, orphan.state.sequence, unread)
        wanted = self._wanted(namespace, routes, entries)
        kept = await self._kept(namespace, name, routing, wanted)
        is_lost = routing is None and not self._context.queries.taken(namespace, name)
        replicas = self._context.queries.replicas(namespace, name)
        stay = held_back(wanted, entries, known.unread if known else {}, replicas)
        if is_lost and stay - unread.keys():
            return DONE  # the servers go on with what they hold; a report that changes comes back here
        wanted = {route: want for route, want in wanted.items() if route not in stay}
        kept |= stay
        held, until_grace = self._hold((namespace, name), wanted, entries)
        if held and is_lost:
            return until_grace
        wanted = {route: want for route, want in wanted.items() if route not in held}
        kept |= held
        floor = _floor(before, replicas, known.unread.values() if known else ())
        data = compile_map(before, entries, wanted, kept=kept, floor=floor)[0].to_data()
        if routing and data == routing.body.get("data"):
            return until_grace
        if known and known.body.get("immutable"):  # it is left to people to delete it
            raise RefusedError(f"ConfigMap {name_of(known.body)} {IMMUTABLE}")
        changed = _changed(wanted, entries)
        made_of = await self._confirm(namespace, wanted, changed)
        wait = self._budget(f"{namespace}/{name}")
        if wait > 0:
            return earliest(Result(wait), until_grace)
        if routing:
            cause = repr((sorted(data), [wanted[route].entry.revision for route in changed], made_of))
            await self._context.cluster.replace({**routing.body, "data": data}, routing.body, cause)
        elif orphan:
            await self._adopt(orphan, server, routes, data)
        else:
            await self._create(make_routing(server, data), server)
        self._context.queries.routing(namespace, name)  # remembered at once: it may be deleted before it is read again
        return until_grace

    async def _adopt(self, orphan: Routing, server: Object, routes: dict[str, Object], data: dict[str, str]) -> None:
        """Sets owner and documents in one write. Raises ConflictError if the server goes or a route is not in view."""
        namespace, name = key_of(server)
        live = await self._context.cluster.read(MODEL_SERVER, namespace, name)
        if live is None or uid_of(live) != uid_of(server) or is_deleting(live):
            raise ConflictError(f"ModelServer {name} has changed meanwhile")
        others = orphan.state.routes.keys() - routes.keys()
        for route in sorted(r for r in others if self._context.cache.get(MODEL_ROUTE, namespace, r) is None):
            if await self._context.cluster.read(MODEL_ROUTE, namespace, route):
                raise ConflictError(f"ModelRoute {route} was not in view")
        owners = meta(make_routing(server, data))["ownerReferences"]
        metadata = {**meta(orphan.body), "ownerReferences": owners}
        await self._context.cluster.replace({**orphan.body, "metadata": metadata, "data": data}, orphan.body)

    def _hold(self, key: Key, wanted: dict[str, Wanted], entries: dict[str, Entry]) -> tuple[set[str], Result]:
        """The routes that are not written yet, and for how many seconds at most: the weights that they served are not
        known for now, and no entry of theirs is in force. A route that gets no entry afterwards either (no room, a
        refused write) is not waited for again, and takes nothing of the time of the next loss.
        """
        missing = {name for name, want in wanted.items() if want.missing and name not in entries}
        given_up = self._given_up.get(key, set()) & missing
        held = missing - given_up
        if held:
            since = self._missing_since.setdefault(key, self._context.now())
            left = GRACE_SECONDS - (self._context.now() - since).total_seconds()
            if 0 < left <= GRACE_SECONDS:
                self._given_up[key] = given_up
                return held, Result(left)
        self._missing_since.pop(key, None)
        self._given_up[key] = missing
        return set(), DONE

    def _ask_waiting(self, namespace: str, server: str, routes: dict[str, Object]) -> None:
        """Has each route that waits for the ConfigMap tell why it does."""
        routing = self._context.queries.routing(namespace, server)
        entries = routing.entries if routing else {}
        for route in _changed(self._wanted(namespace, routes, entries), entries):
            self._ask((MODEL_ROUTE.kind, namespace, route))

    def _wanted(self, namespace: str, routes: dict[str, Object], entries: dict[str, Entry]) -> dict[str, Wanted]:
        wanted = {}
        for name, route in routes.items():
            try:
                spec = self._context.queries.route_spec(route)
                compiled = self._context.queries.compile(namespace, name, spec, entries.get(name))
            except ValueError:  # told by its own reconcile; it must not keep the others from theirs
                continue
            created = str(meta(route).get("creationTimestamp", ""))
            wanted[name] = Wanted(compiled.entry, created, bool(compiled.missing))
        return wanted

    async def _kept(self, namespace: str, server: str, routing: Routing | None, wanted: dict[str, Wanted]) -> set[str]:
        """The entries that stay although nobody is known to want them: only what is really gone is taken away."""
        kept = set()
        for name in sorted(routing.state.routes.keys() - wanted.keys()) if routing else ():
            live = await self._context.cluster.read(MODEL_ROUTE, namespace, name)
            if live and not is_deleting(live) and server_of(live) == server:
                kept.add(name)
        return kept

    async def _confirm(
        self, namespace: str, wanted: dict[str, Wanted], changed: list[str]
    ) -> list[tuple[str, int, bool] | None]:
        """The editions of what changed documents are made of. Raises ConflictError where a view is behind one: it would
        take back what another operator, or the one before this, has brought about and confirmed.
        """
        documents = [wanted[n].entry.document for n in changed]
        inputs = {(LINEAR_MODEL, names.model_object_name(d.model, v)) for d in documents for v in d.versions_named()}
        if len(changed) <= CONFIRMED:  # more: a start, or a new release, and each route's own
            inputs |= {(MODEL_ROUTE, n) for n in changed}
        seen = {(kind, n): self._context.cache.get(kind, namespace, n) for kind, n in sorted(inputs, key=str)}
        for some in _parts(list(seen), CONFIRMED):
            live = await asyncio.gather(*(self._context.cluster.read(kind, namespace, n) for kind, n in some))
            for (kind, n), now in zip(some, live, strict=True):
                if _edition(seen[kind, n]) != _edition(now):
                    raise ConflictError(f"{kind.kind} {n} has changed meanwhile")
        return [_edition(body) for body in seen.values()]

    async def _create(self, body: Object, server: Object) -> None:
        try:
            await self._context.cluster.create(body)
        except ConflictError as error:  # somebody's, or the view is behind
            live = await self._context.cluster.read(CONFIG_MAP, *key_of(body))
            if live is None or controller_uid(live) == uid_of(server):
                raise
            raise NameTakenError(f"ModelServer {name_of(server)}", f"ConfigMap {name_of(body)}") from error


def _floor(before: RoutingMap | None, replicas: Iterable[Replica], unread: Iterable[Unread]) -> int:
    """What the next sequence is above, whatever was done to the ConfigMap: no replica may have confirmed it already."""
    reports = [replica.report for replica in replicas if replica.report]
    confirmed = [r.sequence for r in reports if before and r.config_map_uid == before.uid]
    return max((*confirmed, *(one.sequence for one in unread if one.sequence < MAX_SEQUENCE)), default=0)


def _changed(wanted: dict[str, Wanted], entries: dict[str, Entry]) -> list[str]:
    """The routes whose documents are not in force as they should be."""
    return [
        name for name, want in wanted.items() if name not in entries or entries[name].revision != want.entry.revision
    ]


def _parts(items: list[tuple[Kind, str]], size: int) -> Iterator[list[tuple[Kind, str]]]:
    return (items[at : at + size] for at in range(0, len(items), size))


def _edition(body: Object | None) -> tuple[str, int, bool] | None:
    """What of an object a document goes by, but for its status."""
    return None if body is None else (uid_of(body), generation_of(body), is_deleting(body))
