"""The CRDs' rules: which objects each refuses and accepts, with the messages that users read."""

import itertools
import re
from typing import Any

import pytest

from linplane_api.kinds import OURS
from linplane_api.manifests.validation import Problem, Rule, load_schemas
from unit.api.objects import INVALID, accepted, refusal

SCHEMAS = load_schemas()
ACCEPTED = accepted()
# a name is MODEL-VERSION, so to change either of the two breaks that as well
TWICE_WRONG = {"model-changes", "version-changes"}


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_invalid_manifests_are_each_refused_for_one_reason(path: Any) -> None:
    wrong = refusal(path)
    found = SCHEMAS.validate(wrong.new, wrong.old)
    assert [p for p in found if p.field == wrong.field and wrong.message in p.message], list(map(str, found))
    assert len(found) == 1 + (path.stem in TWICE_WRONG), list(map(str, found))
    if wrong.old:
        assert SCHEMAS.validate(wrong.old) == []
        assert SCHEMAS.validate(wrong.old, wrong.old) == []


@pytest.mark.parametrize("name", ACCEPTED)
def test_valid_objects_are_each_accepted(name: str) -> None:
    new, old = ACCEPTED[name]
    assert SCHEMAS.validate(new, old) == []
    assert old is None or SCHEMAS.validate(old) == []


def test_rules_each_have_an_invalid_manifest() -> None:
    assert len(INVALID) >= 40
    expected = [(wrong.new["kind"], wrong.field, wrong.message) for wrong in map(refusal, INVALID)]
    for kind in OURS:
        for rule in SCHEMAS.rules(kind.kind):
            field = ".".join((*(step or "[]" for step in rule.place), *rule.field_path)).replace(".[]", "")
            assert [
                message
                for where, at, message in expected
                if where == kind.kind and re.sub(r"\[\d+\]", "", at) == field and message in rule.message
            ], f"{kind.kind} {field}: {rule.message}"


def test_rules_are_each_reached_by_a_valid_object(monkeypatch: pytest.MonkeyPatch) -> None:
    reached: set[int] = set()
    verdict = Rule._verdict

    def noted(self: Rule, value: Any, before: Any) -> str | None:
        reached.add(id(self))
        return verdict(self, value, before)

    monkeypatch.setattr(Rule, "_verdict", noted)
    for new, old in ACCEPTED.values():
        SCHEMAS.validate(new, old)
    missed = [
        f"{kind.kind}: {rule.text}" for kind in OURS for rule in SCHEMAS.rules(kind.kind) if id(rule) not in reached
    ]
    assert missed == []


def test_rules_all_run_on_these_objects() -> None:
    pairs = [*ACCEPTED.values(), *((wrong.new, wrong.old) for wrong in map(refusal, INVALID))]
    problems = [problem for new, old in pairs for problem in SCHEMAS.validate(new, old)]
    assert not [problem for problem in problems if "could not be evaluated" in problem.message]


def _route(*percents: object) -> dict[str, Any]:
    split = [{"version": f"v{i + 2}", "percent": percent} for i, percent in enumerate(percents)]
    spec = {"model": "m", "version": "v1", "split": split}
    return {"apiVersion": "linplane.dev/v1alpha1", "kind": "ModelRoute", "metadata": {"name": "m"}, "spec": spec}


def test_sum_of_percents_is_exact_to_the_hundredth() -> None:
    (rule,) = [rule for rule in SCHEMAS.rules("ModelRoute") if "together" in rule.message]
    for hundredths in range(0, 10_001, 3):
        rest = 10_000 - hundredths
        first, second, over = (f"{n // 100}.{n % 100:02}" for n in (hundredths, rest, rest + 1))
        assert not list(rule.problems(_route(first, second), None)), first
        assert list(rule.problems(_route(first, over), None)), first


@pytest.mark.parametrize("percent", [0, 100, "0", "100", "100.0", "99.99", "0.01", "7.5"])
def test_percents_that_are_accepted(percent: object) -> None:
    assert SCHEMAS.validate(_route(percent)) == []


