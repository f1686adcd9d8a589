"""Artifact files: canonical, complete or refused, and errors never repeat the content."""

import hashlib
import json
import math
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_api.artifact import (
    Artifact,
    ArtifactFile,
    Check,
    PredictionError,
    parse_artifact,
    predict,
    with_checks,
)
from linplane_api.canonical import FormatError
from linplane_api.facts import Facts, LeftOutColumn, TrainingWarning
from unit.api.examples import CANARY, FINITE, MILD, artifacts, damaged, shuffled, trained

SHAPE = "an object with a number for each feature's name is needed"

TIME = "2026-01-01T00:00:00Z"


@given(artifacts())
def test_file_gives_the_same_artifact_back(model: Artifact) -> None:
    file = parse_artifact(model.to_file(TIME))
    assert file.artifact == model
    assert (file.digest, file.trained_at) == (model.digest, TIME)
    assert file.artifact.to_file(TIME) == model.to_file(TIME)


@given(artifacts(), st.integers(0, 1 << 30))
def test_artifact_does_not_depend_on_order_spaces_or_date(model: Artifact, seed: int) -> None:
    other = parse_artifact(shuffled(model.to_file(None), seed))
    assert other.artifact.to_file(None) == model.to_file(None)
    assert other.digest == parse_artifact(model.to_file(TIME)).digest


def test_fields_all_survive() -> None:
    model = trained()
    assert parse_artifact(model.to_file(TIME)).artifact == model
    assert parse_artifact(shuffled(model.to_file(None), 1)).digest == model.digest


FACTS = Facts(
    (LeftOutColumn("sex", "NotNumeric", 2), LeftOutColumn("note", "Empty")), 40, (TrainingWarning("New", "m"),)
)


def test_facts_are_outside_of_the_digest() -> None:
    file = parse_artifact(trained().to_file(TIME, FACTS))
    assert file.facts == FACTS
    assert file.digest == trained().digest
    assert parse_artifact(trained().to_file(TIME)).facts is None


def test_facts_that_a_later_trainer_adds_are_ignored() -> None:
    body = json.loads(trained().to_file(TIME, FACTS))
    body["facts"] |= {"rowsPerSecond": 5}
    body["facts"]["warnings"][0] |= {"columns": ["a"]}
    assert parse_artifact(json.dumps(body)).facts == FACTS


@pytest.mark.parametrize(
    ("facts", "fit_intercept", "comparable"),
    [(Facts(), True, True), (Facts(), False, True), (None, True, True), (None, False, False)],
)
def test_r2_of_an_earlier_trainer_without_intercept_is_not_comparable(
    facts: Facts | None, fit_intercept: bool, comparable: bool
) -> None:
    model = trained()
    assert model.training
    model = msgspec.structs.replace(
        model, training=msgspec.structs.replace(model.training, fit_intercept=fit_intercept)
    )
    file = parse_artifact(model.to_file(TIME, facts))
    assert model.training
    assert file.r2 == (model.training.evaluation.r2 if comparable else None)


def test_digest_is_that_of_rfc_8785_bytes() -> None:
    """Written out by hand, so that any language can do the same."""
    text = b'{"coefficients":[12.3,1e+21],"features":["area","\xc3\xa4"],"format":1,"intercept":7}'
    model = Artifact(("area", "ä"), (12.3, 1e21), 7.0)
    assert model.digest == "sha256:" + hashlib.sha256(text).hexdigest()


@pytest.mark.parametrize("change", ["coefficients", "intercept", "features", "target", "checks"])
def test_digest_changes_with_every_change_of_meaning(change: str) -> None:
    model = trained()
    other: dict[str, Any] = {
        "coefficients": (49.68, -0.10000000000000002),
        "intercept": -5780.83 + 1e-12,
        "features": ("flipper", "bill"),
        "target": "weight",
        "checks": (),
    }
    changed = msgspec.structs.replace(model, checks=())
    assert msgspec.structs.replace(changed, **{change: other[change]}).digest != model.digest


def test_damaged_files_are_refused_or_unchanged() -> None:
    model, refused = trained(), 0
    for seed in range(1000):
        file, error = _loaded(damaged(model.to_file(TIME), seed))
        if file:
            assert file.artifact == model, seed
        else:
            refused += 1
            assert error, seed
            assert CANARY not in error, seed
    assert refused > 900


