"""Binary tensor data: after the JSON of a body the raw tensors follow, in the order of `inputs` or `outputs`. Elements
are little-endian, row-major and without padding; BOOL takes a byte.
"""

import struct
import sys
from array import array
from collections.abc import Sequence
from itertools import chain

from msgspec import UNSET

from ...errors import Invalid, Malformed
from ...predict.interface import Content
from .messages import InputTensor
from .tensors import BOOL, Datatype, check_finite

HEADER = b"inference-header-content-length"
"""The length of the JSON, in bytes. A body without this header is JSON only, whatever its Content-Type says: one real
client declares JSON as application/octet-stream, and another declares nothing.
"""

SIZE = "binary_data_size"
"""Parameter of a tensor: the number of its bytes after the JSON."""

SLICE = 1 << 17
"""Numbers of an answer that are made bytes at once: a fifth of a millisecond."""


def split_body(body: bytes, declared: bytes | None) -> tuple[bytes, memoryview | None]:
    """Returns the JSON, and the rest; None without the header, whose value is `declared`. Raises Malformed."""
    if declared is None:
        return body, None
    if not declared.isdigit() or len(declared) > 18 or not 0 < int(declared) <= len(body):
        raise Malformed("Inference-Header-Content-Length is not the length of a JSON part of the body")
    length = int(declared)
    return body[:length], memoryview(body)[length:]


def raw_places(inputs: Sequence[InputTensor], length: int | None) -> list[slice | None]:
    """Returns the place of each tensor in the `length` bytes after the JSON, which is None without the header; None for
    a tensor given as JSON. Raises Invalid if the sizes are not those of the rest, or if a tensor is given in both ways,
    or in none.
    """
    start = 0
    result: list[slice | None] = []
    for number, tensor in enumerate(inputs):
        place = f"/inputs/{number}"
        size = (tensor.parameters or {}).get(SIZE)
        has_data = tensor.data is not UNSET and tensor.data is not None
        if (size is not None) is has_data:
            raise Invalid(place, f"either data or the parameter {SIZE} is needed")
        if size is None:
            result.append(None)
            continue
        if type(size) is not int or size < 0:
            raise Invalid(f"{place}/parameters/{SIZE}", "a number of bytes is needed")
        if length is None:
            raise Invalid(place, "binary data needs the header Inference-Header-Content-Length")
        if size > length - start:
            raise Invalid(place, "the body ends before the data of this tensor")
        result.append(slice(start, start + size))
        start += size
    if length is not None and start != length:
        raise Invalid("", "the body has more bytes than its tensors")
    return result


def check_size(size: int, count: int, datatype: Datatype, place: str) -> None:
    """Raises Invalid if a tensor of `count` elements does not have this size in bytes."""
    if size != count * datatype.size:
        raise Invalid(place, "the number of bytes is not that of the shape")


def binary_values(raw: memoryview, count: int, name: str, datatype: Datatype, place: str) -> list[float]:
    """Returns the values of a tensor given as bytes, row by row. Raises Invalid."""
    check_size(len(raw), count, datatype, place)
    values = list(map(float, struct.unpack(f"<{count}{datatype.code}", raw)))
    if name == BOOL and values and max(values) > 1:
        raise Invalid(place, "a BOOL element is a byte of 0 or 1")
    if datatype.bounds is None:
        check_finite(values, place)
    return values


def binary_content(text: bytes, values: Sequence[float]) -> Content:
    """Returns a body: JSON, and the bytes of an FP64 tensor."""
    if len(values) <= SLICE:
        return text + to_binary(values)
    return chain([text], (to_binary(values[begin : begin + SLICE]) for begin in range(0, len(values), SLICE)))


def to_binary(values: Sequence[float]) -> bytes:
    """Returns the bytes of an FP64 tensor."""
    numbers = array("d", values)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()
