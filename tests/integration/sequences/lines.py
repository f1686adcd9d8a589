"""Expected predictions of versions: from known coefficients, or from numpy's least squares."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from integration.cluster.objects import Object, config_map, version

TARGET = "price"
TOLERANCE = 1e-8  # relative: the trainer's QR and numpy's SVD agree to about 1e-14


@dataclass(frozen=True)
class Line:
    """`intercept` plus the sum of `coefficients` times features."""

    coefficients: Mapping[str, float]
    intercept: float

    def at(self, row: Mapping[str, float]) -> float:
        return self.intercept + sum(value * row[name] for name, value in self.coefficients.items())

    def gives(self, row: Mapping[str, float], prediction: float) -> bool:
        wanted = self.at(row)
        return abs(prediction - wanted) <= TOLERANCE * max(1.0, abs(wanted))


def simple(slope: float) -> Line:
    """A line that agrees with no other slope at any of the requested rows."""
    return Line({"x": slope}, 10.0 * slope)


@dataclass(frozen=True)
class Data:
    """Rows to train on, as CSV, and the line that fits them best."""

    csv: str
    line: Line


def data(seed: int, rows: int = 40) -> Data:
    """Rows around a different line for each seed. `x` from 0 to 10, noise with a standard deviation of 0.5."""
    chance = np.random.default_rng(seed)
    x = chance.uniform(0, 10, rows)
    y = (seed + 2.0) * x - 3.0 * seed + chance.normal(0, 0.5, rows)
    (slope, intercept), *_ = np.linalg.lstsq(np.column_stack([x, np.ones(rows)]), y, rcond=None)
    text = "\n".join(f"{a!r},{b!r}" for a, b in zip(x.tolist(), y.tolist(), strict=True))
    return Data(f"x,{TARGET}\n{text}\n", Line({"x": float(slope)}, float(intercept)))


def by_hand(model: str, name: str, line: Line) -> list[Object]:
    """A version and the ConfigMap with its weights."""
    weights = {"coefficients": dict(line.coefficients), "intercept": line.intercept}
    source = {"configMapKeyRef": {"name": f"{model}-{name}", "key": "model.json"}}
    return [
        config_map(f"{model}-{name}", **{"model.json": json.dumps(weights)}),
        version(name, model, weights=source),
    ]


def trained(model: str, name: str, rows: Data) -> list[Object]:
    """A version and the ConfigMap with the rows that it is trained on."""
    source = {"configMapKeyRef": {"name": f"{model}-{name}", "key": "rows.csv"}}
    training = {"data": source, "target": TARGET, "holdoutPercent": 0}
    return [config_map(f"{model}-{name}", **{"rows.csv": rows.csv}), version(name, model, training=training)]
