"""Rows that cannot give a model are refused in words, and no result is ever NaN or infinite."""

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linplane_trainer.errors import BadData


def made(n=50, d=3, seed=0):
    generator = np.random.default_rng(seed)
    return generator.standard_normal((n, d)) * 1e3 + 5e4, generator.standard_normal(n)


def refused(fit_rows, x, y, **options):
    with pytest.raises(BadData) as caught:
        fit_rows(x, y, **options)
    return str(caught.value)


def test_rows_too_few_are_counted_with_those_held_out_and_dropped(fit_rows):
    """Held out and dropped rows are named, since both are the reader's to change."""
    x, y = made(6, 4)
    assert refused(fit_rows, x[:4], y[:4]) == "4 rows to fit are fewer than the 5 that are needed"
    kept = np.array([True, True, True, True, True, False])
    assert "1 dropped for gaps" in refused(fit_rows, x, y, kept=kept, holdout_percent=50, seed=1)
    assert "held out" in refused(fit_rows, x, y, kept=kept, holdout_percent=50, seed=1)


def test_rows_that_are_none_are_an_error(fit_rows):
    """An empty table, and one with a gap in every row."""
    x, y = made(3)
    assert refused(fit_rows, x[:0], y[:0]) == "there are no data rows"
    assert "all 3 have a gap" in refused(fit_rows, x, y, kept=np.zeros(3, dtype=bool))


def test_constant_target_is_refused(fit_rows):
    """There is nothing to explain."""
    x, y = made()
    assert "target is constant" in refused(fit_rows, x, y * 0 + 3.3)


@pytest.mark.parametrize("value", [0.0, 0.1, -7e8])
def test_constant_feature_with_an_intercept_is_refused(fit_rows, value):
    """Is named, and alone."""
    x, y = made()
    x[:, 1] = value
    message = refused(fit_rows, x, y)
    assert message == "leave out x1, or set ridge: x1 is constant, which the intercept is already"


@pytest.mark.parametrize("columns", [1, 3])
def test_features_that_are_zero_throughout_are_refused_without_an_intercept(fit_rows, columns):
    """Also if nothing else is left."""
    names = {1: "x0", 3: "x0, x1 and x2"}[columns]
    message = refused(fit_rows, np.zeros((20, columns)), made(20)[1], fit_intercept=False)
    assert message == f"leave out {names}, or set ridge: {names} {'is' if columns == 1 else 'are'} zero throughout"


def test_constant_feature_without_an_intercept_acts_as_one(fit_rows):
    """So it is fitted."""
    x, y = made()
    x[:, 1] = 1.0
    with_one = fit_rows(x[:, [0, 2]], y)
    assert fit_rows(x, y, fit_intercept=False).coefficients[1] == pytest.approx(with_one.intercept, rel=1e-6)


@pytest.mark.parametrize("block", [None, 8])
@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e15])
def test_sum_of_others_is_named_with_them(fit_rows, scale, block):
    """Whatever its unit; a column that has no part in it is not named."""
    x, y = made(80, 4)
    x[:, 3] = (x[:, 0] + 2 * x[:, 2]) * scale
    message = refused(fit_rows, x, y, block_rows=block)
    assert message == "leave out x3, or set ridge: x0, x2 and x3 are linearly dependent"


def test_dummies_of_all_categories_with_an_intercept_are_dependent(fit_rows):
    """The classic: they add up to the column of ones. Without the intercept, or with a penalty, they are fine."""
    category = np.arange(60) % 3
    x = np.column_stack([category == 0, category == 1, category == 2, np.arange(60)])
    y = np.sin(np.arange(60.0))
    assert "leave out x2, or set ridge: x0, x1 and x2 are" in refused(fit_rows, x, y)
    assert np.isfinite(fit_rows(x, y, fit_intercept=False).coefficients).all()
    assert np.isfinite(fit_rows(x, y, ridge=0.1).coefficients).all()


