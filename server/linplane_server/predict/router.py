"""Picks the version that answers a request: pure. It depends on the document and the request alone, so every replica
picks the same one.
"""

from collections.abc import Callable
from typing import Literal

from linplane_api.conditions import Reason
from linplane_api.split import KeySource

from ..errors import NothingToServe, RouteNotFound, VersionNotFound
from ..state.snapshot import Route, Version
from ..state.snapshot_store import SnapshotStore

HOW_TO_ADDRESS = "no such route is loaded here; address one by path (POST /routes/ROUTE/predict) or by host (POST http://ROUTE/predict)"
NO_ROUTE = "no route of this name is loaded here"

SplitSource = Literal[KeySource, "current"]
"""The input that the split picked a version by; `current`: no candidate has a share, so none was needed."""

Source = Literal[SplitSource, "version"]
"""The same, and `version` if the path names it."""


def choose(
    route: Route, key: str | None, header: str | None, by_values: Callable[[], str]
) -> tuple[Version | None, Source]:
    """Returns the version that answers, and the input that it was picked by. The version is None if the request falls
    to the current version and that has no weights here.

    The request's own key takes precedence over the header of `splitKey`, and that over the feature values: `by_values`
    returns the key for the last, and is called only for it. An empty key or header counts as absent: otherwise all
    callers without a user would get the same version. `current`: no candidate has a share, so no key was needed.
    """
    splitter = route.splitter
    source: Source
    if splitter is None:
        return route.current, "current"
    if key:
        index, source = splitter.pick(key), "key"
    elif header:
        index, source = splitter.pick(header), "header"
    else:
        index, source = splitter.pick(by_values()), "features"
    return (route.current if index is None else route.candidates[index]), source


def picked(route: Route, index: int | None) -> Version | None:
    """Returns the version that the split picked, a candidate by its index; None if it has no weights here."""
    return route.current if index is None else route.candidates[index]


def unknown_route(store: SnapshotStore, *, by_path: bool) -> RouteNotFound | NothingToServe:
    """Returns the refusal of a request whose route is not loaded; `by_path`: its path names one."""
    if store.loaded_at is None:
        return NothingToServe("NotLoaded", "no configuration is loaded yet", None)
    if not by_path:
        return RouteNotFound(HOW_TO_ADDRESS)
    return RouteNotFound(f"{NO_ROUTE}; GET / lists the routes", nameless=NO_ROUTE)


def current_version(route: Route) -> Version:
    """Returns the current version. Raises NothingToServe if its weights are not here."""
    if route.current is None:
        assert route.unavailable is not None
        raise NothingToServe(route.unavailable.reason, route.unavailable.message, route.current_name)
    return route.current


def find_version(route: Route, name: str) -> Version:
    """Returns the version that a path names: the current one or a candidate, also one without a share. Raises
    VersionNotFound, and NothingToServe if its weights are not here.
    """
    if name != route.current_name and name not in route.candidate_names:
        raise VersionNotFound("the version is neither the current one of this route nor a candidate of its split")
    version = route.versions.get(name)
    if version is not None:
        return version
    if name == route.current_name and route.unavailable is not None:
        raise NothingToServe(route.unavailable.reason, route.unavailable.message, name)
    raise NothingToServe(Reason.VERSION_NOT_READY, f"{name} is frozen, or not Ready", name)
