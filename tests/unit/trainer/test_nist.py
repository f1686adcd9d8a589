"""The trainer holds the accuracy of a QR on NIST's reference sets, for coefficients and standard deviations."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest

from linplane_trainer.fit.wide.qr import Factor
from linplane_trainer.fit.wide.solve import rss_of_solution, tss_of

DATA = Path(__file__).parents[2] / "data" / "nist"
EXACT = json.loads((DATA / "exact30.json").read_text())
SETS = json.loads((DATA / "certified.json").read_text())["datasets"]

# correct digits of the worst coefficient and the worst standard deviation; for exact fits the latter is absolute
FLOORS = {
    "Norris": (11, 12),
    "Pontius": (10.5, 11.5),
    "NoInt1": (13.5, 13),
    "NoInt2": (13.5, 13),
    "Filip": (5.5, 5.5),
    "Longley": (12, 11),
    "Wampler1": (8, 8),
    "Wampler2": (11, 13),
    "Wampler3": (8, 12),
    "Wampler4": (6.5, 12),
    "Wampler5": (4.5, 12),
}


def digits(value, exact):
    """The log relative error, at most 15; absolute if the exact value is 0."""
    exact = float(exact)
    error = abs(value - exact) / (abs(exact) or 1)
    return 15.0 if error == 0 else min(15.0, -math.log10(error))


def design(name):
    """Predictors and response; powers of x are built in double."""
    with (DATA / f"{name}.csv").open() as file:
        rows = np.array(list(csv.reader(file))[1:], dtype=float)
    if rows.shape[1] > 2:
        return rows[:, :-1], rows[:, -1]
    degree = SETS[name]["p"] - int(SETS[name]["intercept"])
    return np.column_stack([rows[:, 0] ** power for power in range(1, degree + 1)]), rows[:, 1]


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize(("batch", "block"), [(1000, None), (8, None), (8, 8), (3, 16)])
def test_nist_fits_keep_the_digits_of_a_qr(fit_rows, name, batch, block):
    """Also when rows come eight by eight, and when the factors of eight rows each are merged."""
    x, y = design(name)
    intercept = SETS[name]["intercept"]
    fit = fit_rows(x, y, batch=batch, fit_intercept=intercept, block_rows=block)
    found = [fit.intercept] * intercept + fit.coefficients.tolist()
    errors = [fit.intercept_standard_error] * intercept + fit.standard_errors.tolist()
    floor, floor_sd = FLOORS[name]
    assert min(map(digits, found, EXACT[name]["coefficients"])) >= floor
    assert min(map(digits, errors, EXACT[name]["sd"])) >= floor_sd
    assert digits(fit.noise, EXACT[name]["residual_sd"]) >= min(floor_sd, 7)
    if intercept:
        assert digits(fit.evaluation.r2, EXACT[name]["r_squared"]) >= 9


@pytest.mark.parametrize("name", ["NoInt1", "NoInt2"])
def test_sums_of_squares_about_zero_are_the_certified_ones(name):
    """NIST's R2 of a fit through the origin is about zero; ours is never."""
    x, y = design(name)
    factor = Factor(x.shape[1] + 1)
    factor.add(np.column_stack([x, y]))
    r2 = 1 - rss_of_solution(factor.triangle) / tss_of(factor.triangle, intercept=False)
    assert digits(r2, EXACT[name]["r_squared"]) >= 9


def test_nist_has_all_eleven_sets():
    """No set is left out by a missing file."""
    assert set(SETS) == set(FLOORS) == set(EXACT)


@pytest.mark.parametrize("name", ["NoInt1", "NoInt2"])
def test_r2_without_an_intercept_is_about_the_mean_too(fit_rows, name):
    """So it can be compared with that of a version with an intercept: -0.157 for NoInt1, not the certified 0.99937."""
    x, y = design(name)
    fit = fit_rows(x, y, fit_intercept=False)
    assert fit.intercept == 0
    assert fit.intercept_standard_error is None
    residuals = y - x @ fit.coefficients
    assert fit.evaluation.r2 == pytest.approx(1 - np.square(residuals).sum() / np.square(y - y.mean()).sum(), rel=1e-12)
