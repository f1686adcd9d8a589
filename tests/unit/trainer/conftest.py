"""Ways to fit that the trainer's tests share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from linplane_api.artifact import Artifact
from linplane_api.task import FileData, Task
from linplane_trainer.batch import Batch
from linplane_trainer.fit.fitting import Fitting
from linplane_trainer.fit.types import Fit, FitOptions
from linplane_trainer.fit.wide.rows import WideRows
from linplane_trainer.holdout import Holdout, HoldoutDraws
from linplane_trainer.train import Trained, train

FitRows = Callable[..., Fit]


@pytest.fixture
def fit_rows() -> FitRows:
    """fit_rows(x, y, batch=..., kept=..., **options): the library's fit of plain arrays."""

    def fit(
        x: np.ndarray,
        y: np.ndarray,
        batch: int = 1 << 30,
        kept: np.ndarray | None = None,
        block_rows: int | None = None,
        **options: Any,
    ) -> Fit:
        values = np.column_stack([x, y]).astype(float)
        mask = np.ones(len(values), dtype=bool) if kept is None else kept
        names = tuple(f"x{number}" for number in range(values.shape[1] - 1))
        draws = HoldoutDraws(Holdout(options.pop("holdout_percent", 0), options.pop("seed", 0)))
        settings = FitOptions(names, **options)
        fitting = Fitting(settings, None if block_rows is None else WideRows(settings, block_rows))
        for start in range(0, len(values), batch):
            part = mask[start : start + batch]
            fitting.add(Batch(values[start : start + batch][part], part, draws.draw(len(part))))
        return fitting.result()

    return fit


@pytest.fixture
def train_csv(learn_csv: Callable[..., Trained]) -> Callable[..., Artifact]:
    """The artifact of `learn_csv`."""
    return lambda *args, **fields: learn_csv(*args, **fields).artifact


@pytest.fixture
def learn_csv(tmp_path: Path) -> Callable[..., Trained]:
    """learn_csv(text, target="y", **task fields): trains on a CSV file with that content."""

    def run(text: str | bytes, target: str | None = "y", **fields: Any) -> Trained:
        (tmp_path / "rows.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
        task: dict[str, Any] = {
            "model": "m",
            "version": "v1",
            "data": FileData("rows.csv"),
            "target": target,
            "holdout_percent": 0,
        }
        return train(Task(**(task | fields)), tmp_path)

    return run