def complete_dummies(groups, n=400, seed=0):
    """A 0/1 column for every category of each group, and one more that varies."""
    generator = np.random.default_rng(seed)
    columns = [generator.integers(0, size, n)[:, None] == np.arange(size) for size in groups]
    return np.column_stack([*columns, generator.standard_normal(n)]), generator.standard_normal(n)


def left_out(message):
    names = re.search("leave out (.*), or set ridge", message)[1]
    return [int(name.removeprefix("x")) for name in re.split(", | and ", names)]


def test_dependent_columns_are_left_out_in_one_step(fit_rows):
    """Three complete sets of dummies, a column twice and a constant: what is named is enough, and no more than that."""
    x, y = complete_dummies([4, 2, 2])
    x = np.column_stack([x, x[:, 8], np.full(len(x), 3.0)])
    message = refused(fit_rows, x, y)
    assert message.startswith("leave out x3, x5, x7, x9 and x10, or set ridge: x10 is constant, which the intercept is")
    kept = np.delete(x, left_out(message), axis=1)
    assert np.isfinite(fit_rows(kept, y).coefficients).all()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(groups=st.lists(st.integers(2, 9), min_size=1, max_size=5), seed=st.integers(0, 1000), copies=st.integers(0, 3))
def test_columns_to_leave_out_are_always_enough(fit_rows, groups, seed, copies):
    """As many columns as the rank lacks, whatever depends on what."""
    x, y = complete_dummies(groups, seed=seed)
    generator = np.random.default_rng(seed + 1)
    sums = [x @ generator.integers(-2, 3, x.shape[1]) for _ in range(copies)]
    x = np.column_stack([x, *sums])[:, generator.permutation(x.shape[1] + copies)]
    surplus = left_out(refused(fit_rows, x, y))
    design = np.column_stack([np.ones(len(x)), x])
    assert len(surplus) == design.shape[1] - np.linalg.matrix_rank(design)
    assert np.isfinite(fit_rows(np.delete(x, surplus, axis=1), y).coefficients).all()


def test_length_in_two_units_is_dependent(fit_rows):
    """Rounded to doubles only: inches are centimetres."""
    x, y = made(200, 2)
    x[:, 1] = x[:, 0] / 2.54
    assert "x0 and x1 are linearly dependent" in refused(fit_rows, x, y)


def test_position_in_two_units_far_from_zero_is_dependent(fit_rows):
    """Doubles round by the size of the numbers, not by that of their differences."""
    x, y = made(200, 2)
    x[:, 0] = 1e9 + x[:, 0] / 1e3
    x[:, 1] = x[:, 0] / 2.54
    assert "x0 and x1 are linearly dependent" in refused(fit_rows, x, y)


def test_columns_nearly_dependent_are_fitted(fit_rows):
    """A millionth of noise is information."""
    x, y = made(100, 2)
    x[:, 1] = x[:, 0] * (1 + 1e-6 * np.random.default_rng(1).standard_normal(100))
    assert np.isfinite(fit_rows(x, y).coefficients).all()


@pytest.mark.parametrize("size", [1e160, 1e308, 1.7e308])
def test_values_that_overflow_are_refused(fit_rows, size):
    """The squared error of such a target is no double; nor is a coefficient, nor a row that outgrows the first ones."""
    x, y = made(30, 2)
    assert "too large" in refused(fit_rows, x, np.sign(y) * size)
    assert "too large" in refused(fit_rows, x * 1e-200, y * 1e150)
    grown = x.copy()
    grown[25:] = np.sign(y[25:, None]) * size
    assert "too large" in refused(fit_rows, grown, y, block_rows=8)


@pytest.mark.parametrize("size", [1e-300, 1e-150, 1e100, 1e200, 1e300])
def test_values_just_below_overflow_are_fitted(fit_rows, size):
    """The size of numbers alone is no reason."""
    x, y = made(30, 2)
    x -= 5e4
    plain, sized = fit_rows(x, y), fit_rows(x * size, y)
    np.testing.assert_allclose(sized.coefficients * size, plain.coefficients, rtol=1e-10)
