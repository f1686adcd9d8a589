"""A provisional centre and scale for each column, from the first rows, so that columns of very different size keep
their digits.

Scales are powers of two and centres short multiples of them: then scaling is exact, and subtracting the centre mostly
is, so neither costs the accuracy that they are to keep. They need not be good: the factor that follows is exact for
any centre (Householder reflections take the rest of the mean out of the column of ones), and column scaling does
not change a QR.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ...batch import Floats

GRID = 2.0**20  # centres are multiples of scale / GRID


@dataclass(frozen=True)
class Scaling:
    """`scaled = value / 2**exponent - offset`, column by column; both of shape (columns,)."""

    exponents: NDArray[np.int32]
    offsets: Floats

    def apply(self, values: Floats) -> Floats:
        """Scales rows of shape (n, columns)."""
        return np.ldexp(values, -self.exponents) - self.offsets

    def centre(self, column: int) -> Fraction:
        """The centre in units of the data, exactly."""
        return Fraction(float(self.offsets[column])) * Fraction(2) ** int(self.exponents[column])


def scaling_for(values: Floats, centred: bool) -> Scaling:
    """From rows of shape (n, columns), n at least 1; all finite. Without `centred` (a fit through the origin) every
    offset is 0.

    Centred, the scale is the range's half and the centre the mean; a column that is constant so far is centred on its
    value.
    """
    low, high = values.min(axis=0), values.max(axis=0)
    largest = np.maximum(np.abs(low), np.abs(high))
    constant = low == high
    size = np.where(constant, largest, high / 2 - low / 2) if centred else largest
    exponents = np.frexp(np.where(size > 0, size, 1.0))[1].astype(np.int32)
    if not centred:
        return Scaling(exponents, np.zeros(values.shape[1]))
    middle = np.ldexp(values, -exponents).mean(axis=0)
    return Scaling(exponents, np.where(constant, np.ldexp(low, -exponents), np.rint(middle * GRID) / GRID))