def _loaded(data: bytes | str) -> tuple[ArtifactFile | None, str]:
    try:
        return parse_artifact(data), ""
    except FormatError as error:
        return None, str(error)


WRONG: list[tuple[str, str]] = [
    ("", "not JSON: line 1 column 1"),
    ("[]", "an artifact is a JSON object"),
    ("null", "an artifact is a JSON object"),
    ("\ufeff{}", "not JSON: line 1 column 1"),
    ('{"a": 1, "a": 1}', "an object has a duplicate key"),
    ('{"coefficients": {"a": NaN}, "intercept": 1}', "NaN is not a number of JSON"),
    ('{"coefficients": {"a": 1e400}, "intercept": 1}', "a number is out of range"),
    ('{"coefficients": {"a": 1' + "0" * 400 + '}, "intercept": 1}', "coefficients.a: Number out of range"),
    ('{"coefficients": {"a": 1' + "0" * 9999 + '}, "intercept": 1}', "not JSON: a number is out of range"),
    ("[" * 99_999, "not JSON: nested too deep"),
    ('{"coefficients": {"a": 1}}', "intercept: is missing"),
    ('{"intercept": 1}', "coefficients: is missing"),
    ('{"coefficients": {}, "intercept": 1}', "features: Expected `array` of length >= 1"),
    ('{"coefficients": {"": 1}, "intercept": 1}', "coefficients: Expected `str` of length >= 1"),
    ('{"coefficients": [1], "intercept": 1}', f"coefficients: {SHAPE}"),
    ('{"coefficients": {"a": "1"}, "intercept": 1}', "coefficients.a: Expected `float`, got `str`"),
    ('{"coefficients": {"a": true}, "intercept": 1}', "coefficients.a: Expected `float`, got `bool`"),
    ('{"coefficients": {"a": 1}, "intercept": null}', "intercept: Expected `float`, got `null`"),
    ('{"coefficients": {"a": 1}, "intercept": 1, "b": 2}', "weights by hand have coefficients and intercept, and nothing else"),  # noqa: E501
    ('{"coefficients": {"\\ud800": 1}, "intercept": 1}', "not representable as canonical JSON: CanonicalizationError"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), WRONG, ids=[message for _, message in WRONG])
def test_file_that_is_damaged_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_artifact(text)
    assert str(caught.value).partition("; write them like")[0] == message


def test_file_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(FormatError, match=r"not UTF-8 \(byte 2\)"):
        parse_artifact(b'{"\xff": 1}')


ONE_CHECK = [{"features": [1], "prediction": 1}]
WRONG_CHECK = [{"features": [0, 0], "prediction": 1}]
HUGE_CHECK = [{"features": [1e308, 0], "prediction": 1}]
FILE_CHANGES: list[tuple[str, Any, str]] = [
    ("digest", None, "digest: is not that of the artifact"),
    ("digest", "sha256:" + "0" * 64, "digest: is not that of the artifact"),
    ("trainedAt", "yesterday", "trainedAt: a date and time by RFC 3339 is needed"),
    ("trainedAt", 5, "trainedAt: a date and time by RFC 3339 is needed"),
    ("artifact.format", 2, "artifact: format 2 is not supported; this release reads 1"),
    ("artifact.format", 0, "artifact.format: Expected `int` >= 1"),
    ("artifact.features", ["a"], "artifact: as many coefficients as features are needed"),
    ("artifact.features", ["a", "a"], "artifact: features: duplicate name"),
    ("artifact.checks", ONE_CHECK, "artifact: checks[0]: has not one value for each feature"),
    ("artifact.checks", WRONG_CHECK, "artifact: checks[0]: the answer differs from the stored one"),
    ("artifact.checks", HUGE_CHECK, "artifact: checks[0]: the answer is not finite"),
    ("artifact.training.evaluation.on", CANARY, "artifact.training.evaluation.on: is not one of the allowed values"),
    ("artifact.training.samples", -1, "artifact.training.samples: Expected `int` >= 0"),
    (f"artifact.training.{CANARY}", 1, "digest: is not that of the artifact"),
    ("facts", [], "facts: Expected `object`, got `array`"),
    ("facts", {"leftOut": [{"column": "a", "reason": "Text"}] * 33}, "facts.leftOut: Expected `array` of length <= 32"),
]


