"""Which rows are held out can be recomputed by anybody, and what is said of them is true."""

import numpy as np
import pytest

from linplane_trainer.holdout import Holdout, HoldoutDraws, holdout_mask


def made(n=300, d=3, seed=2):
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((n, d))
    return x, 1 + x.sum(axis=1) + 0.3 * generator.standard_normal(n)


def test_draws_are_the_documented_ones():
    """One `random()` of PCG64(seed) a raw row: held out below the percentage."""
    draws = np.random.Generator(np.random.PCG64(7)).random(1000)
    assert holdout_mask(7, 20, 1000).tolist() == (draws * 100 < 20).tolist()


def test_mask_is_drawn_the_same_in_parts():
    """Batches do not move a row to the other side."""
    draws = HoldoutDraws(Holdout(35, 3))
    parts = np.concatenate([draws.draw(size).held for size in (1, 0, 7, 92)])
    assert parts.tolist() == holdout_mask(3, 35, 100).tolist()


def test_holdout_of_zero_percent_is_empty():
    """0 is exactly 0."""
    assert not holdout_mask(0, 0, 10_000).any()


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("block", [None, 11])
def test_evaluation_is_that_of_the_held_rows(fit_rows, intercept, block):
    """The rows that the mask names are not fitted, and MSE and R2 are computed on them; dropped rows count in the
    draws.
    """
    x, y = made()
    kept = np.arange(len(y)) % 13 != 5
    fit = fit_rows(x, y, kept=kept, holdout_percent=30, seed=11, fit_intercept=intercept, block_rows=block)
    held = holdout_mask(11, 30, len(y))
    train, test = kept & ~held, kept & held
    design = np.column_stack([np.ones(len(y)), x]) if intercept else x
    beta = np.linalg.lstsq(design[train], y[train], rcond=None)[0]
    residuals = y[test] - design[test] @ beta
    np.testing.assert_allclose(fit.coefficients, beta[int(intercept) :], rtol=1e-10)
    assert (fit.evaluation.on, fit.evaluation.samples, fit.samples) == ("Holdout", test.sum(), train.sum())
    assert fit.dropped == (~kept).sum()
    assert fit.evaluation.mse == pytest.approx(np.square(residuals).mean(), rel=1e-10)
    assert fit.evaluation.r2 == pytest.approx(
        1 - np.square(residuals).sum() / np.square(y[test] - y[test].mean()).sum(), rel=1e-10
    )
    np.testing.assert_allclose(fit.maximum, x[train].max(axis=0))


def test_evaluation_without_a_holdout_is_that_of_the_training_rows(fit_rows):
    """Few rows and a small percentage: no row was drawn, and the evaluation says so."""
    x, y = made(8, 2)
    seed = next(seed for seed in range(100) if not holdout_mask(seed, 5, 8).any())
    fit = fit_rows(x, y, holdout_percent=5, seed=seed)
    assert (fit.evaluation.on, fit.evaluation.samples, fit.samples) == ("Training", 8, 8)


def test_evaluation_on_a_constant_target_has_no_r2(fit_rows):
    """One held row: there is no variance that a model could explain."""
    x, y = made(12, 2)
    seed = next(seed for seed in range(1000) if holdout_mask(seed, 10, 12).sum() == 1)
    judged = fit_rows(x, y, holdout_percent=10, seed=seed).evaluation
    assert (judged.on, judged.samples, judged.r2) == ("Holdout", 1, None)
    assert judged.mse > 0
