"""Predictions of many rows: a block against `X @ w`, and against row by row, one BLAS thread each.

Run with a method as its argument, this prints one measurement: CPU milliseconds, extra memory in MB, and the answers'
digest.
"""

import hashlib
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from linplane_api.artifact import predict
from linplane_api.blocks import predict_block

from . import page

ROWS, FEATURES, ROUNDS, CALLS = 100_000, 100, 5, 5
INTERCEPT = 0.5
SLICE = 1_000

Floats = NDArray[np.float64]

TEXT = """Written by `make bench`, on: {machine}; medians of {rounds} rounds of {calls} calls.

{rows:,} rows of {features} features, float64 in memory, one BLAS thread. The baseline rounds at each step; the two
others round each sum once, and give the same bits. CPU is user and system time of the process; extra memory does not
include the rows.

{table}"""


def by_dgemv(block: Floats, weights: Floats) -> Floats:
    """The baseline: as fast as memory is read, and the last digits depend on the machine."""
    return np.asarray(block @ weights + INTERCEPT)


def by_row(block: Floats, weights: Floats) -> Floats:
    """As a single row is answered."""
    coefficients = weights.tolist()
    values = np.empty(len(block))
    for start in range(0, len(block), SLICE):
        rows = block[start : start + SLICE].tolist()
        values[start : start + SLICE] = [predict(coefficients, INTERCEPT, row) for row in rows]
    return values


def by_block(block: Floats, weights: Floats) -> Floats:
    """As a batch is answered."""
    return predict_block(weights.tolist(), INTERCEPT, block)


METHODS: dict[str, Callable[[Floats, Floats], Floats]] = {
    "numpy `X @ w`": by_dgemv,
    "row by row": by_row,
    "as a block": by_block,
}


def once(method: str) -> None:
    """One measurement in a process of its own, so that memory is that method's."""
    draw = np.random.default_rng(1)
    block, weights = draw.normal(size=(ROWS, FEATURES)), draw.normal(size=FEATURES)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    took = []
    with threadpool_limits(1):
        for _ in range(CALLS):
            began = time.process_time()
            values = METHODS[method](block, weights)
            took.append(time.process_time() - began)
    extra = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(1000 * statistics.median(took), extra, hashlib.sha256(values.tobytes()).hexdigest())


def section() -> str:
    """The section."""
    facts = {"rounds": ROUNDS, "calls": CALLS, "rows": ROWS, "features": FEATURES}
    table = page.table(("method", "CPU ms", "x `X @ w`", "extra MB"), measure())
    return TEXT.format(machine=page.machine(), table=table, **facts)


def measure() -> list[list[str]]:
    """A row a method: CPU, ratio, extra memory. Raises AssertionError if a block's bits are not those of its rows."""
    rounds: list[dict[str, list[str]]] = []
    for _ in range(ROUNDS):
        answers = {}
        for method in METHODS:
            command = [sys.executable, "-m", "tests.bench.blocks", method]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            answers[method] = done.stdout.split()
        assert answers["as a block"][2] == answers["row by row"][2]
        rounds.append(answers)
    base = next(iter(METHODS))
    return [
        [
            method,
            f"{statistics.median(float(r[method][0]) for r in rounds):.1f}",
            f"{statistics.median(float(r[method][0]) / float(r[base][0]) for r in rounds):.1f}",
            f"{statistics.median(float(r[method][1]) for r in rounds):.1f}",
        ]
        for method in METHODS
    ]


if __name__ == "__main__":
    once(sys.argv[1])
