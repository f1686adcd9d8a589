"""Training: the streamed fit against `numpy.linalg.lstsq` on the same rows in memory, one BLAS thread each.

Run with a method as its argument, this prints one measurement: seconds and extra memory in MB.
"""

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from linplane_trainer.batch import Batch
from linplane_trainer.fit.fitting import Fitting
from linplane_trainer.fit.types import FitOptions
from linplane_trainer.holdout import Holdout, HoldoutDraws

ROWS, FEATURES, ROUNDS, BATCH = 500_000, 50, 3, 8192

Rows = NDArray[np.float64]


def by_lstsq(table: Rows) -> Rows:
    """The baseline: singular values of the whole matrix."""
    design = np.column_stack([np.ones(len(table)), table[:, :-1]])
    solution: Rows = np.linalg.lstsq(design, table[:, -1], rcond=None)[0].astype(np.float64)
    return solution


def by_fit(table: Rows) -> Rows:
    """The trainer's own fit, as it gets rows from a reader."""
    options = FitOptions(tuple(f"x{i}" for i in range(FEATURES)), True, 0.0)
    fitting, draws = Fitting(options), HoldoutDraws(Holdout(0))
    for start in range(0, len(table), BATCH):
        rows = table[start : start + BATCH]
        fitting.add(Batch(rows, np.ones(len(rows), dtype=bool), draws.draw(len(rows))))
    fit = fitting.result()
    return np.array([fit.intercept, *fit.coefficients])


METHODS: dict[str, Callable[[Rows], Rows]] = {"numpy.linalg.lstsq": by_lstsq, "linplane": by_fit}


def once(method: str) -> None:
    """One measurement in a process of its own, so that memory is that method's."""
    draw = np.random.default_rng(1)
    table = draw.normal(size=(ROWS, FEATURES + 1))
    table[:, -1] += table[:, :-1] @ draw.normal(size=FEATURES)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with threadpool_limits(1):
        began = time.perf_counter()
        solution = METHODS[method](table)
        took = time.perf_counter() - began
    extra = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(took, extra, float(np.abs(solution).sum()))


def measure() -> list[list[str]]:
    """A row a method: seconds, ratio, extra memory; medians over the rounds. Raises AssertionError if answers
    differ.
    """
    rounds: list[dict[str, list[float]]] = []
    for _ in range(ROUNDS):
        answers = {}
        for method in METHODS:
            done = subprocess.run(
                [sys.executable, "-m", "tests.bench.training", method], capture_output=True, text=True, check=True
            )
            answers[method] = [float(word) for word in done.stdout.split()]
        rounds.append(answers)
    sums = [answers[method][2] for answers in rounds for method in METHODS]
    assert max(sums) - min(sums) < 1e-9 * max(sums), sums
    base = next(iter(METHODS))
    return [
        [
            method,
            f"{statistics.median(r[method][0] for r in rounds):.2f}",
            f"{statistics.median(r[base][0] / r[method][0] for r in rounds):.1f}",
            f"{statistics.median(r[method][1] for r in rounds):.0f}",
        ]
        for method in METHODS
    ]


if __name__ == "__main__":
    once(sys.argv[1])
