"""The doubles nearest to exact numbers, and to numbers of which a ball is known.

Ties go to even, as IEEE 754 has it. Python divides integers with one rounding, also to subnormal numbers.
"""

import math
from fractions import Fraction

from flint import arb

from .sums import scaled

PRECISE = 64  # bits of a root's integer part: a double has 53, and one more decides its rounding


def nearest(value: Fraction) -> float:
    """The double nearest to `value`, never -0.0. Raises OverflowError."""
    return value.numerator / value.denominator + 0.0


def nearest_root(value: Fraction) -> float:
    """The double nearest to the square root of `value`, which is not negative. Raises OverflowError."""
    missing = PRECISE - (value.numerator.bit_length() - value.denominator.bit_length()) // 2
    numerator, denominator = value.numerator, value.denominator
    if missing >= 0:
        numerator <<= 2 * missing
    else:
        denominator <<= -2 * missing
    root = math.isqrt(numerator // denominator)
    inexact = int(root * root * denominator != numerator)  # a bit below the others, which only breaks ties
    return nearest(scaled(2 * root + inexact, -missing - 1))


def nearest_in_ball(ball: arb, exponent: int) -> float | None:
    """The double that every number of `ball * 2 ** exponent` rounds to; None if the ball is too large to say."""
    if not ball.is_finite():
        return None
    middle, radius = _exact(ball.mid()), _exact(ball.rad())
    unit = scaled(1, exponent)
    try:
        low, high = nearest((middle - radius) * unit), nearest((middle + radius) * unit)
    except OverflowError:
        return None
    return low if low == high else None


def _exact(value: arb) -> Fraction:
    """A ball without radius, as a fraction."""
    significand, exponent = value.man_exp()
    return scaled(int(significand), int(exponent))
