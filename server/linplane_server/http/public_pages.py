"""The pages of the public listener that are neither predictions nor documentation: pure functions of what is loaded."""

import msgspec

from ..predict.interface import Answer
from ..state.snapshot_store import SnapshotStore


class Alive(msgspec.Struct, frozen=True):
    """The answer at `/`: the routes that are loaded, and the path of the documentation."""

    status: str
    routes: list[str]
    docs: str


class PublicPages:
    """Answers by path."""

    def __init__(self, store: SnapshotStore) -> None:
        """`store` is read at each call."""
        self._store = store

    def answer(self, method: str, path: str) -> Answer | None:
        """Returns the response to a request; None if no page is at this path."""
        if path == "/" and method == "GET":
            return _json(Alive("alive", sorted(self._store.snapshot.routes), "/docs"))
        return None


def _json(body: msgspec.Struct) -> Answer:
    content = msgspec.json.encode(body)
    return 200, [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))], content
