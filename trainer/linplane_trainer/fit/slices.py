"""Columns of doubles cut into slices of 22 bits, whose products BLAS adds up without rounding.

A double is an integer times a power of two. A slice is a matrix of integers of at most 2^21 in size, so each entry of
the product of two slices over 1,024 rows is at most 2^52: `dgemm` rounds nothing, in any order of summation,
with or without fused multiply-add. This is the error-free transformation of K. Ozaki, T. Ogita, S. Oishi, S. Rump,
"Error-free transformations of matrix multiplication by using fast routines of matrix multiplication and its
applications", Numerical Algorithms 59 (2012) 95.
"""

import numpy as np
from numpy.typing import NDArray

from ..batch import Floats
from ..errors import TrainingFailed

BITS = 22
ROWS = 1024
"""The most rows of a product of slices: 2 (BITS - 1) + log2(ROWS) <= 53."""
HALF = 2.0 ** (BITS - 1)
STEP = 2.0**BITS
SIGNIFICAND = 53


class Grid:
    """How similar rows are cut: slice s of column j is in units of 2^(top_j - 21 - 22 s).

    Columns are sorted by how many slices they need, so that slice s is that of the first `counts[s]` of them; all
    slices are one above the other, `width` in all. `offsets[s]` is the first of slice s.
    """

    def __init__(self, columns: Floats, share: float) -> None:
        """A grid for `columns`, shape (columns, n), n at least 1: at least `share` of the n rows fit, 1 is all."""
        self.tops = np.frexp(np.abs(columns).max(axis=1))[1].astype(np.int64) + 1  # one bit to spare
        needed = _slices_needed(columns, self.tops[:, None])
        slices = needed.max(axis=1)
        if share < 1:
            slices = _fewer(needed, slices, share)
        self.order = np.argsort(-slices, kind="stable")
        self.is_sorted = bool((np.diff(self.order) > 0).all())
        self.counts = [int((slices > level).sum()) for level in range(int(slices.max()))]
        self.offsets = np.concatenate(([0], np.cumsum(self.counts)))
        self.scales = np.ldexp(HALF, -self.tops[self.order].astype(np.int32))[:, None]
        self.width = int(self.offsets[-1])
        self.scales_down = bool((self.scales < 1).any())
        """Whether a tiny number could be rounded by the scaling."""

    def cut(self, columns: Floats, rest: Floats, slices: Floats) -> NDArray[np.bool_] | None:
        """Cuts `columns`, shape (columns, n), into `slices`, shape (width, n); `rest`, shaped as `columns`, is scratch.

        Returns which of the n rows do not fit, whose slices are zero then; None if all fit. Each step is exact:
        products with powers of two (a row with one that overflows does not fit), and the remainder of a rounding.
        Columns lie one after another in memory, since one long loop takes half the time of a short one for each row.
        """
        with np.errstate(over="ignore"):
            np.multiply(columns if self.is_sorted else columns[self.order], self.scales, out=rest)
        outside: NDArray[np.bool_] | None = None
        if rest.max() > HALF or rest.min() < -HALF:
            outside = _in_any_column(np.abs(rest) > HALF)
            rest[:, outside] = 0
        for level, count in enumerate(self.counts):
            part = slices[self.offsets[level] : self.offsets[level + 1]]
            np.rint(rest[:count], out=part)
            np.subtract(rest[:count], part, out=rest[:count])
            if level + 1 < len(self.counts):
                finer = rest[: self.counts[level + 1]]
                np.multiply(finer, STEP, out=finer)
        if rest.any():  # bits below the last slice
            below = _in_any_column(rest != 0)
            slices[:, below] = 0
            if outside is not None:
                below |= outside
            return below
        return outside


def _in_any_column(cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(cells.any(axis=0))


def _slices_needed(numbers: Floats, tops: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many slices each number needs, from its column's top down to its lowest bit; shape of `numbers`."""
    significands, exponents = np.frexp(numbers)
    integers = np.abs(np.ldexp(significands, SIGNIFICAND)).astype(np.int64)
    lowest = np.frexp((integers & -integers).astype(np.float64))[1] - 1
    last_bit = exponents.astype(np.int64) - SIGNIFICAND + lowest
    needed = -(-(tops - last_bit + 1) // BITS)  # rounded up; one bit is the sign's
    return np.where(integers == 0, 1, np.maximum(needed, 1))


def _fewer(needed: NDArray[np.int64], slices: NDArray[np.int64], share: float) -> NDArray[np.int64]:
    """The fewest slices for each column with which `share` of the rows fit."""
    for most in range(1, int(slices.max())):
        fewer = np.minimum(slices, most)
        if (needed <= fewer[:, None]).all(axis=0).mean() >= share:
            return fewer
    return slices


def check_products() -> None:
    """Raises TrainingFailed if this machine's BLAS rounds a product of slices at their bound."""
    signs = np.where(np.arange(ROWS * 3).reshape(ROWS, 3) % 7 % 2 == 0, 1, -1)
    signs[:, 0] = 1
    slices = signs * int(HALF) - np.arange(3) * np.sign(signs)
    exact = slices.T @ slices  # of integers
    if (_product(slices.astype(np.float64)).astype(np.int64) != exact).any():
        raise TrainingFailed("this machine's linear algebra is not exact: it does not compute in IEEE doubles")


def _product(slices: Floats) -> Floats:
    return slices.T @ slices
