"""What the public port says of a route: pure. If names are not public, it has none that the caller did not send."""

from dataclasses import dataclass

from .snapshot import Route, Version


@dataclass(frozen=True)
class Description:
    """A route. `width` is the number of values in an array, None if no array is accepted. If names are not public,
    `model`, `features` (all that a request may contain) and `order` (that of an array) are None and `versions` is
    empty; they are those that may answer, the current one first. `example` is a row that is answered, as an array if
    names are not public; None if there is no such row. `needed` are the features without which no version with weights
    answers.
    """

    route: str
    model: str | None
    width: int | None
    features: tuple[str, ...] | None
    order: tuple[str, ...] | None
    needed: tuple[str, ...]
    example: dict[str, float] | list[float] | None
    versions: tuple[Version, ...]


def describe(route: Route, *, names: bool) -> Description:
    """Describes a route; `names`: those of its features and versions are public."""
    named = dict.fromkeys((route.current_name, *route.candidate_names))
    served = tuple(route.versions[name] for name in named if name in route.versions)
    width = None if route.order is None else len(route.order)
    if names:
        example, needed = route.example if served else None, tuple(route.example)
        return Description(route.name, route.model, width, route.features, route.order, needed, example, served)
    row = [route.example[name] for name in route.order] if served and route.order is not None else None
    return Description(route.name, None, width, None, None, (), row, ())
