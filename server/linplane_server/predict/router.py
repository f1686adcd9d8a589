"""Who gets which version: pure. The document and the request's key decide, so every replica decides alike."""

from collections.abc import Callable, Mapping
from typing import Literal

from linplane_api.split import KeySource, feature_key

from ..state.snapshot import Route, Version

Source = Literal[KeySource, "current"]
Rows = list[Mapping[str, float]]


def choose(
    route: Route, key: str | None, header: str | None, rows: Callable[[], Rows]
) -> tuple[Version | None, Source]:
    """The version that answers (None: the current one, which has no weights here) and what decided.

    The request's own key comes first, then the header of `splitKey`, then the feature values; they are asked for only
    if nothing else is there. An empty key or header is none: all callers without a user would get one version.
    `current`: no candidate has a share, so no key was needed.
    """
    if route.splitter is None:
        return route.current, "current"
    source: Source
    if key:
        source = "key"
    elif header:
        key, source = header, "header"
    else:
        key, source = feature_key(rows()), "features"
    index = route.splitter.pick(key)
    return (route.current if index is None else route.candidates[index]), source
