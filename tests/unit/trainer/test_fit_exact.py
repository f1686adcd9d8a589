"""Every number of a fit is the double nearest to the exact one, in any order and from any parts of the rows."""

import csv
import gzip
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linplane_trainer.errors import BadData
from linplane_trainer.fit.gathering import Gathering
from linplane_trainer.fit.result import fit_of_sums
from linplane_trainer.fit.sums import Sums
from linplane_trainer.fit.types import FitOptions

from .exactly import inverse, least_squares, products
from .test_fit_laws import numbers
from .test_nist import EXACT, SETS, design, digits

PUBLIC = Path(__file__).parents[2] / "data" / "public"
SHARED = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)

# digits that rounding the data to doubles leaves: of the worst coefficient; 15 is all
LEFT = {"Norris": 13.9, "Pontius": 13.5, "Filip": 7.6, "Longley": 14.7, "Wampler2": 13.1}


@pytest.mark.parametrize("name", SETS)
def test_nist_fits_are_exact_but_for_the_data(fit_rows, name):
    """Equal to Gauss in fractions on the same doubles, and as near to the certified values as these allow."""
    x, y = design(name)
    intercept = SETS[name]["intercept"]
    fit = fit_rows(x, y, fit_intercept=intercept)
    found = [fit.intercept] * intercept + fit.coefficients.tolist()
    errors = [fit.intercept_standard_error] * intercept + fit.standard_errors.tolist()
    a = np.column_stack([np.ones(len(y)), x]) if intercept else x
    assert (found, errors, fit.noise) == least_squares(a, y)[:3]
    assert min(map(digits, found, EXACT[name]["coefficients"])) >= LEFT.get(name, 15)


DIABETES = {
    "intercept": -334.5671385187872,
    "coefficients": [
        -0.03636122422362544,
        -22.85964809049839,
        5.602962091923705,
        1.1168079933181907,
        -1.08999633406324,
        0.7464504555142257,
        0.37200471508915295,
        6.533831935990338,
        68.48312496478827,
        0.28011698932150436,
    ],
    "noise": 54.154239328055688,
}

RANDHIE = {
    "intercept": 1.7379409813342932,
    "coefficients": [
        -0.1695025924888162,
        -0.7533312814851388,
        0.10659284845286007,
        -0.10012979398933938,
        1.0658471164811694,
        0.12167039288098158,
        -0.04867911070984872,
        0.22012245038667744,
        1.4409571687912486,
    ],
    "noise": 4.3477981275760564,
}


def randhie():
    """Predictors, and the visits to a doctor."""
    with gzip.open(PUBLIC / "randhie.csv.gz", "rt") as file:
        rows = np.array(list(csv.reader(file))[1:], dtype=float)
    return rows[:, 1:], rows[:, 0]


def diabetes():
    rows = np.loadtxt(PUBLIC / "diabetes.csv", delimiter=",", skiprows=1)
    return rows[:, :-1], rows[:, -1]


@pytest.mark.parametrize(("rows", "expected"), [(diabetes, DIABETES), (randhie, RANDHIE)], ids=["diabetes", "randhie"])
def test_public_data_has_known_results(fit_rows, rows, expected):
    """As computed elsewhere in fractions: equal as doubles."""
    fit = fit_rows(*rows())
    found = {"intercept": fit.intercept, "coefficients": fit.coefficients.tolist(), "noise": fit.noise}
    assert found == expected


def test_diabetes_has_the_known_r2(fit_rows):
    assert fit_rows(*diabetes()).evaluation.r2 == 0.51774842222034978


def sums_of(x, y) -> Sums:
    gathering = Gathering(x.shape[1] + 1)
    gathering.add(np.column_stack([x, y]))
    return gathering.sums()


