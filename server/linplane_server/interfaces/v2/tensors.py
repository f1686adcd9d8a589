"""The data of a tensor as numbers. Nothing is allocated by the shape that a client states: it is compared with the data
that came.
"""

import math
from array import array
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from ...errors import Invalid
from ...predict.rows import NOT_FINITE
from .messages import Data, Number

BOOL = "BOOL"
HALF = "FP16"


class Datatype(NamedTuple):
    """A datatype of the protocol. `code` is that of `struct` and `array`, `size` in bytes; `bounds` of an integer."""

    code: str
    size: int
    bounds: tuple[int, int] | None = None


def _integer(code: str, bits: int, *, signed: bool) -> Datatype:
    low = -(1 << bits - 1) if signed else 0
    return Datatype(code, bits // 8, (low, low + (1 << bits) - 1))


DATATYPES = {
    BOOL: Datatype("B", 1, (0, 1)),
    "UINT8": _integer("B", 8, signed=False),
    "UINT16": _integer("H", 16, signed=False),
    "UINT32": _integer("I", 32, signed=False),
    "UINT64": _integer("Q", 64, signed=False),
    "INT8": _integer("b", 8, signed=True),
    "INT16": _integer("h", 16, signed=True),
    "INT32": _integer("i", 32, signed=True),
    "INT64": _integer("q", 64, signed=True),
    HALF: Datatype("e", 2),
    "FP32": Datatype("f", 4),
    "FP64": Datatype("d", 8),
}
"""Every datatype with numbers, so all but BYTES."""


def datatype_named(name: str, place: str) -> Datatype:
    """Returns the datatype. Raises Invalid for one that has no numbers."""
    found = DATATYPES.get(name)
    if found is None:
        raise Invalid(f"{place}/datatype", f"one of {', '.join(DATATYPES)} is needed")
    return found


def element_count(shape: Sequence[int], place: str) -> int:
    """Returns the product of the dimensions. Raises Invalid for a shape other than [n] or [n, width]."""
    if not 1 <= len(shape) <= 2:
        raise Invalid(f"{place}/shape", f"one or two dimensions are needed, [n] or [n, width]; {len(shape)} are given")
    if min(shape) < 0:
        raise Invalid(f"{place}/shape", "a dimension is negative")
    return math.prod(shape)


def json_values(data: Data, shape: Sequence[int], name: str, place: str) -> list[float]:
    """Returns the values of a tensor given as JSON, row by row, as its datatype `name` has them: an FP32 value is
    rounded to FP32, as it would be in binary. Raises Invalid.
    """
    place = f"{place}/data"
    flat = _flat(data, shape, place)
    kinds = set(map(type, flat))
    if name == HALF:
        raise Invalid(place, "FP16 has no form in JSON; send it as binary data")
    if name == BOOL and not kinds <= {bool}:
        raise Invalid(place, "a BOOL tensor needs booleans, not numbers")
    if name != BOOL and bool in kinds:
        raise Invalid(place, "a boolean in a tensor of numbers")
    bounds = DATATYPES[name].bounds
    if bounds is not None:
        _check_integers(flat, bounds, whole=float not in kinds, place=place)
    if kinds == {float} and name == "FP64":
        return flat
    try:
        values = array("f", flat).tolist() if name == "FP32" else list(map(float, flat))
    except OverflowError:
        raise Invalid(place, OUT_OF_RANGE) from None
    if name == "FP32":
        check_finite(values, place)
    return values


OUT_OF_RANGE = "a value is out of the range of the datatype"


def check_finite(values: Sequence[float], place: str) -> None:
    """Raises Invalid for NaN and infinities."""
    if not all(map(math.isfinite, values)):
        raise Invalid(place, NOT_FINITE)


def _flat(data: Data, shape: Sequence[int], place: str) -> list[Number]:
    if data and isinstance(data[0], list):
        if set(map(type, data)) != {list} or [len(data), *set(map(len, data))] != list(shape):  # type: ignore[arg-type]
            raise Invalid(place, "the nested data does not have the shape")
        return list(chain.from_iterable(data))  # type: ignore[arg-type]
    if list in set(map(type, data)):
        raise Invalid(place, "the data is neither flat nor nested like the shape")
    if len(data) != math.prod(shape):
        raise Invalid(place, f"the shape needs another number of values; {len(data)} are given")
    return data  # type: ignore[return-value]


def _check_integers(values: Sequence[Number], bounds: tuple[int, int], *, whole: bool, place: str) -> None:
    """`whole` is True if no value is written as a fraction; 3.0 is an integer too."""
    if not whole and not all(isinstance(value, int) or value.is_integer() for value in values):
        raise Invalid(place, "an integer is needed")
    if values and not (bounds[0] <= min(values) and max(values) <= bounds[1]):
        raise Invalid(place, OUT_OF_RANGE)
