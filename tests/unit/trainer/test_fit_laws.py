"""Laws that hold for every fit, with any data."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linplane_trainer.batch import Batch
from linplane_trainer.fit.fitting import Fitting
from linplane_trainer.fit.types import FitOptions
from linplane_trainer.holdout import Holdout, HoldoutDraws

SHARED = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
SEEDS = st.integers(0, 2**32 - 1)


def rows(seed, n=60, d=4, noise=0.5):
    """Rows of very different size and place, and what made them."""
    generator = np.random.default_rng(seed)
    scale = 10.0 ** generator.integers(-6, 7, d)
    x = (generator.standard_normal((n, d)) + generator.normal(0, 3, d)) * scale
    coefficients = generator.normal(0, 2, d) / scale
    return x, 5 + x @ coefficients + noise * generator.standard_normal(n), coefficients


def numbers(fit):
    """All of a fit, to compare bit by bit."""
    return [np.asarray(getattr(fit, field.name)).tolist() for field in fields(fit) if field.name != "judged"] + [
        fit.evaluation
    ]


@SHARED
@given(seed=SEEDS, batch=st.integers(1, 70), block=st.sampled_from([None, 8, 17]))
def test_batches_change_no_bit(fit_rows, seed, batch, block):
    """Neither the coefficients, nor which rows are held out, nor any figure depends on how the rows came."""
    x, y, _ = rows(seed)
    kept = np.random.default_rng(seed).random(len(y)) < 0.9
    options = {"kept": kept, "holdout_percent": 25, "seed": seed % 1000, "block_rows": block}
    assert numbers(fit_rows(x, y, batch=batch, **options)) == numbers(fit_rows(x, y, **options))


@SHARED
@given(seed=SEEDS)
def test_order_of_rows_does_not_matter(fit_rows, seed):
    """Without a holdout, shuffled rows give the same model but for rounding."""
    x, y, _ = rows(seed)
    order = np.random.default_rng(seed).permutation(len(y))
    one, other = fit_rows(x, y), fit_rows(x[order], y[order])
    np.testing.assert_allclose(one.coefficients, other.coefficients, rtol=1e-9)
    np.testing.assert_allclose(one.standard_errors, other.standard_errors, rtol=1e-9)
    assert one.noise == pytest.approx(other.noise, rel=1e-10)


@SHARED
@given(seed=SEEDS, power=st.integers(-200, 200), factor=st.floats(1e-3, 1e3))
def test_units_do_not_matter(fit_rows, seed, power, factor):
    """A feature in other units has a coefficient in other units; the target's unit goes through everything."""
    x, y, _ = rows(seed)
    plain = fit_rows(x, y)
    scaled = fit_rows(x * factor, y * 2.0**power)
    np.testing.assert_allclose(scaled.coefficients * factor, plain.coefficients * 2.0**power, rtol=1e-9)
    assert scaled.noise == pytest.approx(plain.noise * 2.0**power, rel=1e-9)
    assert scaled.evaluation.r2 == pytest.approx(plain.evaluation.r2, abs=1e-9)


@SHARED
@given(seed=SEEDS, intercept=st.booleans())
def test_fit_agrees_with_the_textbook(fit_rows, seed, intercept):
    """Coefficients, standard errors and noise are those of ordinary least squares."""
    x, y, _ = rows(seed)
    x = x / np.abs(x).max(axis=0)
    a = np.column_stack([np.ones(len(y)), x]) if intercept else x
    expected = np.linalg.lstsq(a, y, rcond=None)[0]
    noise = np.sqrt(np.square(y - a @ expected).sum() / (len(y) - a.shape[1]))
    errors = noise * np.sqrt(np.diag(np.linalg.inv(a.T @ a)))
    fit = fit_rows(x, y, fit_intercept=intercept)
    first = int(intercept)
    np.testing.assert_allclose(fit.coefficients, expected[first:], rtol=1e-8)
    np.testing.assert_allclose(fit.standard_errors, errors[first:], rtol=1e-6)
    assert fit.noise == pytest.approx(noise, rel=1e-9)
    if intercept:
        assert fit.intercept == pytest.approx(expected[0], rel=1e-8)
        assert fit.intercept_standard_error == pytest.approx(errors[0], rel=1e-6)


