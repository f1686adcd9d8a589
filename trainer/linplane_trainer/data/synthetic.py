"""Rows made up from a seed, for trials and tests. PURE.

y = INTERCEPT + 1 x1 + 2 x2 + ... + N xN + noise e, with x1..xN and e independent standard normal. So the
correct result is known.
"""

from collections.abc import Iterator

import numpy as np

from linplane_api.task import SyntheticData

from ..batch import Batch, Block, Progress
from ..holdout import Holdout, HoldoutDraws

INTERCEPT = 1.0
TARGET = "y"
BATCH_CELLS = 1 << 18


def feature_names(data: SyntheticData) -> tuple[str, ...]:
    """`x1` to `xN`."""
    return tuple(f"x{number}" for number in range(1, data.feature_count + 1))


def true_coefficients(data: SyntheticData) -> tuple[float, ...]:
    """That of `xJ` is J, in the order of `feature_names`."""
    return tuple(float(number) for number in range(1, data.feature_count + 1))


def batches(data: SyntheticData, holdout: Holdout) -> Iterator[Batch]:
    """All rows, in order, without gaps, from the holdout's seed. The stream of numbers is its own: the holdout's draws
    come from the bare seed.
    """
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence((holdout.seed, 1))))
    coefficients = np.array(true_coefficients(data))
    columns, draws = data.feature_count + 1, HoldoutDraws(holdout)
    size = max(1, BATCH_CELLS // columns)
    for start in range(0, data.samples, size):
        rows = generator.standard_normal((min(size, data.samples - start), columns))
        with np.errstate(over="ignore"):  # the fit refuses numbers that are not finite
            rows[:, -1] = INTERCEPT + (rows[:, :-1] * coefficients).sum(axis=1) + data.noise * rows[:, -1]
        yield Batch(rows, np.ones(len(rows), dtype=bool), draws.draw(len(rows)))


def blocks(data: SyntheticData, holdout: Holdout, progress: Progress | None = None) -> Iterator[Block]:
    """The same rows, as a table has them. `progress` counts rows twice."""
    rows = 0
    for batch in batches(data, holdout):
        yield Block.of(batch)
        rows += len(batch.kept)
        if progress:
            progress(rows, rows, data.samples)
