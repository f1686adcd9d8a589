"""Decodes a large body of JSON in pieces, each as a body of its own."""

from collections.abc import Callable, Generator, Iterator, Sequence

from msgspec.structs import replace

from ..predict.interface import Asked, Call, NotStreamed, Pieces, Slices
from ..predict.pieces import Form, cut
from ..predict.rows import BLOCK_ROWS, Row


def open_forms(decode: Callable[[Call], Slices[Asked]], call: Call, forms: Sequence[Form]) -> Pieces:
    """Opens a body of one of the forms, see `Interface.open_pieces`; `decode` is that of the interface."""
    *bodies, last = cut(call.body(), forms)
    if not bodies:
        raise NotStreamed
    yield
    asked = yield from decode(replace(call, data=last))
    return replace(asked, rows=()), _blocks(decode, call, bodies, asked.rows)


def _blocks(
    decode: Callable[[Call], Slices[Asked]], call: Call, bodies: Sequence[bytes], last: Sequence[Row]
) -> Iterator[Sequence[Row]]:
    rows: list[Row] = []
    for body in bodies:
        rows += (yield from _in_turns(decode(replace(call, data=body)))).rows
        yield ()
        if len(rows) >= BLOCK_ROWS:
            yield rows
            rows.clear()
    yield [*rows, *last]


def _in_turns(work: Slices[Asked]) -> Generator[Sequence[Row], None, Asked]:
    try:
        while True:
            next(work)
            yield ()
    except StopIteration as done:
        asked: Asked = done.value
        return asked
