"""An older operator preserves the status fields of a newer one."""

from typing import Any

import pytest

from linplane_api.kinds import LINEAR_MODEL, MODEL_ROUTE
from linplane_operator.compile.unknown_fields import with_unknown

READY = {"type": "Ready", "status": "True", "reason": "Ready", "message": "", "lastTransitionTime": "t"}
CASES: dict[str, tuple[Any, Any, Any]] = {
    "a field": ({"version": "v1"}, {"version": "v0", "later": {"a": 1}}, {"version": "v1", "later": {"a": 1}}),
    "a known field that is left out": ({}, {"version": "v0"}, {}),
    "a field of an object": (
        {"undo": {"version": "v1", "at": "t"}},
        {"undo": {"version": "v0", "at": "s", "by": "x"}},
        {"undo": {"version": "v1", "at": "t", "by": "x"}},
    ),
    "an object that goes": ({}, {"undo": {"version": "v0", "at": "s", "by": "x"}}, {}),
    "an item that is the same": (
        {"switches": [{"to": "v1", "at": "t"}, {"to": "v2", "at": "u"}]},
        {"switches": [{"to": "v0", "at": "s", "by": "w"}, {"to": "v1", "at": "t", "by": "x"}]},
        {"switches": [{"to": "v1", "at": "t", "by": "x"}, {"to": "v2", "at": "u"}]},
    ),
    "a field of a condition": (
        {"conditions": [READY]},
        {"conditions": [{**READY, "status": "False", "severity": "high"}]},
        {"conditions": [{**READY, "severity": "high"}]},
    ),
    "a type of conditions": (
        {"conditions": [READY]},
        {"conditions": [{**READY, "type": "Later"}, READY]},
        {"conditions": [READY, {**READY, "type": "Later"}]},
    ),
    "a known condition that goes": ({"conditions": [READY]}, {"conditions": [{**READY, "type": "Servable"}]}, None),
    "what is no list": ({"switches": [{"to": "v1", "at": "t"}]}, {"switches": "what", "conditions": 3}, None),
}


@pytest.mark.parametrize("name", CASES)
def test_unknown_fields_stay(name: str) -> None:
    status, before, expected = CASES[name]
    assert with_unknown(MODEL_ROUTE, status, before) == (status if expected is None else expected)


def test_known_fields_are_unchanged() -> None:
    before = {"digest": "d", "evaluation": {"on": "Holdout", "mse": 1.0, "samples": 2, "later": True}}
    status = {"digest": "d", "evaluation": {"on": "Holdout", "mse": 2.0, "samples": 2}}
    merged = with_unknown(LINEAR_MODEL, status, before)
    assert merged == {"digest": "d", "evaluation": {**status["evaluation"], "later": True}}
