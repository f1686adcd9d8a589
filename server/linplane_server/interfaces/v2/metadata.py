"""The calls that compute nothing: metadata, readiness, the list of models; pure functions of what is loaded.

Of the versions that a route names, those are listed that the path of a request may name: the current one and the
candidates, if their weights are here.
"""

from collections.abc import Iterator

import msgspec
from msgspec import UNSET, UnsetType

from ...errors import Malformed, NothingToServe, PredictionRefusal
from ...predict.interface import Answer
from ...predict.router import current_version, find_version
from ...state.description import Description
from ...state.snapshot import Route, Snapshot
from ..json_answers import json_answer
from ..json_body import REFUSED
from ..pages import RouteCall
from .head import OUTPUT
from .infer import FEATURES

PLATFORM = "linplane_linear"
EXTENSIONS = ["binary_tensor_data", "model_repository"]
READY = "READY"


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


class IndexRequest(msgspec.Struct):
    """The body of a request for the index; `ready`: of ready versions only."""

    ready: bool | None = None


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


def repository_index(snapshot: Snapshot, body: bytes) -> Answer:
    """Returns each version of each model, or each that is ready, with its state. An empty body is a request without
    members, as Triton's client sends it. Raises Malformed.
    """
    try:
        request = _decode(body or b"{}")
    except REFUSED:
        raise Malformed('the body must be a JSON object, in which "ready" is true or false') from None
    return json_answer(index_entries(snapshot, ready=request.ready is True))


_decode = msgspec.json.Decoder(IndexRequest).decode


def index_entries(snapshot: Snapshot, *, ready: bool) -> list[IndexEntry]:
    """Returns the index in the order of the names of models; `ready`: with ready versions only."""
    routes = (snapshot.routes[name] for name in sorted(snapshot.routes))
    return [entry for route in routes for entry in _entries(route) if entry.state == READY or not ready]


def model_metadata(call: RouteCall) -> Answer:
    """Returns the metadata of a model, or of one version. Raises VersionNotFound and NothingToServe."""
    if call.version is not None:
        find_version(call.route, call.version)
    described = call.described
    names = [version.name for version in described.versions]
    outputs = [TensorMetadata(OUTPUT, "FP64", [-1, 1])]
    inputs = _inputs(call.route, described, call.version)
    return json_answer(ModelMetadata(described.route, names, PLATFORM, inputs, outputs))


def model_ready(call: RouteCall) -> Answer:
    """Returns the readiness of a model, or of one version: whether an inference would be answered. Raises
    VersionNotFound.
    """
    route, version = call.route, call.version
    try:
        current_version(route) if version is None else find_version(route, version)
    except NothingToServe as refusal:
        return json_answer(Ready(False, route.name, call.show(refusal).detail), 503)
    return json_answer(Ready(True, route.name))


def _inputs(route: Route, described: Description, version: str | None) -> list[TensorMetadata]:
    """Returns the matrix if the versions agree on the order, else a tensor for each feature; none if the features are
    not public, since no other request than by their names is possible.
    """
    if described.width is not None:
        name = FEATURES
        while name in route.accepted:  # a tensor of that name would be the feature
            name += "_"
        order = UNSET if described.order is None else {FEATURES: list(described.order)}
        return [TensorMetadata(name, "FP64", [-1, described.width], order)]
    if described.features is None:
        return []
    chosen = [one.features for one in described.versions if version in (None, one.name)]
    names = dict.fromkeys(name for features in chosen for name in features)
    return [TensorMetadata(name, "FP64", [-1, 1]) for name in names or described.features]


def _entries(route: Route) -> Iterator[IndexEntry]:
    for name in dict.fromkeys((route.current_name, *route.candidate_names)):
        if name is None:
            continue
        try:
            find_version(route, name)
        except PredictionRefusal as refusal:
            yield IndexEntry(route.name, name, "UNAVAILABLE", refusal.detail)
        else:
            yield IndexEntry(route.name, name, READY, "")
