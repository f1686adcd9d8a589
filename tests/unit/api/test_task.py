"""What programs hand each other beside documents: tasks, failures, reports, statuses, names."""

import json
import math
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_api import names
from linplane_api.artifact import Artifact
from linplane_api.canonical import FormatError
from linplane_api.manifests.validation import load_schemas
from linplane_api.report import Rejected, Report
from linplane_api.resources import (
    ConfigMapKeyRef,
    Data,
    LinearModelSpec,
    LinearModelStatus,
    ModelRouteSpec,
    ModelServerSpec,
    TrainingSpec,
    decimal,
    parse_spec,
    plain,
)
from linplane_api.task import Failure as TaskFailure
from linplane_api.task import FileData, SyntheticData, Task, UriData, missed_gates, parse_failure, parse_task
from unit.api.examples import trained
from unit.api.objects import accepted

SPECS: dict[str, Any] = {"LinearModel": LinearModelSpec, "ModelRoute": ModelRouteSpec, "ModelServer": ModelServerSpec}
DATA = (
    SyntheticData(200, 3, 0.1),
    FileData("data/penguins.csv"),
    UriData("https://example.com/a.csv", ("example.com",), ("169.254.0.0/16",), True),
)


@pytest.mark.parametrize("data", DATA)
def test_task_survives_as_text(data: Any) -> None:
    task = Task("penguin-mass", "v2", data, ("a", "b"), "c", False, 0.5, 0, 7)
    assert parse_task(task.to_text()) == task
    assert parse_task(json.dumps(json.loads(task.to_text()), indent=2)).to_text() == task.to_text()


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


def test_report_survives_and_is_what_the_crd_takes() -> None:
    report = Report("default", "u", "2026-01-01T00:00:00Z", "c", 7, 2, 1, (Rejected("iris", "damaged"),))
    body = json.loads(msgspec.json.encode(report))
    assert msgspec.convert(body, Report) == report
    head = {"apiVersion": names.API_VERSION, "kind": "ReplicaReport", "metadata": {"name": "p"}}
    assert load_schemas().validate({**head, "report": body}) == []


@pytest.mark.parametrize("name", accepted())
def test_valid_objects_can_be_read_as_their_typed_form(name: str) -> None:
    """Completed and not: who reads a manifest and who reads from an API server get the same."""
    new, _ = accepted()[name]
    if new["kind"] in SPECS:
        typed = parse_spec(new, SPECS[new["kind"]])
        assert typed == parse_spec(load_schemas().with_defaults(new), SPECS[new["kind"]])


def test_status_without_what_is_unknown_can_be_read_back() -> None:
    facts = trained().training
    assert facts
    evaluation = msgspec.structs.replace(facts.evaluation, r2=None)
    status = LinearModelStatus(samples=3, evaluation=evaluation)
    body = plain(status)
    assert body == {"samples": 3, "evaluation": {"on": "Holdout", "samples": 67, "mse": 151_000.25}}
    assert msgspec.convert(body, LinearModelStatus) == status
    head = {"apiVersion": names.API_VERSION, "kind": "LinearModel", "metadata": {"name": "m-v1"}}
    spec = {"model": "m", "version": "v1", "weights": {"configMapKeyRef": {"name": "a", "key": "b"}}}
    assert load_schemas().validate({**head, "spec": spec, "status": body}) == []


REF = ConfigMapKeyRef("rows", "rows.csv")


def _with_ref(kind: type[msgspec.Struct], **given: Any) -> Iterator[Any]:
    """A value for each place in the struct, at any depth, that holds a ConfigMapKeyRef: REF there, and nothing else."""
    for name, hint in get_type_hints(kind).items():
        for part in (hint, *get_args(hint)):
            if part is ConfigMapKeyRef:
                yield kind(**given, **{name: REF})
            elif isinstance(part, type) and issubclass(part, msgspec.Struct):
                yield from (kind(**given, **{name: inner}) for inner in _with_ref(part))


def test_source_ref_is_the_config_map_that_the_spec_refers_to() -> None:
    specs = list(_with_ref(LinearModelSpec, model="m", version="v1"))
    assert [spec.source_ref for spec in specs] == [REF] * 2
    other = LinearModelSpec("m", "v1", training=TrainingSpec(Data(uri="https://example.com/a.csv")))
    assert other.source_ref is None


@pytest.mark.parametrize(("text", "value"), [(3, 3.0), ("0.1", 0.1), ("1e-6", 1e-6), ("1E+2", 100.0), ("-0.5", -0.5)])
def test_decimal_is_the_nearest_float(text: int | str, value: float) -> None:
    assert decimal(text) == value


LABELS = st.from_regex(r"\A[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
VERSIONS = st.from_regex(r"\A[a-z0-9]{1,16}([.][a-z0-9]{1,7}){0,2}\Z")


@given(LABELS, VERSIONS, st.text())
def test_child_names_are_accepted_by_kubernetes(model: str, version: str, text: str) -> None:
    name = names.child_name(names.model_object_name(model, version), text)
    assert name.startswith("linplane-")
    assert len(name) <= 57
    schemas = load_schemas()
    body = {"apiVersion": names.API_VERSION, "kind": "ReplicaReport", "metadata": {"name": name}}
    assert "metadata.name" not in {problem.field for problem in schemas.validate(body)}


@given(LABELS, VERSIONS, LABELS, VERSIONS)
def test_child_names_of_two_versions_differ(model: str, version: str, other: str, another: str) -> None:
    same = names.model_object_name(model, version) == names.model_object_name(other, another)
    assert same == ((model, version) == (other, another))
