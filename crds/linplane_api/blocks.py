"""Predictions of a block of rows, each the same number as `artifact.predict` returns for that row alone.

The only module of the contract that needs numpy. Import it when the first block is there: that takes 0.1 s and 25 MB.

The sum of a row's terms t[1] ... t[m] is split without error by a power of two, sigma > m max|t|: the number
q = (sigma + t) - sigma is a multiple of u sigma, u = 2**-53, so the sum of all q is exact in any order, and the rest of
each term, t - q, is exact and at most u sigma (ExtractVector in Rump, Ogita and Oishi, Accurate floating-point
summation part I, SIAM J. Sci. Comput. 31, 2008, section 3). Each step is an operation of numpy by itself, so no two can
be fused.
"""

import math
from array import array
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from .artifact import PredictionError, RowError, predict

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

SLICE_PRODUCTS = 1 << 15
"""Products that are summed at a time: three arrays of a quarter of a megabyte, which stay in the second-level cache."""

GROUP_ROWS = 1 << 14
"""Rows, in whole slices, after which those that stay open are summed again, together."""

SMALLEST, LARGEST = 2.0**-900, 2.0**900
"""If the largest term is within them, no step of its row's sum overflows, and none of a slack underflows."""

UNIT_ROUNDOFF = 2.0**-53
"""Half the distance from 1 to the next number: u."""


def predict_block(coefficients: Sequence[float], intercept: float, block: Floats) -> Floats:
    """Returns the predictions, shape [n], of the rows of `block`, float64 of shape [n, p] with any strides.

    Each equals `predict(coefficients, intercept, row)` bit for bit. The terms are the same: the intercept, and products
    that are rounded once. Their sum is `high + low` with an error below `slack`; rounding is monotone, so the exact sum
    rounds as `high + (low - slack)` and `high + (low + slack)` do if these are equal. Rows for which they differ are
    summed again with a smaller slack, and the few that are open after that (cancellation, overflow, underflow,
    infinity, NaN) go through `predict`. Memory apart from the result does not grow with n.

    Raises RowError for the first row whose prediction is not finite, ValueError if p is not the number of coefficients.
    """
    if block.ndim != 2 or block.shape[1] != len(coefficients):
        raise ValueError("a block has one column for each coefficient")
    return _predict(_Slices(coefficients, intercept, min(len(block), slice_rows(len(coefficients)))), block)


