"""Questions about the cache that need no reconcile to be answered."""

from collections.abc import Callable
from typing import Any

import pytest

from linplane_api.kinds import CONFIG_MAP, LINEAR_MODEL, MODEL_SERVER
from linplane_api.routing import Entry, make_entry
from linplane_operator.compile.routing import Compiled
from linplane_operator.compile.settings import Settings
from linplane_operator.observe.cache import ObjectCache
from linplane_operator.observe.queries import Queries
from linplane_operator.observe.routings import Routings
from unit.operator.builders import document, model_route, route_spec
from unit.operator.planning import artifact_in, model

ROUTE = model_route()


def queries_of(cache: ObjectCache) -> Queries:
    """With empty memories."""
    return Queries(cache, Routings(cache), Settings())


class Compiling:
    """A route on v1 of a model with a split, and all that its document is made of."""

    def __init__(self) -> None:
        self.cache = ObjectCache()
        self.queries = queries_of(self.cache)
        self.entry: Entry | None = make_entry(document(), 3)
        self.spec = route_spec(split=[("v2", 10)], rateLimit={"requestsPerSecond": 5, "per": "Route"})
        for version in ("v1", "v2"):
            self.put_model(version)
        self.cache.put(MODEL_SERVER, {"metadata": {"name": "default", "uid": "s"}, "spec": {"replicas": 3}})

    def put_model(self, version: str, **fields: Any) -> None:
        owner = model(version, uid=version, **fields)
        self.cache.put(LINEAR_MODEL, owner)
        self.cache.put(CONFIG_MAP, artifact_in(owner))

    def compile(self) -> Compiled:
        return self.queries.compile(ROUTE, self.spec, self.entry)


def _artifact(case: Compiling) -> None:
    (found,) = case.cache.find(CONFIG_MAP, "default", "owner=v2")
    case.cache.put(CONFIG_MAP, {**found, "data": artifact_in(model("v2", uid="v2"), slope=7.0)["data"]})


CHANGES: dict[str, Callable[[Compiling], Any]] = {
    "the spec": lambda case: setattr(case, "spec", route_spec(split=[("v2", 20)])),
    "the entry": lambda case: setattr(case, "entry", make_entry(document("v2", weights={"v2": 2.0}), 3)),
    "the server": lambda case: case.cache.put(
        MODEL_SERVER, {"metadata": {"name": "default", "uid": "s"}, "spec": {"replicas": 5}}
    ),
    "no server": lambda case: case.cache.drop(MODEL_SERVER, "default", "default"),
    "a model": lambda case: case.put_model("v2", frozen=True),
    "a model's gate": lambda case: case.put_model("v2", acceptance={"minR2": "0.99"}),
    "an artifact": _artifact,
}


@pytest.mark.parametrize("change", CHANGES)
def test_compiled_result_is_memoised_until_an_input_changes(change):
    """Each input by itself; a change of nothing gives the very same object."""
    case = Compiling()
    before = case.compile()
    assert case.compile() is before
    CHANGES[change](case)
    after = case.compile()
    assert after.entry.document != before.entry.document
    fresh = queries_of(case.cache).compile(ROUTE, case.spec, case.entry)
    assert after == fresh
    assert case.compile() is after


def test_equal_object_is_no_change():
    """For example, when a list returns every object again."""
    case = Compiling()
    before = case.compile()
    case.put_model("v2")
    case.spec = route_spec(split=[("v2", 10)], rateLimit={"requestsPerSecond": 5, "per": "Route"})
    assert case.compile() is before
