"""The calls that compute nothing: metadata, readiness, the list of models; pure functions of what is loaded.

Of the versions that a route names, those are listed that the path of a request may name: the current one and the
candidates, if their weights are here.
"""

from collections.abc import Iterable

import msgspec
from msgspec import UNSET, UnsetType

from ...errors import PredictionRefusal
from ...predict.interface import Answer
from ...predict.router import find_version
from ...state.snapshot import Route, Snapshot, Version
from ..json_answers import json_answer
from .answers import refusal_answer
from .infer import FEATURES, OUTPUT

PLATFORM = "linplane_linear"
EXTENSIONS = ["binary_tensor_data", "model_repository"]


class ServerMetadata(msgspec.Struct):
    """The answer at `/v2`."""

    name: str
    version: str
    extensions: list[str]


class TensorMetadata(msgspec.Struct):
    """A tensor; -1 is the number of rows. `parameters` of the matrix are the features, in the order of its columns."""

    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, list[str]] | UnsetType = UNSET


class ModelMetadata(msgspec.Struct):
    """The answer at the path of a model."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class Ready(msgspec.Struct):
    """Readiness of the server, or of the model `name`. `error` is the reason that it is not ready."""

    ready: bool
    name: str | UnsetType = UNSET
    error: str | UnsetType = UNSET


class Live(msgspec.Struct):
    """Liveness of the server."""

    live: bool


class Models(msgspec.Struct):
    """The list of models, as KServe has it."""

    models: list[str]


class IndexEntry(msgspec.Struct):
    """A version of a model in the index of Triton's model repository extension."""

    name: str
    version: str
    state: str
    reason: str


def server_metadata(version: str) -> Answer:
    """Returns the metadata of the server; `version` is that of the software."""
    return json_answer(ServerMetadata("linplane", version, EXTENSIONS))


def server_ready(unready: str | None) -> Answer:
    """Returns the readiness of the server; `unready` is the reason that it is not."""
    return json_answer(Ready(unready is None, error=unready or UNSET), 503 if unready else 200)


def model_list(snapshot: Snapshot) -> Answer:
    """Returns the names of all models."""
    return json_answer(Models(sorted(snapshot.routes)))


def repository_index(snapshot: Snapshot) -> Answer:
    """Returns each version of each model, with its state."""
    routes = (snapshot.routes[name] for name in sorted(snapshot.routes))
    return json_answer([entry for route in routes for entry in _entries(route)])


def model_metadata(route: Route, version: str | None) -> Answer:
    """Returns the metadata of a model, or of one version."""
    versions = _answerable(route)
    try:
        described = versions if version is None else [find_version(route, version)]
    except PredictionRefusal as refusal:
        return refusal_answer(refusal)
    names = [one.name for one in versions]
    outputs = [TensorMetadata(OUTPUT, "FP64", [-1, 1])]
    return json_answer(ModelMetadata(route.name, names, PLATFORM, _inputs(route, described), outputs))


def model_ready(route: Route, version: str | None) -> Answer:
    """Returns the readiness of a model, or of one version: whether an inference would be answered."""
    reason: str | None = None
    if version is not None:
        try:
            find_version(route, version)
        except PredictionRefusal as refusal:
            status, _, _ = answer = refusal_answer(refusal)
            if status != 503:
                return answer
            reason = refusal.detail
    elif route.current is None:
        reason = route.unavailable.message if route.unavailable else "the model has no version"
    return json_answer(Ready(reason is None, route.name, reason or UNSET), 503 if reason else 200)


def _named(route: Route) -> list[str]:
    return list(dict.fromkeys(name for name in (route.current_name, *route.candidate_names) if name is not None))


def _answerable(route: Route) -> list[Version]:
    return [route.versions[name] for name in _named(route) if name in route.versions]


def _inputs(route: Route, versions: Iterable[Version]) -> list[TensorMetadata]:
    if route.order is not None:
        name = FEATURES
        while name in route.accepted:  # a tensor of that name would be the feature
            name += "_"
        return [TensorMetadata(name, "FP64", [-1, len(route.order)], {FEATURES: list(route.order)})]
    features = [version.features for version in versions] or route.features_by_version.values()
    names = dict.fromkeys(name for version in features for name in version)
    return [TensorMetadata(name, "FP64", [-1, 1]) for name in names]


def _entries(route: Route) -> list[IndexEntry]:
    entries = []
    for name in _named(route):
        try:
            find_version(route, name)
        except PredictionRefusal as refusal:
            entries.append(IndexEntry(route.name, name, "UNAVAILABLE", refusal.detail))
        else:
            entries.append(IndexEntry(route.name, name, "READY", ""))
    return entries