@pytest.mark.parametrize(("field", "value", "message"), FILE_CHANGES)
def test_parts_of_a_file_are_each_checked(field: str, value: Any, message: str) -> None:
    body = json.loads(trained().to_file(TIME))
    *parents, last = field.split(".")
    part = body
    for parent in parents:
        part = part[parent]
    part[last] = value
    with pytest.raises(FormatError) as caught:
        parse_artifact(json.dumps(body))
    assert str(caught.value).partition("; write them like")[0] == message


def test_weights_by_hand_get_checks_and_no_date() -> None:
    file = parse_artifact('{"intercept": 7, "coefficients": {"area": 12.3, "age": -1}}')
    assert file.artifact.features == ("area", "age")
    assert file.artifact.coefficients == (12.3, -1.0)
    assert (file.artifact.training, file.trained_at) == (None, None)
    assert [check.prediction for check in file.artifact.checks] == [7.0, 18.3, 11.65]
    assert parse_artifact(file.artifact.to_file(None)).digest == file.digest


@given(st.dictionaries(st.text(min_size=1, max_size=9), FINITE | st.integers(-(1 << 53), 1 << 53), max_size=5), FINITE)
def test_weights_by_hand_load_unless_a_name_is_no_text(coefficients: dict[str, float], intercept: float) -> None:
    file, error = _loaded(json.dumps({"coefficients": coefficients, "intercept": intercept}))
    if file:
        assert dict(zip(file.artifact.features, file.artifact.coefficients, strict=True)) == coefficients
    else:
        assert not coefficients or "not representable" in error
        assert not coefficients or any("\ud800" <= sign <= "\udfff" for name in coefficients for sign in name)


@given(st.lists(st.tuples(MILD, MILD), max_size=9), MILD)
def test_prediction_is_the_exact_sum_rounded_once(pairs: list[tuple[float, float]], intercept: float) -> None:
    coefficients, values = [c for c, _ in pairs], [v for _, v in pairs]
    exact = sum((Fraction(c * v) for c, v in pairs), Fraction(intercept))
    assert predict(coefficients, intercept, values) == float(exact)
    assert predict(coefficients[::-1], intercept, values[::-1]) == float(exact)


def test_prediction_does_not_lose_small_terms() -> None:
    assert predict([1e16, 1.0, -1e16], 0.0, [1.0, 1.0, 1.0]) == 1.0


@pytest.mark.parametrize(
    "values",
    [[1e308, 1e308], [math.inf, 0.0], [math.nan, 0.0], [math.inf, -math.inf], [1.7e308, 1.7e308]],
)
def test_prediction_that_is_not_finite_is_an_error(values: list[float]) -> None:
    with pytest.raises(PredictionError):
        predict([1.0, 10.0], 0.0, values)


@given(st.lists(FINITE, min_size=1, max_size=5), FINITE)
def test_checks_that_are_made_always_hold(coefficients: list[float], intercept: float) -> None:
    features = tuple(f"x{i}" for i in range(len(coefficients)))
    model = with_checks(Artifact(features, tuple(coefficients), intercept))
    assert model.checks[0] == Check((0.0,) * len(features), intercept)
    msgspec.structs.replace(model)  # judged again


def test_checks_hold_rounded_statistics_only() -> None:
    zeros, centre, moved = trained().checks
    assert zeros.features == (0.0, 0.0)
    assert centre.features == (200.0, 200.0)
    assert moved.features == (186.0, 214.0)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_artifact_cannot_be_made_of_what_is_not_finite(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        Artifact(("a",), (value,), 0.0)
    with pytest.raises(ValueError, match="finite"):
        Artifact(("a",), (0.0,), value)


@pytest.mark.parametrize(
    "weights",
    [
        [1.5, 2.5],
        {"coef_": [1.5, 2.5], "intercept_": 1},
        {"coefficients": [1.5, 2.5], "intercept": 1},
        {"coefficients": {"x": 1}, "intercept": 1, "target": "y"},
        {"params": {"const": 1, "x": 2}},
        {"const": 1, "x": 2},
        {"coefficients": {"x": 1}},
    ],
)
def test_weights_of_a_plausible_wrong_shape_show_the_right_one(weights: Any) -> None:
    with pytest.raises(FormatError) as error:
        parse_artifact(json.dumps(weights))
    assert error.value.problem.endswith('{"coefficients": {"area": 12.3, "rooms": -20}, "intercept": 150}')
