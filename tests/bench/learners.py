"""One measurement of a fit in a process of its own, so that memory is that method's. It runs in this environment, and
in `learners` of `cluster.clients`, which has scikit-learn and polars.

Arguments: `memory METHOD KIND ROWS FEATURES`, or `file METHOD PATH THREADS`. Prints Figures as JSON.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
BATCH, CHUNK = 8192, 50_000
TARGET = "y"


@dataclass(frozen=True)
class Figures:
    """CPU and clock in seconds; the process's peak memory, and how much of it came with the fit, in MB. `answer` is the
    sum of the coefficients' sizes.
    """

    cpu: float
    seconds: float
    peak: float
    extra: float
    answer: float


def rows_of(kind: str, rows: int, features: int) -> Floats:
    """Rows of normal numbers, of zeros and ones, or of both, whole numbers and cents, the target last."""
    draw = np.random.default_rng(1)
    table = np.empty((rows, features + 1))
    quarter = features // 4
    for start in range(0, rows, CHUNK):
        part = table[start : start + CHUNK]
        if kind == "0/1":
            part[:] = draw.random(part.shape) < 0.3
        else:
            part[:] = draw.standard_normal(part.shape)
        if kind == "mixed":
            part[:, quarter : 2 * quarter] = draw.random((len(part), quarter)) < 0.3
            part[:, 2 * quarter : 3 * quarter] = draw.integers(0, 10_000, (len(part), quarter))
            cents = part[:, 3 * quarter : -1]
            cents[:] = np.round(np.exp(draw.normal(3, 1, cents.shape)), 2)
        part[:, -1] += part[:, :-1].sum(axis=1)
    return table


def write_files(folder: Path, rows: int, features: int, group: int) -> tuple[Path, Path]:
    """The same rows of three decimals as `rows.csv` and `rows.parquet`, row groups of `group` rows."""
    import pyarrow as pa
    import pyarrow.csv as pacsv
    import pyarrow.parquet as pq

    draw, names = np.random.default_rng(1), [*(f"x{number}" for number in range(features)), TARGET]
    schema = pa.schema([(name, pa.float64()) for name in names])
    csv, parquet = folder / "rows.csv", folder / "rows.parquet"
    with pq.ParquetWriter(parquet, schema) as groups, pacsv.CSVWriter(csv, schema) as lines:
        for start in range(0, rows, group):
            x = np.round(draw.normal(100, 20, (min(group, rows - start), features)), 3)
            y = np.round(x @ np.arange(1, features + 1) / 100 + draw.standard_normal(len(x)), 3)
            table = pa.table(dict(zip(names, [*x.T, y], strict=True)), schema)
            groups.write_table(table, row_group_size=group)
            lines.write_table(table)
    return csv, parquet


def exact(wide: bool = False) -> Callable[[Floats], Floats]:
    """The trainer's own fit, as it gets rows from a reader; `wide`: that of more than 512 features."""
    from linplane_trainer.batch import Batch
    from linplane_trainer.fit.fitting import Fitting
    from linplane_trainer.fit.types import FitOptions
    from linplane_trainer.fit.wide.rows import WideRows
    from linplane_trainer.holdout import Holdout, HoldoutDraws

    def fit(table: Floats) -> Floats:
        options = FitOptions(tuple(f"x{number}" for number in range(table.shape[1] - 1)))
        fitting, draws = Fitting(options, WideRows(options) if wide else None), HoldoutDraws(Holdout(0))
        for start in range(0, len(table), BATCH):
            rows = table[start : start + BATCH]
            fitting.add(Batch(rows, np.ones(len(rows), dtype=bool), draws.draw(len(rows))))
        return fitting.result().coefficients

    return fit


def lstsq() -> Callable[[Floats], Floats]:
    """Singular values of the whole matrix."""

    def fit(table: Floats) -> Floats:
        design = np.column_stack([np.ones(len(table)), table[:, :-1]])
        return np.asarray(np.linalg.lstsq(design, table[:, -1], rcond=None)[0][1:], dtype=np.float64)

    return fit


def scikit_learn() -> Callable[[Floats], Floats]:
    """Its LinearRegression."""
    from sklearn.linear_model import LinearRegression

    return lambda table: np.asarray(LinearRegression().fit(table[:, :-1], table[:, -1]).coef_)


def trained(path: Path, threads: int) -> Callable[[], Floats]:
    """A whole training: the artifact's bytes are made too."""
    from linplane_api.task import FileData, Task
    from linplane_trainer.train import train

    task = Task("bench", "v1", FileData(str(path)), target=TARGET, holdout_percent=0)

    def run() -> Floats:
        result = train(task, path.parent, threads=threads)
        result.to_file("2026-01-01T00:00:00Z")
        return np.array(result.artifact.coefficients)

    return run


def by_pandas(path: Path, _: int) -> Callable[[], Floats]:
    """Read by pandas, fitted by scikit-learn."""
    import pandas as pd

    fit, read = scikit_learn(), pd.read_csv if path.suffix == ".csv" else pd.read_parquet
    return lambda: fit(read(path).to_numpy())


def by_polars(path: Path, _: int) -> Callable[[], Floats]:
    """Read by polars, whose threads its environment sets, and fitted by scikit-learn."""
    import polars as pl

    fit, read = scikit_learn(), pl.read_csv if path.suffix == ".csv" else pl.read_parquet
    return lambda: fit(read(path).to_numpy())


IN_MEMORY: dict[str, Callable[[], Callable[[Floats], Floats]]] = {
    "linplane": exact,
    "linplane, a factor in doubles": lambda: exact(wide=True),
    "numpy.linalg.lstsq": lstsq,
    "scikit-learn": scikit_learn,
}
FROM_FILES: dict[str, Callable[[Path, int], Callable[[], Floats]]] = {
    "linplane": trained,
    "pandas + scikit-learn": by_pandas,
    "polars + scikit-learn": by_polars,
}


def measured(fit: Callable[[], Floats]) -> Figures:
    """Runs it; imports were made before."""
    before, clock, cpu = peak_mb(), time.perf_counter(), time.process_time()
    coefficients = fit()
    cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
    return Figures(cpu, clock, peak_mb(), peak_mb() - before, float(np.abs(coefficients).sum()))


def peak_mb() -> float:
    """This process's largest memory so far: the kernel's other figure, ru_maxrss, begins with that of the parent."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM"))


def once(where: str, method: str, *words: str) -> Figures:
    """One measurement, by the arguments of the command."""
    if where == "file":
        path, threads = words
        return measured(FROM_FILES[method](Path(path), int(threads)))
    kind, rows, features = words
    fit, table = IN_MEMORY[method](), rows_of(kind, int(rows), int(features))
    return measured(lambda: fit(table))


def main(arguments: list[str]) -> Any:
    """Prints what `once` finds."""
    print(json.dumps(asdict(once(*arguments))))


if __name__ == "__main__":
    main(sys.argv[1:])
