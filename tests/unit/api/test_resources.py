"""The typed form of specs and statuses."""

from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from linplane_api import names
from linplane_api.manifests.validation import load_schemas
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
from unit.api.examples import trained
from unit.api.objects import accepted

SPECS: dict[str, Any] = {"LinearModel": LinearModelSpec, "ModelRoute": ModelRouteSpec, "ModelServer": ModelServerSpec}


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
    evaluation = msgspec.structs.replace(facts.evaluation, r2=None, rows=None, residual_quantiles=None)
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