@SHARED
@given(
    seed=SEEDS,
    ridge=st.sampled_from([1e-6, 0.1, 1.0, 250.0]),
    intercept=st.booleans(),
    block=st.sampled_from([None, 9]),
)
def test_ridge_is_the_augmented_problem(fit_rows, seed, ridge, intercept, block):
    """The penalty is on the coefficients in the data's own units, and never on the intercept."""
    x, y, _ = rows(seed)
    x = x / np.abs(x).max(axis=0) * 3
    a = np.column_stack([x, np.ones(len(y))]) if intercept else x
    penalty = np.sqrt(ridge) * np.eye(4, a.shape[1])
    expected = np.linalg.lstsq(np.vstack([a, penalty]), np.append(y, np.zeros(4)), rcond=None)[0]
    fit = fit_rows(x, y, fit_intercept=intercept, ridge=ridge, block_rows=block)
    np.testing.assert_allclose(fit.coefficients, expected[:4], rtol=1e-10, atol=1e-10 * np.abs(expected).max())
    residuals = y - a @ expected
    assert fit.evaluation.mse == pytest.approx(np.square(residuals).mean(), rel=1e-9)
    assert fit.standard_errors is None
    assert fit.noise == pytest.approx(np.sqrt(np.square(residuals).sum() / (len(y) - a.shape[1])), rel=1e-9)


@SHARED
@given(seed=SEEDS, block=st.sampled_from([None, 7]))
def test_moments_are_those_of_the_rows(fit_rows, seed, block):
    """Range, mean and sample deviation, merged block by block."""
    x, y, _ = rows(seed)
    fit = fit_rows(x, y, block_rows=block)
    assert fit.minimum.tolist() == x.min(axis=0).tolist()
    assert fit.maximum.tolist() == x.max(axis=0).tolist()
    np.testing.assert_allclose(fit.mean, x.mean(axis=0), rtol=1e-11, atol=1e-12 * np.abs(x).max())
    np.testing.assert_allclose(fit.deviation, x.std(axis=0, ddof=1), rtol=1e-11)


def test_mean_far_away_costs_no_digits(fit_rows):
    """Years, or seconds since 1970: the deviation is a millionth of the mean."""
    generator = np.random.default_rng(4)
    t = 1.7e9 + generator.integers(0, 1000, 200)
    y = 3 + 0.25 * (t - 1.7e9)
    fit = fit_rows(t[:, None], y)
    assert fit.coefficients[0] == pytest.approx(0.25, rel=1e-12)
    assert fit.deviation[0] == pytest.approx(np.std(t - 1.7e9, ddof=1), rel=1e-12)


def test_first_rows_need_not_be_typical(fit_rows):
    """A column that is constant, or tiny, in the first block is centred and scaled badly: the result is as good."""
    generator = np.random.default_rng(5)
    x = generator.standard_normal((400, 2)) * np.array([1e3, 1.0])
    x[:50, 0], x[:50, 1] = 7.0, 1e-9 * x[:50, 1]
    fit = fit_rows(x, 2 + x @ np.array([0.5, -4.0]), block_rows=50)
    np.testing.assert_allclose(fit.coefficients, [0.5, -4.0], rtol=1e-12)
    assert fit.intercept == pytest.approx(2, rel=1e-11)


def test_batch_may_be_used_again_by_its_owner():
    """Rows that wait for a block are copies."""
    values, kept = np.array([[0.0, 1.0], [1.0, 3.0], [2.0, 4.0]]), np.ones(3, dtype=bool)
    fitting = Fitting(FitOptions(("x",)))
    fitting.add(Batch(values, kept, HoldoutDraws(Holdout(0)).draw(len(kept))))
    values[:] = 0
    assert fitting.result().coefficients[0] == pytest.approx(1.5)


def test_rows_as_many_as_coefficients_give_no_noise(fit_rows):
    """Two points, a line through both: nothing is left to estimate a deviation from."""
    fit = fit_rows(np.array([[0.0], [2.0]]), np.array([1.0, 5.0]))
    assert (fit.intercept, fit.coefficients.tolist()) == (1.0, [2.0])
    assert (fit.noise, fit.standard_errors, fit.intercept_standard_error) == (None, None, None)


def test_ridge_accepts_fewer_rows_than_coefficients(fit_rows):
    """The penalty makes one answer the best; without it the same rows are refused."""
    x, y, _ = rows(1, n=5, d=9)
    x = x / np.abs(x).max(axis=0)
    fit = fit_rows(x, y, ridge=0.5)
    centred = x - x.mean(axis=0)
    expected = np.linalg.solve(centred.T @ centred + 0.5 * np.eye(9), centred.T @ (y - y.mean()))
    np.testing.assert_allclose(fit.coefficients, expected, rtol=1e-9)
    assert fit.noise is None
