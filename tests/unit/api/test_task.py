"""Tasks, failures and gates of a training."""

import json
import math
import re
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_api.artifact import Artifact
from linplane_api.canonical import FormatError
from linplane_api.manifests.validation import load_schemas
from linplane_api.task import (
    SEPARATORS,
    CsvOptions,
    FileData,
    PostgresData,
    S3Data,
    SyntheticData,
    Task,
    TaskData,
    UriData,
    missed_gates,
    parse_failure,
    parse_task,
)
from linplane_api.task import Failure as TaskFailure
from unit.api.examples import CANARY, trained

DATA = (
    SyntheticData(200, 3, 0.1),
    FileData("data/penguins.csv"),
    FileData("data/penguins.csv", CsvOptions("\t", ",", ("?", "-999"))),
    UriData("https://example.com/a.csv", ("example.com",), ("169.254.0.0/16",), True),
    S3Data("rows", "sales/", "eu-central-1", "https://minio.example:9000", "reader", False, ("minio.example",)),
    PostgresData("select a from b", "warehouse", ("db.example",), ("169.254.0.0/16",), True),
)


def test_examples_cover_every_kind_of_data() -> None:
    assert {type(data) for data in DATA} == set(get_args(TaskData))


@pytest.mark.parametrize("data", DATA)
def test_task_survives_as_text(data: Any) -> None:
    task = Task("penguin-mass", "v2", data, ("a", "b"), "c", False, 0.5, 0, 7)
    assert parse_task(task.to_text()) == task
    assert parse_task(msgspec.structs.replace(task, exclude=("d",)).to_text()).exclude == ("d",)
    assert parse_task(msgspec.structs.replace(task, holdout_key="e").to_text()).holdout_key == "e"
    assert parse_task(json.dumps(json.loads(task.to_text()), indent=2)).to_text() == task.to_text()


def test_separators_of_a_task_are_those_of_the_crd() -> None:
    training = load_schemas().schema("LinearModel")["properties"]["spec"]["properties"]["training"]
    pattern = training["properties"]["data"]["properties"]["csv"]["properties"]["separator"]["pattern"]
    assert [sign for sign in map(chr, range(256)) if re.search(pattern, sign)] == sorted(SEPARATORS)


@pytest.mark.parametrize(("field", "value"), [("seed", -1), ("holdoutPercent", 91), ("ridge", -0.1), ("more", 1)])
def test_task_that_is_out_of_bounds_is_refused(field: str, value: Any) -> None:
    body = json.loads(Task("m", "v", DATA[0]).to_text())
    with pytest.raises(FormatError):
        parse_task(json.dumps(body | {field: value}))


def test_failure_survives_and_is_bounded() -> None:
    failure = TaskFailure("BadData", "column width: line 7 is not a number")
    assert parse_failure(msgspec.json.encode(failure)) == failure
    with pytest.raises(FormatError):
        parse_failure(json.dumps({"reason": "BadData", "message": "x" * 1025}))
    with pytest.raises(FormatError):
        parse_failure(json.dumps({"reason": "Other", "message": ""}))


def test_gates_say_what_was_missed() -> None:
    model = trained()  # mse 151000.25, r2 0.7589
    assert missed_gates(model, 151_000.25, 0.7589) == []
    assert missed_gates(model, None, None) == []
    mse, r2 = missed_gates(model, 151_000.0, 0.76)
    assert "maxMSE" in mse
    assert "minR2 0.76" in r2
    assert "0.7589" in r2
    assert len(missed_gates(model, 151_000.0, 0.7)) == 1
    by_hand = msgspec.structs.replace(model, training=None)
    assert len(missed_gates(by_hand, 1.0, -1.0)) == 2


@pytest.mark.parametrize(
    ("max_mse", "min_r2", "mse", "r2", "message"),
    [
        (None, 0.9999999, 1.0, 0.999285, "minR2 0.9999999: the holdout rows give 0.999285"),
        (None, 0.95, 1.0, 0.9499999, "minR2 0.95: the holdout rows give 0.9499999"),
        (None, 0.3, 1.0, math.nextafter(0.3, 0), "minR2 0.3: the holdout rows give 0.2999999999999999"),
        (1000, None, 1000.00001, 0.5, "maxMSE 1000: the holdout rows give 1000.00001"),
        (None, 0.94999996, 1.0, 0.94999995, "minR2 0.94999996: the holdout rows give 0.94999995"),
        (1.0000004, None, 1.00000044, 0.5, "maxMSE 1.0000004: the holdout rows give 1.00000044"),
        (1e30, None, 2e30, 0.5, "maxMSE 1e+30: the holdout rows give 2e+30"),
        (None, 0.9999999, 1.0, None, "minR2 0.9999999: the training has no such figure"),
    ],
)
def test_gates_show_enough_digits_to_see_the_difference(
    max_mse: float | None, min_r2: float | None, mse: float, r2: float | None, message: str
) -> None:
    assert missed_gates(evaluated(mse, r2), max_mse, min_r2) == [message]


@pytest.mark.parametrize(
    ("limit", "factors", "message"),
    [
        (12.5, (1.5, 12.5), None),
        (12, (1.5, 12.5), f"maxVIF 12: {CANARY} has a variance inflation factor of up to 12.5"),
        (1, (1.5, 12.5), f"maxVIF 1: flipper and {CANARY} have variance inflation factors of up to 12.5"),
        (10, (3.0, 10.0000001), f"maxVIF 10: {CANARY} has a variance inflation factor of up to 10.0000001"),
        (10, None, "maxVIF 10: the training has no such figure"),
        (10, (), "maxVIF 10: the training has no such figure"),
    ],
)
def test_gate_of_inflation_names_the_features(
    limit: float, factors: tuple[float, ...] | None, message: str | None
) -> None:
    training = msgspec.structs.replace(trained().training, variance_inflation=factors)
    artifact = msgspec.structs.replace(trained(), training=training)
    assert missed_gates(artifact, None, None, limit) == ([] if message is None else [message])
    assert missed_gates(artifact, None, None, None) == []


def evaluated(mse: float, r2: float | None) -> Artifact:
    training = trained().training
    assert training
    evaluation = msgspec.structs.replace(training.evaluation, mse=mse, r2=r2)
    return msgspec.structs.replace(trained(), training=msgspec.structs.replace(training, evaluation=evaluation))


FIGURES = st.floats(-1e9, 1e9)


@given(
    limit=FIGURES,
    value=FIGURES | st.floats(-1e-6, 1e-6),
    close=st.booleans(),
)
def test_figure_that_misses_a_gate_is_shown_on_the_missing_side(limit: float, value: float, close: bool) -> None:
    """Rounded to any number of digits, it must not read as one that passes. `close`: the value is relative."""
    judged = limit + value * max(abs(limit), 1) * 1e-6 if close else value
    for sign, missed in (
        (1, missed_gates(evaluated(judged, 0), limit, None)),
        (-1, missed_gates(evaluated(0, judged), None, limit)),
    ):
        assert bool(missed) == (sign * judged > sign * limit)
        for text in missed:
            gate, _, shown = text.partition(": the holdout rows give ")
            assert float(gate.split()[1]) == limit
            assert sign * float(shown) > sign * limit
