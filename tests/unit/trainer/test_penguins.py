"""The penguins of the example, against an independent least-squares solution on the same rows."""

import csv
from pathlib import Path

import numpy as np
import pytest

from linplane_api.artifact import predict
from linplane_api.manifests.manifest import read_documents
from linplane_api.resources import LinearModelSpec, parse_spec
from linplane_api.task import FileData, Task
from linplane_trainer.holdout import holdout_mask
from linplane_trainer.train import train

FOLDER = Path(__file__).parents[3] / "manifests/examples/penguins"
VERSIONS = {
    spec.version: spec
    for document in read_documents((FOLDER / "models.yaml").read_text(encoding="utf-8"))
    if (spec := parse_spec(document.body, LinearModelSpec))
}


def rows(columns: tuple[str, ...]) -> np.ndarray:
    """The columns of every row of the file, read by the standard library; a gap is NaN."""
    with (FOLDER / "penguins.csv").open(encoding="utf-8", newline="") as file:
        return np.array(
            [[float(row[c]) if row[c] not in ("", "NA") else np.nan for c in columns] for row in csv.DictReader(file)]
        )


@pytest.mark.parametrize("version", sorted(VERSIONS))
def test_predictions_agree_with_lstsq_to_nine_digits(version: str) -> None:
    training = VERSIONS[version].training
    assert training is not None
    assert training.features is not None
    assert training.target is not None
    task = Task(
        "penguin-mass", version, FileData("penguins.csv"), training.features, training.target, seed=training.seed
    )
    artifact = train(task, FOLDER).artifact

    table = rows((*training.features, training.target))
    used = ~np.isnan(table).any(axis=1) & ~holdout_mask(training.seed, training.holdout_percent, len(table))
    design = np.column_stack([np.ones(used.sum()), table[used, :-1]])
    solution = np.linalg.lstsq(design, table[used, -1], rcond=None)[0]

    whole = table[~np.isnan(table).any(axis=1), :-1]
    expected = solution[0] + whole @ solution[1:]
    answers = [predict(artifact.coefficients, artifact.intercept, row.tolist()) for row in whole]
    np.testing.assert_allclose(answers, expected, rtol=1e-9)
    assert artifact.training is not None
    assert artifact.training.samples == used.sum()
    assert artifact.training.dropped_rows == np.isnan(table).any(axis=1).sum()
