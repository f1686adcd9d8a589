"""The judge of the sequences finds every kind of fault, and no other."""

from dataclasses import replace

import pytest

from integration.sequences.judging import NO_ANSWER, Answer, Facts, Meaning, Outage, Withdrawal, judge
from integration.sequences.lines import data, simple

ROW = {"x": 2.0}
RIGHT = Answer("iris", ROW, "pod", 10.0, 10.1, 200, "v1", simple(1).at(ROW))
FACTS = Facts([Meaning("iris", "v1", simple(1), 0.0, 20.0), Meaning("iris", "v1", simple(2), 15.0)])
SECOND = replace(RIGHT, prediction=simple(2).at(ROW))

WRONG = {
    "a value of none": replace(RIGHT, prediction=RIGHT.prediction * (1 + 1e-6)),
    "no value": replace(RIGHT, prediction=float("nan")),
    "a value too early": replace(SECOND, began=14.0, ended=14.9),
    "a value too late": replace(RIGHT, began=20.1, ended=20.2),
    "a version of none": replace(RIGHT, version="v9"),
    "another route": replace(RIGHT, route="oak"),
    "an error": replace(RIGHT, status=503),
    "no answer": replace(RIGHT, status=0),
}


@pytest.mark.parametrize("answer", WRONG.values(), ids=WRONG)
def test_wrong_answer_is_found(answer: Answer) -> None:
    verdict = judge([RIGHT, answer], FACTS)
    assert verdict.right == 1
    assert len(verdict.wrong) == 1


@pytest.mark.parametrize("began", [15.0, 16.0, 20.0])
def test_both_values_are_right_while_a_version_is_remade(began: float) -> None:
    found = [replace(answer, began=began, ended=began + 0.1) for answer in (RIGHT, SECOND)]
    assert judge(found, FACTS).right == 2


@pytest.mark.parametrize(("began", "ended", "right"), [(4.9, 5.2, 1), (5.04, 5.1, 1), (5.06, 5.1, 0), (5.9, 6.1, 1)])
def test_answer_of_a_withdrawn_version_is_wrong(began: float, ended: float, right: int) -> None:
    facts = replace(FACTS, withdrawals=[Withdrawal(frozenset({"iris"}), "v1", 5.0, 6.0)])
    assert judge([replace(RIGHT, began=began, ended=ended)], facts).right == right
    assert judge([replace(RIGHT, began=began, ended=ended, route="oak")], facts).right == 0


@pytest.mark.parametrize(("status", "began", "expected"), [(404, 5.5, 1), (404, 4.9, 0), (404, 6.1, 0), (503, 5.5, 0)])
def test_failure_is_expected_during_its_outage(status: int, began: float, expected: int) -> None:
    facts = replace(FACTS, outages=[Outage(frozenset({404}), 5.0, 6.0)])
    verdict = judge([replace(RIGHT, status=status, began=began, ended=began)], facts)
    assert verdict.expected.total() == expected
    assert len(verdict.wrong) == 1 - expected


def test_request_in_progress_at_the_start_of_an_outage_may_fail() -> None:
    facts = replace(FACTS, outages=[Outage(frozenset({NO_ANSWER}), 5.0, 6.0)])
    assert judge([replace(RIGHT, status=NO_ANSWER, began=4.99, ended=5.01)], facts).expected.total() == 1


def test_data_has_a_line_of_its_own_for_each_seed() -> None:
    found = {round(data(seed).line.at(ROW), 3) for seed in range(40)}
    assert len(found) == 40