def test_sums_merge_and_can_be_taken_away():
    """Two halves are the whole; the whole without one half is the other, but for the range."""
    x, y = randhie()
    half = len(y) // 2
    first, second, whole = sums_of(x[:half], y[:half]), sums_of(x[half:], y[half:]), sums_of(x, y)
    options, none = FitOptions(tuple(f"x{i}" for i in range(9))), Sums.of_none(11)
    assert numbers(fit_of_sums(options, first.plus(second), none, 0)) == numbers(fit_of_sums(options, whole, none, 0))
    rest = whole.minus(second)
    assert (rest.integers == first.integers).all()
    assert (rest.exponents == first.exponents).all()
    assert rest.rows == first.rows


def test_columns_of_sums_are_the_sums_of_columns():
    x, y = diabetes()
    chosen = sums_of(x, y).columns([0, 3, 1, 11])
    alone = sums_of(x[:, [2, 0]], y)
    assert (chosen.integers == alone.integers).all()
    assert (chosen.exponents == alone.exponents).all()
    assert (chosen.least.tolist(), chosen.greatest.tolist()) == (alone.least.tolist(), alone.greatest.tolist())


@SHARED
@given(seed=st.integers(0, 2**32 - 1), intercept=st.booleans())
def test_fits_are_those_of_fractions(fit_rows, seed, intercept):
    """Whatever the units, the spread and the means of the columns."""
    generator = np.random.default_rng(seed)
    n, d = int(generator.integers(6, 30)), int(generator.integers(1, 4))
    x = generator.standard_normal((n, d)) * np.exp(generator.normal(0, 9, d)) + generator.normal(0, 50, d)
    y = generator.standard_normal(n) + x @ generator.normal(0, 1, d)
    fit = fit_rows(x, y, fit_intercept=intercept)
    a = np.column_stack([np.ones(n), x]) if intercept else x
    coefficients, errors, noise, _ = least_squares(a, y)
    assert [fit.intercept] * intercept + fit.coefficients.tolist() == coefficients
    assert [fit.intercept_standard_error] * intercept + fit.standard_errors.tolist() == errors
    assert fit.noise == noise


@SHARED
@given(seed=st.integers(0, 2**32 - 1), ridge=st.sampled_from([0.0, 1e-7, 0.5, 300.0]))
def test_order_of_rows_changes_no_bit(fit_rows, seed, ridge):
    """Without a holdout, rows in any order give the same fit, in batches of any size."""
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((200, 3)) * np.exp(generator.normal(0, 5, 3))
    x[:, 0] = np.exp(generator.normal(0, 6, 200))
    y = x.sum(axis=1) + generator.standard_normal(200)
    order = generator.permutation(200)
    one, other = fit_rows(x, y, ridge=ridge), fit_rows(x[order], y[order], ridge=ridge, batch=17)
    assert numbers(one) == numbers(other)


def test_evaluation_is_of_the_coefficients_as_served(fit_rows):
    """The mean of the exact squares of what a server leaves, rounded once."""
    x, y = diabetes()
    fit = fit_rows(x, y)
    rss = Fraction(0)
    for row, target in zip(x.tolist(), y.tolist(), strict=True):
        served = Fraction(fit.intercept) + sum(
            Fraction(c) * Fraction(v) for c, v in zip(fit.coefficients, row, strict=True)
        )
        rss += (Fraction(target) - served) ** 2
    assert fit.evaluation.mse == float(rss / len(y))


def test_evaluations_of_the_same_rows_are_known(fit_rows):
    """In any order, by any features; other rows have another digest."""
    x, y = diabetes()
    order = np.random.default_rng(0).permutation(len(y))
    found = [fit_rows(x, y), fit_rows(x[order][:, :3], y[order]), fit_rows(x[1:], y[1:])]
    digests = [fit.evaluation.rows for fit in found]
    assert digests[0] == digests[1]
    assert digests[0] != digests[2]


def test_orthogonal_columns_have_coefficients_of_exactly_zero(fit_rows):
    """Which no ball can decide."""
    h = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]] * 2, dtype=float)
    fit = fit_rows(h[:, :2], h[:, 2] + np.repeat([0.25, -0.25], 4))
    assert fit.coefficients.tolist() == [0.0, 0.0]
    assert fit.intercept == 0


