"""CSV that is computed while it arrives: the same answer as to the whole, in little memory."""

import csv
import io
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as with_fields

from linplane_api.routing import RouteDocument, Unavailable
from linplane_server.errors import PredictionRefusal
from linplane_server.interfaces import csv_stream
from linplane_server.interfaces.csv_body import CsvTable
from linplane_server.interfaces.csv_stream import BLOCK_BYTES, PIECE, CsvStream
from linplane_server.interfaces.json_answers import message_of
from linplane_server.interfaces.mlflow import MLFLOW
from linplane_server.predict.interface import Asked, Call, Target
from linplane_server.predict.rows import BLOCK_ROWS, Row
from linplane_server.state.blocks import Blocks
from unit.server.builders import Client, document, serving
from unit.server.parts import both, cut, steps_of

LOADED = Blocks(lambda load: load())
LOADED()  # imports numpy

ACCEPTED = frozenset({"area", "rooms"})
ASKED = Asked((), lambda number: f"row {number + 1}")
MIB = 1 << 20
LARGE = b"1.7e308,1.7e308"

CELLS = ["1", "2.5", "-3e2", "", "x", '"4"', '"a\nb"', '"a\r\n""b"', '"a,b"', " 5 ", '"', '"6"7', 'a"b', "1e999", "é"]
NUMBERS = st.sampled_from(["1", "-2.5", "3e2", " 5 ", "-0", "0.1e-7", "12345678901234567890123"])
GOOD = st.tuples(NUMBERS, NUMBERS | st.just('"4"')).map(",".join) | st.tuples(NUMBERS, NUMBERS).map(",".join)
ODD = st.lists(st.sampled_from(CELLS), max_size=3).map(",".join) | st.just(LARGE.decode())
HEADERS = st.sampled_from(
    ["area,rooms", "rooms,area", "area,rooms,x", '"area",rooms', "area", "area,area", "1,2", "", '"ar\nea",area,rooms']
)
ENDS = st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\n\r"])


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A CSV, often with something wrong."""
    lines = [*draw(st.lists(GOOD, max_size=12)), *draw(st.lists(ODD, max_size=2))]
    text = draw(ENDS).join([draw(HEADERS), *draw(st.permutations(lines))]) + draw(st.sampled_from(["", "\n", "\r"]))
    body = draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + text.encode()
    place = draw(st.integers(0, len(body)))
    return body[:place] + draw(st.sampled_from([b"", b"", b"\xff", b"\xc3", b"\r", b'"'])) + body[place:]


def read_whole(data: bytes) -> list[Row] | str:
    """The rows, or the first error, read from the whole text at once."""
    table = CsvTable(ACCEPTED)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        return f"not UTF-8 (byte {error.start})"
    lines = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        rows = [row for cells in lines if cells and (row := table.row(cells)) is not None]
        table.check_end()
    except csv.Error:
        return f"not CSV (line {lines.line_num})"
    except PredictionRefusal as refusal:
        return message_of(refusal)
    return rows


def read_parts(parts: Iterable[bytes], order: tuple[str, str] | None = None) -> list[Row] | str:
    """The same of a body in parts. Rows that came in this order have their names again."""
    stream = CsvStream(ASKED, CsvTable(ACCEPTED, order), MIB)
    rows: list[Row] = []
    try:
        for part in parts:
            for block in stream.feed(part):
                rows += block
        for block in stream.finish():
            rows += block
    except PredictionRefusal as refusal:
        return message_of(refusal)
    return [row if isinstance(row, dict) else dict(zip(order or (), row, strict=True)) for row in rows]


def bits(found: list[Row] | str) -> Any:
    """Rows whose numbers differ if one bit does, as that of -0 and 0, or the error."""
    return found if isinstance(found, str) else [sorted((k, v.hex()) for k, v in dict(row).items()) for row in found]


@settings(max_examples=400)
@given(
    body=bodies(),
    order=st.sampled_from([None, ("area", "rooms"), ("rooms", "area")]),
    cuts=st.lists(st.integers(0, 150), max_size=8),
    piece=st.sampled_from([1, 7, 1 << 15]),
)
def test_rows_of_parts_are_those_of_the_whole(body: bytes, order: Any, cuts: list[int], piece: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_stream, "PIECE", piece)
        patch.setattr(csv_stream, "BLOCK_ROWS", 3)
        assert bits(read_parts(cut(body, cuts), order)) == bits(read_whole(body))


@pytest.mark.parametrize(
    "body",
    [
        b"area,rooms\r\n1,2\r\n3,4",
        b"area,rooms\r1,2\r\r3,4\r",
        b'area,rooms\r\n1,2\r\n3,"4"5\r\n',
        b'area,note,rooms\n1,"a\r\nb ""c""\n",2\n3,"",4\n',
        "\ufeffarea,rooms,é\n1,2,é\n".encode(),
        b"area,rooms\n1,2\n3,x\n5,\xc3\x28\n",
        b'area,rooms\n1,"2\n"x\n3,4\n',
        b"area,rooms\n1,2\n3,\xe2\x82",
    ],
)
def test_every_cut_of_a_body_gives_the_same(body: bytes) -> None:
    expected = read_whole(body)
    every = [(first, second) for first in range(len(body) + 1) for second in range(first, len(body) + 1)]
    assert [read_parts(cut(body, cuts)) for cuts in every] == [expected] * len(every)
    assert read_parts(body[number : number + 1] for number in range(len(body))) == expected


def call_of(**headers: str) -> Call:
    """A call without its body."""
    sent = {"content_type": "text/csv", **headers}
    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in sent.items()]
    return Call("POST", fields, dict(fields), "192.0.2.1", b"")


GONE = document(
    "homes", split=[("v2", 5000)], header="X-User-Id", versions={"v1": {"area": 2.0, "rooms": 10.0}},
    named={"v2": ("area", "rooms")},
)  # fmt: skip
SPLIT = document("homes", split=[("v2", 5000)], header="X-User-Id")
OF_ONE = document("homes", versions={"v1": {"area": 2.0}})


@pytest.mark.parametrize("blocks", [LOADED, Blocks(lambda _: None)], ids=["numpy", "no numpy"])
@settings(max_examples=60)
@given(
    body=bodies(),
    route=st.sampled_from([SPLIT, GONE, OF_ONE]),
    accept=st.sampled_from(["*/*", "text/csv"]),
    headers=st.sampled_from([{}, {"x_user_id": "user-1"}, {"x_user_id": "user-2"}, {"content_encoding": "gzip"}]),
    version=st.sampled_from([None, "v2", "v9"]),
    cuts=st.lists(st.integers(1, 150), max_size=8),
)
async def test_answer_to_a_csv_in_parts_is_that_to_the_whole(
    blocks: Blocks, body: bytes, route: RouteDocument, accept: str, headers: Any, version: Any, cuts: list[int]
) -> None:
    loaded = replace(await serving(route), blocks=blocks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_stream, "PIECE", 12)
        patch.setattr(csv_stream, "BLOCK_ROWS", 2)
        patch.setattr("linplane_server.predict.rows.BLOCK_ROWS", 2)
        call = call_of(accept=accept, **headers)
        streamed, whole = both(loaded, Target(MLFLOW, "homes", version), call, cut(body, cuts))
    assert streamed == whole


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        (b"1,x\n", b"row 601, column rooms: a finite number is needed"),
        (b"1,\xff\n", b"not UTF-8 (byte %d)"),
        (b"1,2\n" * 900, b"row 300: the prediction is not a finite number"),
    ],
)
async def test_what_cannot_be_decoded_is_refused_before_what_cannot_be_computed(rest: bytes, message: bytes) -> None:
    begun = b"area,rooms\n" + b"1,2\n" * 299 + LARGE + b"\n" + b"1,2\n" * 300
    loaded = replace(await serving(document("homes")), blocks=LOADED)
    body = begun + rest
    streamed, whole = both(loaded, Target(MLFLOW, "homes"), call_of(), cut(body, range(100, len(body), 100)))
    assert streamed == whole
    assert whole[0][0] == 400
    assert (message.replace(b"%d", b"%d" % (len(begun) + 2))) in whole[0][2]


def table(rows: int, columns: int = 2) -> bytes:
    """A CSV with so many rows, and further columns that no route has."""
    names = ["area", "rooms", *(f"x{number}" for number in range(columns - 2))]
    return b"\n".join([",".join(names).encode(), *[b",".join([b"1.25"] * columns)] * rows, b""])


@pytest.mark.parametrize(("rows", "columns"), [(200_000, 2), (3_000, 500)])
async def test_rows_of_a_csv_are_held_only_until_they_are_computed(rows: int, columns: int) -> None:
    loaded = replace(await serving(document("homes")), blocks=LOADED)
    body = table(rows, columns)
    assert len(body) > MIB
    predictor = Client(loaded).predictor
    parts = cut(body, range(50_000, len(body), 50_000))
    *steps, answer = steps_of(predictor.stream(Target(MLFLOW, "homes"), call_of()), parts)
    held = [step for step in steps if step is not None]
    assert max(held) <= max(BLOCK_BYTES, BLOCK_ROWS * columns) + PIECE + 8 * rows
    assert steps.count(None) >= len(body) // PIECE
    assert answer[0] == 200
    assert answer[2].count(b",") == rows - 1


async def test_row_of_a_csv_is_bounded() -> None:
    predictor = Client(await serving(document("homes"))).predictor
    body = b"area,rooms\n" + b"1" * 3_000
    call = with_fields(call_of(), max_body=2_000)
    *steps, answer = steps_of(predictor.stream(Target(MLFLOW, "homes"), call), cut(body, range(100, 3_000, 100)))
    assert answer[0] == 413
    assert b"a row of the CSV is over 2000 bytes" in answer[2]
    assert len(steps) < 25


async def test_quoted_cell_of_many_lines_is_read_few_times() -> None:
    read: list[int] = []

    class Counting(CsvStream):
        def _read_cells(self, text: str, *, last: bool) -> str:
            read.append(len(text))
            return super()._read_cells(text, last=last)

    stream = Counting(ASKED, CsvTable(ACCEPTED), MIB)
    body = b'area,rooms,note\n1,2,"' + b"\n" * 100_000 + b'"\n3,4,5\n'
    rows = [row for part in cut(body, range(0, len(body), 50)) for block in stream.feed(part) for row in block]
    rows += [row for block in stream.finish() for row in block]
    assert rows == [{"area": 1.0, "rooms": 2.0}, {"area": 3.0, "rooms": 4.0}]
    assert sum(read) < 4 * len(body)


async def test_csv_with_a_split_by_its_values_takes_the_whole() -> None:
    loaded = replace(await serving(SPLIT), blocks=LOADED)
    body = table(400)
    streamed, whole = both(loaded, Target(MLFLOW, "homes"), call_of(), cut(body, range(0, len(body), 500)))
    assert streamed == whole
    call = with_fields(call_of(), max_body=2_000)
    *_, answer = steps_of(
        Client(loaded).predictor.stream(Target(MLFLOW, "homes"), call), cut(body, range(0, len(body), 500))
    )
    assert answer[0] == 413


async def test_csv_without_weights_is_refused_after_its_end() -> None:
    gone = Unavailable("CurrentFrozen", "v1 is frozen")
    loaded = await serving(
        document("homes", current="v1", versions={}, unavailable=gone, named={"v1": ("area", "rooms")})
    )
    streamed, whole = both(loaded, Target(MLFLOW, "homes"), call_of(), cut(table(9), range(0, 90, 10)))
    assert streamed == whole
    assert whole[0][0] == 503
