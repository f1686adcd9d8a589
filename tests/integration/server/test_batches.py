"""Batches in a process of its own, so that what it imports can be seen."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from integration.server.conftest import Start
from integration.server.running import PREDICT, Running, send_request
from linplane_server.predict.rows import BLOCK_ROWS
from linplane_server.settings import Limits
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


Rows = list[list[float]]
ROWS: Rows = [[number, 7] for number in range(100_000, 230_000)]
"""Rows whose encoding has the same length."""

ENCODED: dict[str, tuple[str, str, Callable[[Rows], bytes]]] = {
    "predict": ("/routes/homes/predict", "application/json", lambda rows: dumps({"rows": rows})),
    "v1": ("/v1/models/homes:predict", "application/json", lambda rows: dumps({"instances": rows})),
    "mlflow": (
        "/routes/homes/invocations",
        "application/json",
        lambda rows: dumps({"dataframe_split": {"columns": ["area", "rooms"], "data": rows}}),
    ),
    "csv": (
        "/routes/homes/invocations",
        "text/csv",
        lambda rows: b"area,rooms\n" + b"".join(b"%d,%d\n" % (area, rooms) for area, rooms in rows),
    ),
    "v2": (
        "/v2/models/homes/infer",
        "application/json",
        lambda rows: dumps({"inputs": [{"name": "x", "shape": [len(rows), 2], "datatype": "FP64", "data": rows}]}),
    ),
}
"""Path, type and encoding of a batch on each interface."""


def dumps(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def predictions(content: bytes) -> list[float]:
    answer = json.loads(content)
    found: list[float] = answer["outputs"][0]["data"] if "outputs" in answer else answer["predictions"]
    return found


@pytest.mark.parametrize("interface", ENCODED)
def test_batch_as_large_as_a_body_may_be_is_answered_on_each_interface(server: Running, interface: str) -> None:
    path, kind, encode = ENCODED[interface]
    length, more = len(encode(ROWS[:1])), len(encode(ROWS[:2]))
    rows = ROWS[: (Limits.body_bytes - length) // (more - length)]
    body = encode(rows)
    assert Limits.body_bytes - 100 < len(body) <= Limits.body_bytes
    status, _, content = server.predict(body, path, Content_Type=kind)
    assert status == 200
    found = predictions(content)
    alone = [predictions(server.predict(dumps({"rows": [row]}))[2])[0] for row in (rows[0], rows[-1])]
    assert (len(found), [found[0], found[-1]]) == (len(rows), alone)


def test_csv_of_many_mib_is_computed_in_little_memory(start: Start) -> None:
    server = start()
    assert server.predict(batch(BLOCK_ROWS))[0] == 200
    eventually(lambda: has_numpy(server))
    path, kind, _ = ENCODED["csv"]
    row = b"12.5,7," + b",".join([b"0.123456789012345678"] * 20) + b"\n"
    count = 8 * Limits.body_bytes // len(row)
    body = b"area,rooms," + b",".join(b"x%d" % number for number in range(20)) + b"\n" + row * count
    alone = predictions(server.predict(dumps({"rows": [[12.5, 7]]}))[2])

    def growth() -> int:
        idle = server.memory()
        server.forget_peak()
        status, _, content = server.predict(body, path, Content_Type=kind)
        assert status == 200
        assert predictions(content) == alone * count
        return server.memory("VmHWM") - idle

    eventually(lambda: growth() < 5 * 1024)  # the first one may come while numpy is still imported


def test_memory_for_a_json_body_comes_back(start: Start) -> None:
    server = start()
    assert server.predict(batch(BLOCK_ROWS))[0] == 200
    eventually(lambda: has_numpy(server))
    row = {"area": 12.345678901234567, "rooms": 7.654321}
    long = dumps({"rows": [row] * (Limits.body_bytes // (len(dumps(row)) + 1) - 1)})
    count = Limits.body_bytes // 4 - 30
    tensor = {"name": "x", "shape": [count, 2], "datatype": "FP64", "data": [1] * (2 * count)}
    short = dumps({"inputs": [tensor]})
    for path, body, kept, times in (
        ("/routes/homes/predict", long, 1024, 6),
        ("/v2/models/homes/infer", short, 4096, 3),
    ):
        assert Limits.body_bytes - 200 < len(body) <= Limits.body_bytes
        idle = server.memory()
        server.forget_peak()
        assert server.predict(body, path)[0] == 200
        assert server.memory("VmHWM") - idle < 24 * 1024

        def unchanged(path: str = path, body: bytes = body, kept: int = kept, times: int = times) -> bool:
            """The process has the memory that it keeps for the next body, and the rest of numpy. `kept` KiB are what
            the allocator returns to the system or not, from body to body.
            """
            before = server.memory()
            return all(server.predict(body, path)[0] == 200 and server.memory() - before < kept for _ in range(times))

        eventually(unchanged)


@pytest.mark.thorough
def test_memory_for_many_bodies_at_a_time_comes_back(start: Start) -> None:
    """Forty bodies of 1 MiB, half of them wrong; most are refused for now."""
    server = start()
    assert server.predict(batch(BLOCK_ROWS))[0] == 200
    eventually(lambda: has_numpy(server))
    row = b"[12.345678901234567,7.654321098765432],"
    good = b'{"rows":[' + row * (Limits.body_bytes // len(row) - 1) + b"[1,2]]}"
    bad = good.replace(b"[1,2]]}", b'["a",2]]}')

    def status(body: bytes) -> int:
        return send_request(server.port, "POST", "/routes/homes/predict", body, {}, timeout=60)[0]

    def answers() -> set[int]:
        with ThreadPoolExecutor(40) as pool:
            return set(pool.map(status, [good, bad] * 20))

    assert answers() <= {200, 422, 503}
    before = server.memory()
    for _ in range(4):
        assert answers() <= {200, 422, 503}
    assert server.memory() - before < 16 * 1024, "a round takes 16 MiB of bodies, and refuses 24 MiB"
