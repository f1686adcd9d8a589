"""Quantiles of Student's t distribution, by FLINT's incomplete beta function."""

import flint

BITS = 128
STEPS = 64


def student_quantile(level: float, degrees: int) -> float:
    """The t that a variable with `degrees` degrees of freedom, at least 1, does not exceed with the probability
    `level`, from 0.6 to less than 1: near t = 0 the beta function takes long.

    P(T > t) = I_x(degrees / 2, 1 / 2) / 2 with x = degrees / (degrees + t^2) (Abramowitz and Stegun, Handbook of
    Mathematical Functions, 26.7.1 and 26.5.27); t is found by bisection.
    """
    with flint.ctx.workprec(BITS):
        count, half = flint.arb(degrees), flint.arb(1) / 2

        def is_beyond(t: flint.arb) -> bool:
            x = count / (count + t * t)
            return bool(x.beta_lower(count / 2, half, regularized=True) / 2 < 1 - flint.arb(level))

        low, high = flint.arb(0), flint.arb(2)
        while not is_beyond(high):
            low, high = high, 2 * high
        for _ in range(STEPS):
            middle = (low + high) / 2
            low, high = (low, middle) if is_beyond(middle) else (middle, high)
        return float(high)
