"""A routing ConfigMap: from what exists to the one write that brings it up to date, or to why there is none."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum

from linplane_api import names
from linplane_api.conditions import Cause, Reason
from linplane_api.kinds import LINEAR_MODEL, MODEL_ROUTE, Kind
from linplane_api.routing import Entry, RoutingMap

from .acknowledgements import Replica
from .adoption import taken_text
from .formats import held_back
from .objects import Object, is_deleting, name_of, server_of
from .outcome import DONE, Applied, Result
from .routing_map import MAX_SEQUENCE, Wanted, compile_map
from .routing_view import Routing
from .settings import GRACE_SECONDS

CONFIRMED = 20
"""Up to this many changed documents, their routes are confirmed live before the write, too; their versions always are.
More change only at a start or by a new release, and each by its own route.
"""

IMMUTABLE = (
    "was made immutable, which cannot be undone: routes keep the traffic that they have, and no change takes effect. "
    "Delete it: the operator makes it again with that traffic"
)


@dataclass(frozen=True)
class RoutingMemory:
    """The state of one server's routing ConfigMap that lives between two reconciles.

    `missing_since`: since when weights that a route served are unknown. `given_up`: the routes that were waited for
    long enough. `refused`: why the last write was refused.
    """

    missing_since: datetime | None = None
    given_up: frozenset[str] = frozenset()
    refused: Cause | None = None


@dataclass(frozen=True)
class RoutingInputs:
    """All that decides about one routing ConfigMap.

    `routing`: the ConfigMap; `orphan`: one that has lost its owner; `is_taken`: its name is another owner's. `wanted`:
    the entries that the routes compile to. `routes`: all routes of the server, also those that cannot be read. `live`:
    the routes with an entry and without a cached object, as the API server has them.
    """

    server: Object
    routing: Routing | None
    orphan: Routing | None
    is_taken: bool
    wanted: Mapping[str, Wanted]
    routes: Collection[str]
    live: Mapping[str, Object | None]
    replicas: Sequence[Replica]
    memory: RoutingMemory
    now: datetime

    @property
    def known(self) -> Routing | None:
        """The ConfigMap that there is, with or without its owner."""
        return self.routing or self.orphan

    @property
    def entries(self) -> Mapping[str, Entry]:
        """The entries in force: those of an orphan are not until it is adopted."""
        return self.routing.entries if self.routing else {}

    @property
    def is_lost(self) -> bool:
        """There is no ConfigMap that replicas could load."""
        return self.routing is None and not self.is_taken


class Write(Enum):
    """How the ConfigMap is written. ADOPT sets owner and documents of an orphan at once."""

    NOTHING = "nothing"
    CREATE = "create"
    REPLACE = "replace"
    ADOPT = "adopt"


@dataclass(frozen=True)
class RoutingPlan:
    """The work on one routing ConfigMap: confirm live that `confirm` is as it was seen and that no route of `absent`
    exists, then write `data`.

    `changed`: the routes whose documents change. `refused`: why nothing can be written. `result`: when to reconcile
    again, if anything is held until then.
    """

    inputs: RoutingInputs
    memory: RoutingMemory
    write: Write = Write.NOTHING
    data: Mapping[str, str] = field(default_factory=dict)
    changed: tuple[str, ...] = ()
    confirm: tuple[tuple[Kind, str], ...] = ()
    absent: tuple[str, ...] = ()
    refused: Cause | None = None
    result: Result = DONE


def plan_routing(inputs: RoutingInputs) -> RoutingPlan:
    """The plan. A route that is held keeps the entry that it has."""
    plan, known = RoutingPlan(inputs, inputs.memory), inputs.known
    unread = known.unread if known else {}
    by_format = frozenset(held_back(inputs.wanted, inputs.entries, unread, inputs.replicas))
    if inputs.is_lost and by_format - unread.keys():
        return plan  # the servers go on with what they hold; a report that changes leads back here
    plan, by_loss = _hold_missing(plan, _without(inputs.wanted, by_format))
    if inputs.is_lost and by_loss:
        return plan
    held = by_format | by_loss
    wanted = _without(inputs.wanted, held)
    data = _compile(inputs, wanted, held)
    if inputs.routing and data == inputs.routing.config_map.data:
        return plan
    if known and known.config_map.is_immutable:  # deleting it is left to people
        return replace(plan, refused=Cause(Reason.CHILD_REFUSED, f"ConfigMap {known.config_map.name} {IMMUTABLE}"))
    changed = _changed(inputs, wanted)
    write = Write.REPLACE if inputs.routing else Write.ADOPT if inputs.orphan else Write.CREATE
    return replace(
        plan, write=write, data=data, changed=changed, confirm=_confirm(wanted, changed), absent=_absent(inputs)
    )


def _without(wanted: Mapping[str, Wanted], held: Collection[str]) -> Mapping[str, Wanted]:
    return {name: want for name, want in wanted.items() if name not in held} if held else wanted


def _hold_missing(plan: RoutingPlan, wanted: Mapping[str, Wanted]) -> tuple[RoutingPlan, frozenset[str]]:
    """The routes that are not written yet, with the plan that remembers since when: the weights that they served are
    unknown for now, and no entry of theirs is in force.

    A route that gets no entry afterwards either (no room, a refused write) is not waited for again, and takes nothing
    of the time of the next loss.
    """
    memory, now, entries = plan.memory, plan.inputs.now, plan.inputs.entries
    missing = frozenset(name for name, want in wanted.items() if want.missing and name not in entries)
    given_up = memory.given_up & missing
    held = missing - given_up
    if held:
        since = memory.missing_since or now
        left = GRACE_SECONDS - (now - since).total_seconds()
        if 0 < left <= GRACE_SECONDS:
            memory = replace(memory, missing_since=since, given_up=given_up)
            return replace(plan, memory=memory, result=Result(left)), held
    return replace(plan, memory=replace(memory, missing_since=None, given_up=missing)), frozenset()


def _compile(inputs: RoutingInputs, wanted: Mapping[str, Wanted], held: frozenset[str]) -> dict[str, str]:
    """The data of the ConfigMap. An orphan's sequence goes on, and each of its documents that can be read comes in
    again.
    """
    before = inputs.routing.state if inputs.routing else None
    if inputs.orphan:
        state = inputs.orphan.state
        unread = {route: state.routes[route] for route in inputs.orphan.unread}
        before = RoutingMap(state.uid, state.sequence, unread)
    kept = held | _kept(inputs)
    compiled, _ = compile_map(before, inputs.entries, wanted, kept=kept, floor=_floor(inputs, before))
    return compiled.to_data()


def _kept(inputs: RoutingInputs) -> set[str]:
    """The entries that stay though no route is known to want them: an entry goes only if its route does."""
    others = inputs.routing.state.routes.keys() - inputs.wanted.keys() if inputs.routing else set[str]()
    server = name_of(inputs.server)

    def is_gone(name: str) -> bool:
        live = inputs.live.get(name)
        return name in inputs.live and (live is None or is_deleting(live) or server_of(live) != server)

    return {name for name in others if not is_gone(name)}


def _floor(inputs: RoutingInputs, before: RoutingMap | None) -> int:
    """A sequence that no replica can have confirmed is above this one, whatever was done to the ConfigMap."""
    reports = [replica.report for replica in inputs.replicas if replica.report]
    confirmed = [report.sequence for report in reports if before and report.config_map_uid == before.uid]
    unread = [one.sequence for one in inputs.known.unread.values()] if inputs.known else []
    return max((*confirmed, *(sequence for sequence in unread if sequence < MAX_SEQUENCE)), default=0)


def _confirm(wanted: Mapping[str, Wanted], changed: Sequence[str]) -> tuple[tuple[Kind, str], ...]:
    """The objects that the changed documents are made of."""
    documents = [wanted[name].entry.document for name in changed]
    made_of = {(LINEAR_MODEL, names.model_object_name(d.model, v)) for d in documents for v in d.versions_named()}
    if len(changed) <= CONFIRMED:
        made_of |= {(MODEL_ROUTE, name) for name in changed}
    return tuple(sorted(made_of, key=str))


def _absent(inputs: RoutingInputs) -> tuple[str, ...]:
    """The routes of an orphan's entries that are not known: adoption drops these entries."""
    return tuple(sorted(inputs.orphan.state.routes.keys() - set(inputs.routes))) if inputs.orphan else ()


def waiting_routes(inputs: RoutingInputs) -> tuple[str, ...]:
    """The routes whose documents are not in force: each reports why if the ConfigMap cannot be written."""
    return _changed(inputs, inputs.wanted)


def _changed(inputs: RoutingInputs, wanted: Mapping[str, Wanted]) -> tuple[str, ...]:
    entries = inputs.entries
    return tuple(
        name for name, want in wanted.items() if name not in entries or entries[name].revision != want.entry.revision
    )


def remember(plan: RoutingPlan, applied: Applied) -> RoutingMemory:
    """The memory once the plan is applied. A refusal is remembered until there is nothing left to write."""
    if applied.taken:
        owner = f"ModelServer {name_of(plan.inputs.server)}"
        return replace(plan.memory, refused=Cause(Reason.NAME_TAKEN, taken_text(owner, applied.taken)))
    if applied.refused:
        return replace(plan.memory, refused=applied.refused)
    return replace(plan.memory, refused=None) if applied.result == DONE else plan.memory
