"""The paths under `/v2`, all but those of the inference call, which `http.targets` maps."""

from collections.abc import Callable, Sequence

from ...errors import MethodNotAllowed, PredictionRefusal
from ...predict.interface import Answer
from ...problems import STATUSES
from ...state.snapshot_store import SnapshotStore
from ..json_answers import NO_PAGE, NOT_ALLOWED, Refused, allow, json_answer
from ..pages import Page, RoutePage, ServerPage
from . import metadata
from .answers import error_answer
from .infer import INFERENCE

PREFIX = "/v2"
MODELS = "/models/"

_MODEL = f"{PREFIX}{MODELS}{{route}}"
_VERSION = f"{_MODEL}/versions/{{version}}"


class V2Pages:
    """See `Pages`. `unready` returns the reason that this process is not ready, None if it is."""

    refused = Refused

    def __init__(self, store: SnapshotStore, unready: Callable[[], str | None], version: str) -> None:
        """`store` is read at each call; `version` is that of the software."""
        self.table: Sequence[Page] = [
            *(
                ServerPage(path, "The server.", metadata.ServerMetadata, lambda _: metadata.server_metadata(version))
                for path in (PREFIX, f"{PREFIX}/")
            ),
            ServerPage(
                f"{PREFIX}/health/live",
                "Whether the server is alive.",
                metadata.Live,
                lambda _: json_answer(metadata.Live(live=True)),
            ),
            ServerPage(
                f"{PREFIX}/health/ready",
                "Whether the server is ready; 503 if it is not.",
                metadata.Ready,
                lambda _: metadata.server_ready(unready()),
            ),
            ServerPage(
                f"{PREFIX}/models",
                "The routes, as models.",
                metadata.Models,
                lambda _: metadata.model_list(store.snapshot),
                lists=True,
            ),
            ServerPage(
                f"{PREFIX}/repository/index",
                "The versions of all routes, or the ready ones.",
                list[metadata.IndexEntry],
                lambda call: metadata.repository_index(store.snapshot, call.body),
                takes=metadata.IndexRequest,
                lists=True,
            ),
            *(
                RoutePage(path, f"Inputs and outputs of {what}.", metadata.ModelMetadata, metadata.model_metadata)
                for path, what in ((_MODEL, "a route"), (_VERSION, "a version"))
            ),
            *(
                RoutePage(
                    f"{path}/ready",
                    f"Whether {what} can answer; 503 if it cannot.",
                    metadata.Ready,
                    metadata.model_ready,
                )
                for path, what in ((_MODEL, "a route"), (_VERSION, "a version"))
            ),
        ]

    def absent(self, path: str) -> Answer | None:
        """See `Pages`."""
        return error_answer(404, NO_PAGE) if path.startswith(f"{PREFIX}/") else None

    def not_allowed(self, methods: Sequence[str]) -> Answer:
        """See `Pages`."""
        return error_answer(STATUSES[MethodNotAllowed][0], NOT_ALLOWED, [allow(methods)])

    def refuse(self, refusal: PredictionRefusal) -> Answer:
        """See `Pages`."""
        return INFERENCE.refuse(refusal, "")
