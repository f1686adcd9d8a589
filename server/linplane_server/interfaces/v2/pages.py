"""Maps the paths under `/v2` to their answers, all but those of the inference call, which `http.targets` maps."""

from collections.abc import Callable

from ...errors import MethodNotAllowed
from ...predict.interface import Answer
from ...problems import STATUSES
from ...state.snapshot import Route
from ...state.snapshot_store import SnapshotStore
from ..json_answers import GET, json_answer
from . import metadata
from .answers import error_answer
from .infer import NO_MODEL

PREFIX = "/v2"
MODELS = "/models/"

_MODEL_CALLS: dict[str, Callable[[Route, str | None], Answer]] = {
    "": metadata.model_metadata,
    "ready": metadata.model_ready,
}


class V2Pages:
    """Answers by path. `unready` returns the reason that this process is not ready, None if it is."""

    def __init__(self, store: SnapshotStore, unready: Callable[[], str | None], version: str) -> None:
        """`store` is read at each call; `version` is that of the software."""
        self._store = store
        self._calls: dict[str, tuple[tuple[str, ...], Callable[[], Answer]]] = {
            "": (GET, lambda: metadata.server_metadata(version)),
            "/": (GET, lambda: metadata.server_metadata(version)),
            "/health/live": (GET, lambda: json_answer(metadata.Live(live=True))),
            "/health/ready": (GET, lambda: metadata.server_ready(unready())),
            "/models": (GET, lambda: metadata.model_list(store.snapshot)),
            "/repository/index": (("POST",), lambda: metadata.repository_index(store.snapshot)),
        }

    def answer(self, method: str, path: str) -> Answer | None:
        """Returns the response; None if the path is not under `/v2`."""
        if path != PREFIX and not path.startswith(PREFIX + "/"):
            return None
        rest = path[len(PREFIX) :]
        if rest.startswith(MODELS):
            name, *call = rest[len(MODELS) :].split("/")
            return self._model(method, name, call)
        if rest not in self._calls:
            return _not_found()
        methods, answer = self._calls[rest]
        return answer() if method in methods else _not_allowed(methods)

    def _model(self, method: str, name: str, rest: list[str]) -> Answer:
        version: str | None = None
        if len(rest) > 1 and rest[0] == "versions":
            version, rest = rest[1], rest[2:]
        call = _MODEL_CALLS.get("/".join(rest))
        if call is None:
            return _not_found()
        if method not in GET:
            return _not_allowed(GET)
        if self._store.loaded_at is None:
            return error_answer(503, "no configuration is loaded yet")
        route = self._store.snapshot.routes.get(name)
        return call(route, version) if route is not None else error_answer(404, NO_MODEL)


def _not_found() -> Answer:
    return error_answer(404, "nothing is at this path")


def _not_allowed(methods: tuple[str, ...]) -> Answer:
    allow = (b"allow", ", ".join(methods).encode())
    return error_answer(STATUSES[MethodNotAllowed][0], "this path does not accept this method", [allow])
