"""The pages of the public listener that are neither predictions nor documentation: pure functions of what is loaded."""

import msgspec

from ..interfaces.v2.pages import V2Pages
from ..predict.interface import Answer
from ..state.snapshot_store import SnapshotStore


class Alive(msgspec.Struct, frozen=True):
    """The answer at `/`: the routes that are loaded, and the path of the documentation."""

    status: str
    routes: list[str]
    docs: str


class PublicPages:
    """Answers by path."""

    def __init__(self, store: SnapshotStore, v2: V2Pages) -> None:
        """`store` is read at each call; `v2` answers the paths under `/v2`."""
        self._store = store
        self._v2 = v2

    def answer(self, method: str, path: str) -> Answer | None:
        """Returns the response to a request; None if no page is at this path."""
        if path == "/" and method == "GET":
            return _json(Alive("alive", sorted(self._store.snapshot.routes), "/docs"))
        return self._v2.answer(method, path)


def _json(body: msgspec.Struct) -> Answer:
    content = msgspec.json.encode(body)
    return 200, [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))], content
