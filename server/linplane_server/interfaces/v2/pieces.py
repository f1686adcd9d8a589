"""The tensors of a large request that is held as a whole, decoded in pieces: pure.

The arrays of `data` are cut out of the JSON, which is small without them. Each is decoded a piece at a time, and the
numbers are kept in one array of doubles for each tensor, which is smaller than the text of most of them.
"""

import re
from array import array
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from ...predict.interface import NotStreamed
from ...predict.matrix import Matrix
from ...predict.rows import BLOCK_ROWS, Row
from ...state.snapshot import Route
from ..json_body import REFUSED
from .binary import binary_values, to_binary
from .head import Head, check_tensor
from .messages import Data, InputTensor
from .tensors import json_values

PIECE = 1 << 14
"""Bytes of JSON, or numbers in binary, that are decoded at once: a millisecond for numbers of one digit."""

WINDOW = 1 << 16
"""Bytes in which the end of an array is looked for at once."""

REST = 1 << 17
"""Bytes of JSON without the data up to which a request is decoded in pieces. Most have a few hundred."""

BLOCK_NUMBERS = 1 << 13
"""Numbers of the rows that are computed at once, if these are at least BLOCK_ROWS."""

_BLANK = rb"[ \t\r\n]*"
_DATA = re.compile(rb'"data"(?<!\\"data")' + _BLANK + b":" + _BLANK + rb"\[")
_NESTED = re.compile(_BLANK + rb"\[")
_END_OF_NESTED = re.compile(rb"\]" + _BLANK + rb"\]")
_BETWEEN_NUMBERS = re.compile(b"(),")
_BETWEEN_ROWS = re.compile(rb"(\])" + _BLANK + b"," + _BLANK + rb"(?=\[)")
_decode = msgspec.json.Decoder(Data).decode


Numbers = Iterator[list[float]]
"""The numbers of a tensor, in pieces."""


class Text(NamedTuple):
    """JSON without its data: array number k is `[k]` in `rest`, and `places` has the bytes within its brackets."""

    rest: bytes
    places: Sequence[slice]

    def is_data_of(self, inputs: Sequence[InputTensor]) -> bool:
        """Returns whether the arrays are the data of these tensors, in order, and of nothing else."""
        return [tensor.data for tensor in inputs if tensor.data] == [[number] for number in range(len(self.places))]


def without_data(text: bytes) -> Generator[None, None, Text]:
    """Cuts the arrays out; yields between slices of work. Raises NotStreamed if that cannot be done, or leaves much."""
    rest, places, at = bytearray(), list[slice](), 0
    while (found := _DATA.search(text, at)) is not None and len(rest) <= REST:
        begin = found.end()
        end = yield from _end_of_array(text, begin)
        rest += b"%b%d" % (text[at:begin], len(places))
        places.append(slice(begin, end))
        at = end
    rest += text[at:]
    if len(rest) > REST or (places and b"\\u" in rest):  # a name that is escaped could be another `data`
        raise NotStreamed
    return Text(bytes(rest), places)


def _end_of_array(text: bytes, begin: int) -> Generator[None, None, int]:
    """Returns the place of the bracket that ends an array of numbers, or of arrays of numbers."""
    if not _NESTED.match(text, begin):
        end = text.find(b"]", begin)
        if end < 0:
            raise NotStreamed
        return end
    for start in range(begin, len(text), WINDOW):
        found = _END_OF_NESTED.search(text, start, start + 2 * WINDOW)
        if found is not None:
            return found.end() - 1
        yield
    raise NotStreamed


