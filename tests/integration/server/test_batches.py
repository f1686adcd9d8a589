"""Batches in a process of its own, so that what it imports can be seen."""

import json
from pathlib import Path

from integration.server.conftest import Start
from integration.server.running import PREDICT, Running
from linplane_server.predict.rows import BLOCK_ROWS
from support import eventually


def threads(server: Running) -> int:
    """One more while numpy is imported."""
    return len(list(Path(f"/proc/{server.process.pid}/task").iterdir()))


def has_numpy(server: Running) -> bool:
    return "numpy" in Path(f"/proc/{server.process.pid}/maps").read_text()


def batch(count: int) -> bytes:
    return json.dumps({"rows": [[number / 7, number / 3] for number in range(count)]}).encode()


def test_numpy_is_imported_by_the_first_large_batch(start: Start) -> None:
    server = start()
    before = threads(server)
    assert [server.predict(body)[0] for body in (PREDICT, batch(BLOCK_ROWS - 1))] == [200, 200]
    assert threads(server) == before
    assert not has_numpy(server)
    first = server.predict(batch(BLOCK_ROWS))
    eventually(lambda: has_numpy(server))
    assert first[0] == 200
    assert server.predict(batch(BLOCK_ROWS))[2] == first[2]
