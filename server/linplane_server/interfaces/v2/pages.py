"""The paths under `/v2`, all but those of the inference call, which `http.targets` maps."""

from collections.abc import Callable, Sequence

from ...errors import MethodNotAllowed, PredictionRefusal
from ...predict.interface import Answer
from ...problems import STATUSES
from ...state.snapshot_store import SnapshotStore
from ..json_answers import NO_PAGE, NOT_ALLOWED, allow, json_answer
from ..pages import RoutePage, ServerPage
from . import metadata
from .answers import error_answer
from .infer import INFERENCE

PREFIX = "/v2"
MODELS = "/models/"

_MODEL = f"{PREFIX}{MODELS}{{route}}"
_VERSION = f"{_MODEL}/versions/{{version}}"


class V2Pages:
    """See `Pages`. `unready` returns the reason that this process is not ready, None if it is."""

    def __init__(self, store: SnapshotStore, unready: Callable[[], str | None], version: str) -> None:
        """`store` is read at each call; `version` is that of the software."""
        self.table: Sequence[ServerPage | RoutePage] = [
            *(ServerPage(path, lambda _: metadata.server_metadata(version)) for path in (PREFIX, f"{PREFIX}/")),
            ServerPage(f"{PREFIX}/health/live", lambda _: json_answer(metadata.Live(live=True))),
            ServerPage(f"{PREFIX}/health/ready", lambda _: metadata.server_ready(unready())),
            ServerPage(f"{PREFIX}/models", lambda _: metadata.model_list(store.snapshot), lists=True),
            ServerPage(
                f"{PREFIX}/repository/index",
                lambda call: metadata.repository_index(store.snapshot, call.body),
                methods=("POST",),
                lists=True,
                reads=True,
            ),
            *(RoutePage(path, metadata.model_metadata) for path in (_MODEL, _VERSION)),
            *(RoutePage(f"{path}/ready", metadata.model_ready) for path in (_MODEL, _VERSION)),
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