def json_numbers(text: bytes, place: slice, tensor: InputTensor, pointer: str) -> Numbers:
    """Yields the numbers of a tensor, whose data is at `place` of the text. Raises NotStreamed, and Invalid."""
    between = _BETWEEN_ROWS if _NESTED.match(text, place.start) else _BETWEEN_NUMBERS
    at, found = place.start, True
    while found:
        cut = between.search(text, at + PIECE, place.stop) if place.stop - at > 2 * PIECE else None
        found = cut is not None
        piece = text[at : place.stop if cut is None else cut.end(1)]
        try:
            data = _decode(b"[%b]" % piece)
        except REFUSED:
            raise NotStreamed from None
        if not data:  # a comma with nothing behind it
            raise NotStreamed
        nested = isinstance(data[0], list)
        yield json_values(data, [len(data), *(tensor.shape[1:] if nested else ())], tensor.datatype, pointer)
        at = 0 if cut is None else cut.end()


def binary_numbers(raw: memoryview, tensor: InputTensor, pointer: str) -> Numbers:
    """Yields the numbers of a tensor that is given as bytes. Raises Invalid."""
    datatype, count = check_tensor(tensor, slice(0, len(raw)), pointer)
    for begin in range(0, count, PIECE):
        size = min(PIECE, count - begin)
        piece = raw[begin * datatype.size : (begin + size) * datatype.size]
        yield binary_values(piece, size, tensor.datatype, datatype, pointer)


def numbers_of(head: Head, text: bytes, places: Sequence[slice], raw: Sequence[memoryview | None]) -> list[Numbers]:
    """Returns the numbers of each tensor. `places` are those of the data in `text`, `raw` the bytes of each tensor,
    None for one with data.
    """
    left = iter(places)
    return [
        json_numbers(text, next(left), tensor, f"/inputs/{number}")
        if data is None
        else binary_numbers(data, tensor, f"/inputs/{number}")
        for number, (tensor, data) in enumerate(zip(head.inputs, raw, strict=True))
    ]


def blocks(route: Route, head: Head, found: Sequence[Numbers]) -> Iterator[Sequence[Row]]:
    """Yields the rows of a request in blocks, and empty ones while its tensors are decoded. `found` are the numbers of
    each. Raises NotStreamed, and Invalid.
    """
    columns: dict[str, array[float]] = {}
    for number, (tensor, pieces) in enumerate(zip(head.inputs, found, strict=True)):
        _, count = check_tensor(tensor, head.places[number], f"/inputs/{number}")
        if head.matrix is None and not _is_column(tensor, route, columns):
            raise NotStreamed
        numbers = columns[tensor.name] = array("d")
        for piece in pieces:
            numbers.extend(piece)
            yield ()
        if len(numbers) != count:
            raise NotStreamed
    counts = set(map(len, columns.values()))
    if len(counts) != 1 or not max(counts):
        raise NotStreamed
    if head.matrix is not None:
        yield from _rows_of_matrix(next(iter(columns.values())), len(route.order or ()))
    else:
        yield from _rows_of_columns(columns, max(counts), route)


def _is_column(tensor: InputTensor, route: Route, before: Mapping[str, object]) -> bool:
    is_new = tensor.name in route.accepted and tensor.name not in before
    return is_new and (len(tensor.shape) == 1 or tensor.shape[1] == 1)


def _rows_of_matrix(numbers: Sequence[float], width: int) -> Iterator[Matrix]:
    step = max(BLOCK_ROWS, BLOCK_NUMBERS // width) * width
    for begin in range(0, len(numbers), step):
        yield Matrix(to_binary(numbers[begin : begin + step]), "d", width)


def _rows_of_columns(columns: Mapping[str, "array[float]"], count: int, route: Route) -> Iterator[Sequence[Row]]:
    """Yields the rows as a matrix if they have all features, else by name."""
    order = route.order if columns.keys() == route.accepted else None
    step = max(BLOCK_ROWS, BLOCK_NUMBERS // len(columns))
    for begin in range(0, count, step):
        parts = {name: column[begin : begin + step] for name, column in columns.items()}
        if order is None:
            yield [dict(zip(parts, row, strict=True)) for row in zip(*parts.values(), strict=True)]
            continue
        block = array("d", bytes(8 * len(order) * min(step, count - begin)))
        for number, name in enumerate(order):
            block[number :: len(order)] = parts[name]
        yield Matrix(to_binary(block), "d", len(order))
