"""Chooses an example of a request's row, from the check rows of a document: pure. Those are made-up numbers."""

from itertools import zip_longest

from linplane_api.artifact import PredictionError, predict
from linplane_api.routing import RouteDocument, ServedVersion


def needed_features(document: RouteDocument) -> tuple[str, ...]:
    """Returns each feature that a version with weights needs, in the order in which the versions declare them, the
    current one first; if no version has weights, those of all versions that the route names.
    """
    versions = [name for name in document.versions_named() if name in document.versions]
    features = document.features_by_version
    return tuple(dict.fromkeys(name for version in versions or sorted(features) for name in features[version]))


def example_row(document: RouteDocument) -> dict[str, float]:
    """Returns a row by name for which every version with weights has a finite prediction: the first check row that is
    not all zeros, else zeros.
    """
    names = needed_features(document)
    served = [document.versions[name] for name in document.versions_named() if name in document.versions]
    for checks in zip_longest(*(version.checks for version in served)):
        row = dict.fromkeys(names, 0.0)
        for version, check in reversed(list(zip(served, checks, strict=True))):
            row |= dict(zip(version.features, check.features, strict=True)) if check is not None else {}
        if any(row.values()) and all(_is_finite(version, row) for version in served):
            return row
    return dict.fromkeys(names, 0.0)


def _is_finite(version: ServedVersion, row: dict[str, float]) -> bool:
    try:
        predict(version.coefficients, version.intercept, [row[name] for name in version.features])
    except PredictionError:
        return False
    return True
