"""The calls that compute nothing, answered with the JSON of `v2`'s pages, whose names are those of the messages."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec
from google.protobuf.json_format import Parse

from ...predict.interface import Answer
from ..v2.infer import NO_MODEL
from ..v2.messages import encode
from ..v2.metadata import IndexEntry
from ..v2.pages import MODELS, PREFIX
from . import inference_pb2 as pb
from .statuses import NOT_FOUND, Refusal, refusal_of

Page = Callable[[str, str, Mapping[bytes, bytes], bytes], Answer | None]
"""Returns the page at a path, by method, path, headers and body."""

_Message = TypeVar(
    "_Message",
    pb.ServerLiveResponse,
    pb.ServerReadyResponse,
    pb.ServerMetadataResponse,
    pb.ModelReadyResponse,
    pb.ModelMetadataResponse,
)


class Metadata:
    """Answers each call with its message, or with the status that refuses it."""

    def __init__(self, page: Page) -> None:
        """`page` is that of HTTP."""
        self._get = page

    def server_live(self) -> pb.ServerLiveResponse | Refusal:
        """Answers ServerLive."""
        return _message(self._page("/health/live"), pb.ServerLiveResponse())

    def server_ready(self) -> pb.ServerReadyResponse | Refusal:
        """Answers ServerReady."""
        return _message(self._page("/health/ready"), pb.ServerReadyResponse(), unready=503)

    def server_metadata(self) -> pb.ServerMetadataResponse | Refusal:
        """Answers ServerMetadata."""
        return _message(self._page(""), pb.ServerMetadataResponse())

    def model_ready(self, request: pb.ModelReadyRequest) -> pb.ModelReadyResponse | Refusal:
        """Answers ModelReady: not ready if an inference would be UNAVAILABLE."""
        return _message(self._model(request, "/ready"), pb.ModelReadyResponse(), unready=503)

    def model_metadata(self, request: pb.ModelMetadataRequest) -> pb.ModelMetadataResponse | Refusal:
        """Answers ModelMetadata."""
        return _message(self._model(request, ""), pb.ModelMetadataResponse())

    def repository_index(self, request: pb.RepositoryIndexRequest) -> pb.RepositoryIndexResponse | Refusal:
        """Answers RepositoryIndex; there is one repository, whatever it is called."""
        status, _, body = answer = self._page("/repository/index", "POST", encode({"ready": request.ready}))
        if status != 200:
            return refusal_of(answer)
        index = pb.RepositoryIndexResponse()
        for entry in msgspec.json.decode(body, type=list[IndexEntry]):
            index.models.add(name=entry.name, version=entry.version, state=entry.state, reason=entry.reason)
        return index

    def _model(self, request: pb.ModelReadyRequest | pb.ModelMetadataRequest, call: str) -> Answer | Refusal:
        name, version = request.name, request.version
        if not name or "/" in name or "/" in version:  # no part of a path
            return Refusal(NOT_FOUND, NO_MODEL)
        return self._page(f"{MODELS}{name}/versions/{version}{call}" if version else f"{MODELS}{name}{call}")

    def _page(self, path: str, method: str = "GET", body: bytes = b"") -> Answer:
        answer = self._get(method, PREFIX + path, {}, body)
        assert answer is not None
        return answer


def _message(answer: Answer | Refusal, message: _Message, unready: int = 200) -> _Message | Refusal:
    """Returns the message of an answer's JSON, whose status may be 200 or `unready`."""
    if isinstance(answer, Refusal):
        return answer
    status, _, body = answer
    if status not in (200, unready):
        return refusal_of(answer)
    return Parse(body, message, ignore_unknown_fields=True)