def slice_rows(width: int) -> int:
    """Returns the number of rows of this width that are summed at a time."""
    return max(1, SLICE_PRODUCTS // max(1, width))


def _predict(slices: "_Slices", block: Floats) -> Floats:
    result = np.empty(len(block))
    step = slices.rows * max(1, GROUP_ROWS // slices.rows)
    with np.errstate(all="ignore"):  # what overflows stays open
        for start in range(0, len(block), step):
            group = block[start : start + step]
            values = result[start : start + len(group)]
            for row in slices.fill(values, group):
                try:
                    values[row] = predict(slices.coefficients, slices.intercept, group[row].tolist())
                except PredictionError:
                    raise RowError(start + row) from None
    return result


def predict_rows(coefficients: Sequence[float], intercept: float, rows: Sequence[Sequence[float]]) -> list[float]:
    """`predict_block` for rows of Python's own numbers. Raises as it does, ValueError also if rows differ in length."""
    width = len(coefficients)
    if any(len(row) != width for row in rows):
        raise ValueError("a row has one value for each coefficient")
    numbers = np.fromiter(chain.from_iterable(rows), np.float64, len(rows) * width)
    values: list[float] = predict_block(coefficients, intercept, numbers.reshape(len(rows), width)).tolist()
    return values


def predict_raw(
    coefficients: tuple[float, ...], intercept: float, raw: bytes | bytearray | memoryview, code: str
) -> "array[float]":
    """`predict_block` for whole rows of little-endian numbers without padding, row-major; `code` is that of `struct`.
    A number that is no double is rounded to the nearest one first. Raises as it does. For one thread: memory is kept
    from call to call.
    """
    block = np.frombuffer(raw, np.dtype("<" + code)).reshape(-1, len(coefficients))
    values = _predict(_kept_slices(coefficients, intercept), block.astype(np.float64, copy=False))
    return array("d", values.tobytes())


class _Slices:
    """The sums of a block, and the memory for a slice of `rows`."""

    def __init__(self, coefficients: Sequence[float], intercept: float, rows: int) -> None:
        self.coefficients, self.intercept, self.rows = coefficients, intercept, max(1, rows)
        self._weights = np.array(coefficients, dtype=np.float64)
        self._tiled = np.tile(self._weights, (self.rows, 1))  # numpy multiplies equal shapes faster than it broadcasts
        self._products, self._multiples = np.empty_like(self._tiled), np.empty_like(self._tiled)

    def fill(self, values: Floats, group: Floats) -> list[int]:
        """Writes the predictions of a group into `values`, and returns the numbers of the rows that stay open."""
        still_open = np.empty(len(group), dtype=np.bool_)
        for start in range(0, len(group), self.rows):
            part = slice(start, start + self.rows)
            still_open[part] = self._sum_slice(group[part], values[part])
        numbers = np.flatnonzero(still_open)
        left: list[int] = []
        for start in range(0, len(numbers), self.rows):
            few = numbers[start : start + self.rows]
            terms = np.column_stack((group[few] * self._weights, np.full(len(few), self.intercept)))
            sums = np.empty(len(few))
            left += few[_sum_rows(terms, sums)].tolist()
            values[few] = sums
        return left

    def _sum_slice(self, rows: Floats, sums: Floats) -> Flags:
        """Writes the rounded sum of each row's m terms into `sums`; True marks rows that stay open.

        One sigma for all rows, since numpy adds one number faster than one a row. The rest of m terms, each at most u
        sigma, is summed with an error of at most m**2 u**2 sigma, in any order (Higham, Accuracy and Stability of
        Numerical Algorithms, 2nd edition, section 4.2), and `low` with its slack is rounded by at most 2 m u**2 sigma.
        """
        products = np.multiply(rows, self._tiled[: len(rows)], out=self._products[: len(rows)])
        m, bound = products.shape[1] + 1, abs(self.intercept)
        largest = max(float(products.max(initial=bound)), -float(products.min(initial=-bound)))  # NaN if a product is
        if not SMALLEST <= largest <= LARGEST:
            return np.ones(len(rows), dtype=np.bool_)
        sigma = math.ldexp(1.0, math.frexp(largest)[1] + m.bit_length())
        multiple = (sigma + self.intercept) - sigma
        high = _split(products, sigma, self._multiples[: len(rows)]) + multiple
        low = _row_sums(products) + (self.intercept - multiple)
        return _round(high, low, 4 * m * m * UNIT_ROUNDOFF * UNIT_ROUNDOFF * sigma, sums)


def _sum_rows(terms: Floats, sums: Floats) -> Flags:
    """As `_sum_slice` for rows of m terms, with a sigma for each row, and with the rests split as well. If nothing is
    left of them, `high + low` is exact and the slack 0, which settles a sum in the middle of two numbers; else the
    error of `low` is at most m u**2 sigma. Overwrites `terms`.
    """
    m = terms.shape[1]
    largest = np.abs(terms).max(axis=1, keepdims=True)
    sigma = np.ldexp(1.0, np.frexp(largest)[1] + m.bit_length())
    multiples = np.empty_like(terms)
    high = _split(terms, sigma, multiples)
    low = _split(terms, sigma * 2.0 ** (m.bit_length() - 53), multiples) + _row_sums(terms)
    slack = np.where(terms.any(axis=1), 4 * m * UNIT_ROUNDOFF * UNIT_ROUNDOFF * sigma[:, 0], 0.0)
    still_open = _round(high, low, slack, sums)
    still_open |= ~((largest[:, 0] >= SMALLEST) & (largest[:, 0] <= LARGEST))  # so that NaN is outside
    return still_open


@lru_cache(1)
def _kept_slices(coefficients: tuple[float, ...], intercept: float) -> _Slices:
    """Keeps the memory of the last model, which a body that comes in small blocks needs again and again."""
    return _Slices(coefficients, intercept, slice_rows(len(coefficients)))


def _split(terms: Floats, sigma: Floats | float, multiples: Floats) -> Floats:
    """Returns the exact sum of each row's q, and leaves the rests in `terms`; `multiples` is overwritten."""
    np.add(terms, sigma, out=multiples)
    np.subtract(multiples, sigma, out=multiples)
    np.subtract(terms, multiples, out=terms)
    return _row_sums(multiples)


def _row_sums(terms: Floats) -> Floats:
    sums: Floats = np.einsum("ij->i", terms)  # half the time of sum(axis=1) for short rows
    return sums


def _round(high: Floats, low: Floats, slack: Floats | float, sums: Floats) -> Flags:
    """Writes `high + low`, rounded once, into `sums`. True marks a row for which that is not certain."""
    np.add(high, low - slack, out=sums)
    uncertain: Flags = sums != high + (low + slack)
    return uncertain
