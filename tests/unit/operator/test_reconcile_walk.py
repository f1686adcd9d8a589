"""The number of modules that one reconcile passes, which its reader has to follow."""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NamedTuple

import pytest

from linplane_api.kinds import LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, Kind
from unit.operator import recorder
from unit.operator.builders import linear_model, model_route
from unit.operator.harness import Sim

OPERATOR = "linplane_operator."
MODULES = 10
"""Of one reconcile at most, its own among them."""


ENTRIES = 2
"""Into one module at most."""


class Case(NamedTuple):
    """The reconcile of one object."""

    kind: Kind
    name: str
    module: str


CASES = (
    Case(LINEAR_MODEL, "homes-v1", "reconcile.model"),
    Case(MODEL_ROUTE, "homes", "reconcile.route"),
    Case(MODEL_SERVER, "default", "reconcile.server"),
)


@contextmanager
def walked(start: str) -> Iterator[list[str]]:
    """Fills the list with the entries of a walk that begins in the module `start`, in order.

    An entry is a call from a function of `start` to one of another module of the operator; consecutive calls into the
    same module are one entry. What these call in turn is not on the way: it can be skipped. The recorder of the tests
    takes the place of the module `cluster_client`, the interface to the API server.
    """
    entries: list[str] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        if event != "call" or frame.f_back is None or _module(frame.f_back) != start:
            return
        called = _module(frame)
        if called.startswith(OPERATOR) and called != start and [called] != entries[-1:]:
            entries.append(called)

    sys.setprofile(note)
    try:
        yield entries
    finally:
        sys.setprofile(None)


def _module(frame: FrameType) -> str:
    name = str(frame.f_globals.get("__name__"))
    return f"{OPERATOR}cluster_client" if name == recorder.__name__ else name


def walk(sim: Sim, case: Case) -> list[str]:
    """The entries of a reconcile, without the package's name."""
    with walked(OPERATOR + case.module) as entries:
        asyncio.run(sim.reconciler.reconcile((case.kind.kind, "default", case.name)))
    return [entry.removeprefix(OPERATOR) for entry in entries]


def at_rest(sim: Sim) -> None:
    sim.apply(linear_model(), linear_model("v2"), model_route(split=[("v2", 10)]))
    sim.settle()


def switched(sim: Sim) -> None:
    at_rest(sim)
    sim.edit(MODEL_ROUTE, "homes", version="v2", split=None)


def frozen(sim: Sim) -> None:
    at_rest(sim)
    sim.edit(LINEAR_MODEL, "homes-v1", frozen=True)


def new(sim: Sim) -> None:
    sim.apply(linear_model(), model_route())


def without_server(sim: Sim) -> None:
    sim.apply(linear_model(), model_route(serverName="gpu"))


SITUATIONS = (at_rest, switched, frozen, new, without_server)


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.__name__)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind.kind)
def test_reconcile_passes_few_modules(sim: Sim, case: Case, situation: Callable[[Sim], None]) -> None:
    situation(sim)
    entries = walk(sim, case)
    assert {"observe.queries", "reconcile.context"} <= {*entries}, "the walk was not recorded"
    assert len({*entries, case.module}) <= MODULES, entries
    assert max(Counter(entries).values()) <= ENTRIES, entries
