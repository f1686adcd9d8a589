"""Decides whether a row may be an array, and in which order: pure."""

from linplane_api.routing import RouteDocument

Order = tuple[str, ...]


def array_order(document: RouteDocument) -> tuple[Order | None, tuple[str, ...]]:
    """Returns the features in the order of an array, None if no array is accepted; and the versions because of which
    none is, the current one first.

    The versions that may answer must declare the same features in the same order. So must an earlier one whose number
    of features is the same: its callers may still send arrays in its order, which would be taken for the new one. With
    another number they are refused.
    """
    features = document.features_by_version
    candidates = (candidate.version for candidate in document.split)
    answering = [name for name in (document.current, *candidates) if name in features]
    if not answering:
        return None, ()
    order = features[answering[0]]
    others = [
        name
        for name in sorted(features)
        if features[name] != order and (name in answering or len(features[name]) == len(order))
    ]
    return (None, (answering[0], *others)) if others else (order, ())