def test_ties_go_to_even(fit_rows):
    """The mean of two doubles is halfway between them."""
    one = np.ones((2, 1))
    ulp = 2.0**-52
    assert fit_rows(one, np.array([1.0, 1 + ulp]), fit_intercept=False).coefficients[0] == 1.0
    assert fit_rows(one, np.array([1 + ulp, 1 + 2 * ulp]), fit_intercept=False).coefficients[0] == 1 + 2 * ulp


def test_rows_as_many_as_coefficients_are_fitted_exactly(fit_rows):
    fit = fit_rows(np.array([[2.0], [5.0]]), np.array([3.0, 7.0]))
    assert (fit.coefficients[0], fit.intercept, fit.noise) == (4 / 3, 1 / 3, None)


def test_rows_on_a_plane_leave_nothing(fit_rows):
    """Noise and standard errors are exactly zero."""
    x = np.arange(24.0).reshape(12, 2) ** 2
    fit = fit_rows(x, 3 + x @ np.array([0.5, -0.25]))
    assert (fit.coefficients.tolist(), fit.intercept) == ([0.5, -0.25], 3.0)
    assert (fit.noise, fit.standard_errors.tolist(), fit.evaluation.r2) == (0.0, [0.0, 0.0], 1.0)


def cents(generator, low, high):
    return np.round(generator.uniform(low, high, 500), 2)


def test_sum_of_prices_in_cents_is_dependent(fit_rows):
    """Its doubles are no exact sums; data in cents can show no more."""
    generator = np.random.default_rng(3)
    a, b, z = cents(generator, 1, 200), cents(generator, 1, 90), generator.standard_normal(500)
    with pytest.raises(BadData, match="leave out x3, or set ridge: x0, x1 and x3 are linearly dependent"):
        fit_rows(np.column_stack([a, b, z, np.round(a + b, 2)]), generator.standard_normal(500))


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("kind", ["normal", "scales", "orthogonal", "copy"])
def test_inflation_is_the_nearest_double(fit_rows, kind, intercept):
    """To 1 / (1 - R2) of each feature's fit by the others, in fractions; 1 if none explains it."""
    generator = np.random.default_rng(4)
    x = generator.standard_normal((24, 3))
    if kind == "scales":
        x = x * [1e-200, 1.0, 1e150] + [0.0, 1e9, 1e150]
    if kind == "orthogonal":
        x = np.array([[a, b, c] for a in (-1.0, 1.0) for b in (-1.0, 1.0) for c in (-1.0, 1.0)] * 3)
    if kind == "copy":
        x[:, 2] = x[:, 0] * (1 + 1e-12 * generator.standard_normal(24))
    design = np.column_stack([np.ones(24), x]) if intercept else x
    sums = products(design)
    inverted, first = inverse(sums), int(intercept)
    expected = []
    for j in range(first, len(sums)):
        squares = sums[j][j] - sums[0][j] ** 2 / sums[0][0] if intercept else sums[j][j]
        factor = inverted[j][j] * squares
        expected.append(factor.numerator / factor.denominator)
    fit = fit_rows(x, generator.standard_normal(24), fit_intercept=intercept)
    assert fit.inflation.tolist() == expected
    if kind == "orthogonal":
        assert expected == [1.0] * 3


@pytest.mark.parametrize("noise", [1e-9, 1e-14])
def test_copies_that_differ_by_more_than_rounding_are_fitted(fit_rows, noise):
    """And are what `inflation` is for."""
    generator = np.random.default_rng(3)
    a = cents(generator, 1, 200)
    copy = a * (1 + noise * generator.standard_normal(500))
    fit = fit_rows(np.column_stack([a, copy]), generator.standard_normal(500))
    assert (fit.inflation > 1e10).all()
