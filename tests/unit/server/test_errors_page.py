"""docs/errors.md has every refusal of a prediction, with its status and MLflow's code."""

import re
from pathlib import Path

import pytest

from linplane_server.errors import PredictionRefusal
from linplane_server.interfaces.mlflow import CODES
from linplane_server.problems import STATUSES

PAGE = (Path(__file__).parents[3] / "docs/errors.md").read_text("utf-8")
ROWS = re.findall(r"^\| (`[a-z-]+`(?:, `[a-z-]+`)*) \| ([^|]+) \| `([A-Z_]+)` \|$", PAGE, re.MULTILINE)
REFUSALS = [refusal for refusal in STATUSES if issubclass(refusal, PredictionRefusal)]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.__name__)
def test_errors_page_has_the_refusal(refusal: type[PredictionRefusal]) -> None:
    kind = refusal.kind.replace("_", "-")
    ((_, statuses, code),) = [row for row in ROWS if f"`{kind}`" in row[0]]
    assert str(STATUSES[refusal][0]) in re.findall(r"\d+", statuses)
    assert code == CODES.get(refusal, "BAD_REQUEST")


def test_errors_page_says_when_each_status_is_answered() -> None:
    statuses = [
        int(word) for row in re.findall(r"^\| ([0-9][0-9, ]+) ", PAGE, re.MULTILINE) for word in row.split(", ")
    ]
    assert {STATUSES[refusal][0] for refusal in REFUSALS} <= set(statuses)
