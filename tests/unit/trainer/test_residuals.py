"""Quantiles and summaries of residuals, against their definitions; the same bytes in any order."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_api.artifact import ResidualQuantile, parse_artifact, predict
from linplane_trainer.batch import Batch, Draws
from linplane_trainer.fit.fitting import Fitting
from linplane_trainer.fit.residuals import absolute_quantiles, residuals_of, summary
from linplane_trainer.fit.types import FitOptions
from linplane_trainer.holdout import holdout_mask

floats = st.floats(-1e6, 1e6)


def table(rows=400):
    generator = np.random.default_rng(8)
    x = generator.standard_normal((rows, 2)).round(3)
    return x, (3 + x @ [2.0, -1.0] + generator.standard_normal(rows)).round(3)


def csv(x, y):
    return "a,b,id,y\n" + "".join(f"{a},{b},{i % 97},{t}\n" for i, ((a, b), t) in enumerate(zip(x, y, strict=True)))


def residual(artifact, row, target):
    return target - predict(artifact.coefficients, artifact.intercept, row)


@given(st.lists(floats, max_size=300))
def test_quantile_is_the_smallest_with_enough_residuals_below(residuals):
    """Of n + 1 residuals, one of which is not known yet and may be the largest."""
    sizes = sorted(map(abs, residuals))
    found = absolute_quantiles(np.array(residuals)) or ()
    for one in found:
        at_most = [rank for rank in range(1, len(sizes) + 1) if 100 * rank >= one.percent * (len(sizes) + 1)]
        assert one.value == sizes[at_most[0] - 1]
    known = [percent for percent in (50, 80, 90, 95, 99) if 100 * len(sizes) >= percent * (len(sizes) + 1)]
    assert [one.percent for one in found] == known


@pytest.mark.parametrize(("rows", "percents"), [(0, 0), (1, 1), (4, 2), (9, 3), (18, 3), (19, 4), (98, 4), (99, 5)])
def test_levels_are_those_that_the_rows_allow(rows, percents):
    assert len(absolute_quantiles(np.arange(float(rows))) or ()) == percents


def test_quantiles_are_of_the_rows_held_out(train_csv):
    """Of the coefficients as served; none if no row was held out."""
    x, y = table()
    artifact = train_csv(csv(x, y), features=("a", "b"), holdout_percent=30, seed=5)
    held = np.flatnonzero(holdout_mask(5, 30, len(y)))
    sizes = sorted(abs(residual(artifact, x[row].tolist(), y[row])) for row in held)
    ranks = [math.ceil((len(sizes) + 1) * percent / 100) for percent in (50, 80, 90, 95, 99)]
    expected = [
        ResidualQuantile(*each) for each in zip((50, 80, 90, 95, 99), (sizes[r - 1] for r in ranks), strict=True)
    ]
    assert list(artifact.training.evaluation.residual_quantiles) == expected
    assert parse_artifact(artifact.to_file(None)).digest == artifact.digest
    whole = train_csv(csv(x, y), features=("a", "b"))
    assert whole.training.evaluation.residual_quantiles is None
    assert b"residualQuantiles" not in whole.to_file(None)


def test_facts_have_a_summary_of_either_part(learn_csv):
    """20 groups of residuals by prediction, and 19 quantiles of them in units of the noise."""
    x, y = table()
    trained = learn_csv(csv(x, y), features=("a", "b"), holdout_percent=60)
    held = holdout_mask(0, 60, len(y))
    assert [one.on for one in trained.facts.residuals] == ["Training", "Holdout"]
    for one, mask in zip(trained.facts.residuals, (~held, held), strict=True):
        rows = [(predict(trained.artifact.coefficients, trained.artifact.intercept, row), t)
                for row, t in zip(x[mask].tolist(), y[mask].tolist(), strict=True)]  # fmt: skip
        rows = sorted((fitted, target - fitted) for fitted, target in rows)
        assert one.rows == len(rows) == sum(group.count for group in one.groups)
        assert len(one.groups) == min(20, len(rows) // 10)
        start = 0
        for group in one.groups:
            part = rows[start : start + group.count]
            start += group.count
            assert group.mean == pytest.approx(statistics.fmean(e for _, e in part), abs=1e-15)
            assert group.fitted == pytest.approx(statistics.fmean(f for f, _ in part))
            assert group.deviation == pytest.approx(statistics.stdev(e for _, e in part))
        ordered = sorted(e for _, e in rows)
        ranks = [math.ceil(len(rows) * level / 20) for level in range(1, 20)]
        assert list(one.standardized) == [ordered[rank - 1] / trained.artifact.training.noise for rank in ranks]


def test_order_changes_neither_summary_nor_quantiles(learn_csv):
    """With a key, of which many rows share one."""
    x, y = table()
    header, *lines = csv(x, y).splitlines(keepends=True)
    fields = {"features": ("a", "b"), "holdout_key": "id", "holdout_percent": 40}
    first = learn_csv(header + "".join(lines), **fields)
    other = learn_csv(header + "".join(lines[::-1]), **fields)
    assert first.artifact.training.evaluation.residual_quantiles
    assert (first.artifact, first.facts.residuals) == (other.artifact, other.facts.residuals)


@given(st.lists(st.tuples(floats, floats), min_size=20, max_size=80), st.randoms())
def test_summary_depends_on_no_order(rows, random):
    """Bit for bit, with equal predictions too."""
    rows = [(float(round(fitted, -5)), error) for fitted, error in rows]
    shuffled = random.sample(rows, len(rows))
    first, other = (summary("Training", *np.array(each).T, 1.5) for each in (rows, shuffled))
    assert first == other
    assert all(group.count >= 10 for group in first.groups)


def test_rows_of_one_prediction_are_grouped_by_their_residuals():
    """Whatever their order."""
    errors = np.random.default_rng(0).permutation(np.arange(40.0))
    found = summary("Training", np.ones(40), errors, 1.0)
    assert [group.mean for group in found.groups] == [4.5, 14.5, 24.5, 34.5]


def test_few_rows_have_no_groups():
    """They would say much of each row."""
    about = summary("Holdout", np.arange(9.0), np.arange(9.0) - 4, None)
    assert (about.rows, about.groups, about.standardized) == (9, (), ())


@pytest.mark.parametrize("noise", [None, 0.0])
def test_residuals_without_noise_are_not_standardized(noise):
    assert summary("Training", np.arange(30.0), np.ones(30), noise).standardized == ()


@pytest.mark.parametrize("size", [1e200, 1.7e308])
def test_residuals_too_large_for_a_summary_have_none(size):
    """A sum or a square is no double."""
    residuals = np.where(np.arange(30) % 2, size, -size)
    assert summary("Training", np.arange(30.0), residuals, 1.0) is None
    assert summary("Training", np.full(30, size), np.ones(30), 1.0) is None or size < 1e300


def test_residuals_that_are_not_finite_are_none():
    rows = np.array([[1e200, 1.0]])
    assert residuals_of(np.array([1e200]), 0.0, rows) is None
    assert residuals_of(np.array([1.0]), 1.7e308, np.array([[0.0, -1.7e308]])) is None


def test_quantiles_of_few_keys_are_those_of_all_their_rows():
    """Which are more than a sample holds. Errors grow with x, so a choice by value would show."""
    generator, rows = np.random.default_rng(4), 80_000
    x = generator.uniform(0, 10, rows)
    y = 2 * x + x * generator.standard_normal(rows)
    keys = np.arange(rows) % 4
    draws = Draws(np.array([0.1, 0.4, 0.6, 0.9])[keys], keys < 2, by_key=True)
    fitting = Fitting(FitOptions(("x",)))
    fitting.add(Batch(np.stack([x, y], axis=1), np.ones(rows, np.bool_), draws))
    fit = fitting.result()
    held = np.abs(y - fit.intercept - fit.coefficients[0] * x)[keys < 2]
    for one in fit.evaluation.residual_quantiles or ():
        assert one.value == pytest.approx(np.quantile(held, one.percent / 100), rel=0.1)
    assert len(fit.evaluation.residual_quantiles or ()) == 5
