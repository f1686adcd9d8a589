"""Quantiles of Student's t distribution, by FLINT's incomplete beta function."""

import flint

BITS = 192
STEPS = 128


def student_quantile(level: float, degrees: int) -> float:
    """The t that a variable with `degrees` degrees of freedom, at least 1, does not exceed with the probability
    `level`, from 0.5 to 1.


    P(T > t) = I_x(degrees / 2, 1 / 2) / 2 with x = degrees / (degrees + t^2) (Abramowitz and Stegun, Handbook of
    Mathematical Functions, 26.7.1 and 26.5.27); x is found by bisection.
    """
    with flint.ctx.workprec(BITS):
        count, half, tails = flint.arb(degrees), flint.arb(1) / 2, 2 * (1 - flint.arb(level))
        low, high = flint.arb(0), flint.arb(1)
        for _ in range(STEPS):
            middle = (low + high) / 2
            below = middle.beta_lower(count / 2, half, regularized=True) < tails
            low, high = (middle, high) if below else (low, middle)
        return float((count * (1 - high) / high).sqrt().mid())