@pytest.mark.parametrize(
    "percent", [101, -1, "100.01", "", " 1", "1 ", "1.", ".5", "1e1", "+1", "NaN", "1.234", "1\n", "٣"]
)
def test_percents_that_are_refused(percent: object) -> None:
    (problem,) = SCHEMAS.validate(_route(percent))
    assert problem.field == "spec.split[0].percent"


def test_frozen_version_refuses_whatever_else_is_changed() -> None:
    """Every pair of different specs, one frozen: refused, unless nothing but `frozen` differs."""
    weights = {"configMapKeyRef": {"name": "a", "key": "b"}}
    training = {"data": {"synthetic": {"samples": 9}}}
    gates = [None, {"minR2": 1}]
    rest = [(key, given, gate) for key, given in (("weights", weights), ("training", training)) for gate in gates]
    for before, after, frozen in itertools.product(rest, rest, (True, False, None)):
        old, new = _model(*before, frozen=True), _model(*after, frozen=frozen)
        fields = [problem.field for problem in SCHEMAS.validate(new, old)]
        assert fields == ([] if before == after else ["spec.frozen"]), (before, after)
        assert SCHEMAS.validate(new, _model(*before, frozen=False)) == []


def _model(key: str, given: object, gate: object, *, frozen: bool | None) -> dict[str, Any]:
    spec = {"model": "m", "version": "v1", key: given, "acceptance": gate, "frozen": frozen}
    return {"apiVersion": "linplane.dev/v1alpha1", "kind": "LinearModel", "metadata": {"name": "m-v1"}, "spec": spec}


@pytest.mark.parametrize(("before", "after"), [("weights", "training"), ("training", "weights")])
def test_training_can_neither_vanish_nor_be_replaced(before: str, after: str) -> None:
    given = {
        "weights": {"configMapKeyRef": {"name": "a", "key": "b"}},
        "training": {"data": {"synthetic": {"samples": 9}}},
    }
    old = _model(before, given[before], None, frozen=None) | {"status": {"digest": f"sha256:{'0' * 64}"}}
    new = _model(after, given[after], None, frozen=None)
    assert {problem.field for problem in SCHEMAS.validate(new, old)} == {"spec.training", "spec.weights"}


def test_rule_that_fails_to_run_is_a_problem_and_no_exception() -> None:
    rule = Rule((), {"rule": "self.a.b == 1", "message": "must hold", "fieldPath": ".a"})
    assert list(rule.problems({"a": {}}, None)) == [
        Problem("a", "must hold (the rule could not be evaluated: KeyError)")
    ]


def test_transition_rule_waits_for_a_value_before() -> None:
    rule = Rule(("spec",), {"rule": "self.a == oldSelf.a", "message": "cannot change"})
    assert rule.is_transition
    assert list(rule.problems({"spec": {"a": 1}}, {"status": {}})) == []
    assert list(rule.problems({"spec": {"a": 1}}, {"spec": {"a": 2}})) == [Problem("spec", "cannot change")]


def test_message_of_an_expression_names_what_is_meant() -> None:
    wrong = {**_model("weights", {"configMapKeyRef": {"name": "a", "key": "b"}}, None, frozen=None)}
    wrong["metadata"] = {"name": "m-v2"}
    (problem,) = SCHEMAS.validate(wrong)
    assert str(problem) == "metadata.name: must be m-v1 (spec.model, a hyphen, spec.version)"
    promoted = _route(10)
    promoted["spec"]["version"] = "v2"
    (problem,) = SCHEMAS.validate(promoted)
    assert str(problem) == (
        "spec.split: names v2, which spec.version makes current: to promote it, set version and drop it from split in "
        "one change"
    )


@pytest.mark.parametrize("expression", ["self.b", "1", "''", "'a\\nb'"])
def test_expression_that_gives_no_line_of_text_leaves_the_message(expression: str) -> None:
    """As an API server."""
    rule = Rule((), {"rule": "false", "message": "must hold", "messageExpression": expression})
    assert list(rule.problems({"a": 1}, None)) == [Problem("", "must hold")]
