"""Columns left out and warnings are in the result, outside of the digest."""

import gzip
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from linplane_api.artifact import parse_artifact
from linplane_api.facts import LeftOutColumn, data_hash
from linplane_api.task import FileData, SyntheticData, Task
from linplane_trainer.data import csv_table
from linplane_trainer.fit.types import FitOptions
from linplane_trainer.train import train
from linplane_trainer.training_facts import facts_of

TABLES = Path(__file__).parents[2] / "data" / "tables"


def learn(name, **fields):
    return train(Task("m", "v1", FileData(f"{name}.csv"), target="y", **({"holdout_percent": 0} | fields)), TABLES)


def warnings(trained):
    return {warning.reason: warning.message for warning in trained.facts.warnings}


def rows(count, *columns):
    """A header and rows of small numbers that no fit explains, with the given columns of text before the target."""
    generator = np.random.default_rng(5)
    head = ",".join(["a", *(name for name, _ in columns), "y"])
    cells = ([f"{generator.random():.4f}", *(make(i) for _, make in columns)] for i in range(count))
    return "\n".join([head, *(",".join([*row, f"{generator.random():.4f}"]) for row in cells)]) + "\n"


def test_text_column_is_left_out_and_named():
    trained = learn("text-column")
    assert trained.artifact.features == ("x",)
    assert trained.facts.left_out == (LeftOutColumn("smoker", "NotNumeric", 2),)
    assert warnings(trained) == {"ColumnsLeftOut": "1 column was left out: smoker (text, line 2)"}


def test_columns_that_are_nearly_dependent_are_named():
    """Trained, since doubles keep them apart, with a warning."""
    found = warnings(learn("near-dependent"))
    what = "year, month and date are nearly a combination of other columns"
    assert found["NearlyDependent"] == f"{what}, with a variance inflation factor of up to 4.3e+23"


def test_columns_that_are_hard_but_apart_are_no_warning(fit_rows):
    """A factor below 1e10: twelve cosines of a common trend."""
    generator = np.random.default_rng(0)
    trend = generator.standard_normal(300)
    x = np.column_stack([trend + 1e-4 * generator.standard_normal(300) for _ in range(3)])
    fit = fit_rows(x, generator.standard_normal(300))
    assert 1e6 < fit.inflation.max() < 1e10
    options = FitOptions(("a", "b", "c"))
    assert facts_of(options, "y", fit, (), {}).warnings == ()


def test_features_that_are_listed_leave_nothing_out(learn_csv):
    assert learn_csv(rows(40, ("note", lambda _: "x")), features=("a",)).facts.left_out == ()


def test_columns_left_out_are_counted_and_the_first_of_them_named(learn_csv):
    """Text by the line of its first word, a column of gaps without one."""
    columns = [(f"c{number}", lambda i: "NA" if i < 3 else "word") for number in range(40)]
    facts = learn_csv(rows(40, *columns, ("empty", lambda _: "NA"))).facts
    assert facts.left_out_count == 41
    assert facts.left_out == tuple(LeftOutColumn(f"c{number}", "NotNumeric", 5) for number in range(32))
    (warning,) = facts.warnings
    assert warning.message.startswith("41 columns were left out: c0 (text, line 5), c1 (text, line 5), ")
    assert warning.message.endswith(" and 29 more")


def test_column_without_a_name_is_left_out_by_its_number(learn_csv):
    """Also if it is numeric."""
    facts = learn_csv(rows(40, ("", str), ("note", lambda _: "x"), (" ", lambda _: "x"))).facts
    assert [(one.column, one.reason) for one in facts.left_out] == [
        ("column 2", "NoName"),
        ("note", "NotNumeric"),
        ("column 4", "NoName"),
    ]
    (warning,) = facts.warnings
    text = "column 2 (no name), note (text, line 2), column 4 (no name)"
    assert (warning.reason, warning.message) == ("ColumnsLeftOut", f"3 columns were left out: {text}")


def test_row_numbers_are_no_warning(learn_csv):
    """As R and pandas write them: a first column without a name."""
    text = "".join(f"{number},{line}\n" for number, line in enumerate(rows(40).splitlines())).removeprefix("0")
    facts = learn_csv(text).facts
    assert facts.left_out == (LeftOutColumn("column 1", "NoName"),)
    assert facts.warnings == ()


def test_column_of_gaps_is_left_out(learn_csv):
    facts = learn_csv(rows(40, ("empty", lambda _: "NA"))).facts
    assert facts.left_out == (LeftOutColumn("empty", "Empty"),)
    assert facts.warnings[0].message == "1 column was left out: empty (no value in the first MiB)"


@pytest.mark.parametrize(("numbers", "line"), [(19, 21), (0, 2)])
def test_column_is_text_if_less_than_half_of_its_values_are_numbers(learn_csv, numbers, line):
    """Gaps don't count; the line is that of the first value that is no number."""
    trained = learn_csv(rows(60, ("c", lambda i: "1.5" if i < numbers else "word" if i < 40 else "")))
    assert trained.facts.left_out == (LeftOutColumn("c", "NotNumeric", line),)


def test_lines_of_columns_left_out_count_blank_lines_and_quoted_newlines(learn_csv):
    text = rows(40, ('"p\nq"', lambda i: '"u\nv"'), ("c", lambda i: "" if i < 2 else "word"))
    facts = learn_csv(text.replace("\n", "\n\n", 3)).facts  # one of them within the name of a column
    assert [(one.column, one.line) for one in facts.left_out] == [("p\n\nq", 5), ("c", 11)]


def test_line_is_known_for_the_first_bytes_only(learn_csv, monkeypatch):
    """The last row of the first block may be a header's length past them: the column is named without a line."""
    monkeypatch.setattr(csv_table, "BLOCK_BYTES", 64)
    facts = learn_csv("a,c,y\n0.00,,1\n" + "".join(f"{i},,{i % 3}\n" for i in range(10)) + "1,w,1\n" * 20).facts
    assert facts.left_out == (LeftOutColumn("c", "NotNumeric"),)
    assert facts.warnings[0].message == "1 column was left out: c (text)"


def test_booleans_are_one_and_zero():
    """As with a 1 and a 0: the same coefficients."""
    trained = learn("true-false")
    text = (TABLES / "true-false.csv").read_text()
    assert "True" in text
    assert trained.artifact.features == ("x", "smoker_yes")
    assert trained.artifact.training.evaluation.r2 > 0.99


@pytest.mark.parametrize("features", [None, ("a", "b")])
@pytest.mark.parametrize(("true", "false"), [("True", "False"), ("TRUE", "FALSE"), ("true", "false"), ('" tRuE"', "0")])
def test_booleans_are_those_of_a_column_of_ones_and_zeros(learn_csv, features, true, false):
    """Listed or not, in any case, and in the target."""
    words = rows(40, ("b", lambda i: true if i % 3 else false))
    numbers = rows(40, ("b", lambda i: "1" if i % 3 else "0"))
    assert learn_csv(words, features=features).artifact == learn_csv(numbers, features=features).artifact
    swapped = [text.replace(",b,y", ",y,b") for text in (words, numbers)]
    assert learn_csv(swapped[0]).artifact == learn_csv(swapped[1]).artifact


def test_rows_that_were_dropped_are_warned_of():
    trained = learn("most-rows-dropped")
    assert trained.artifact.training.dropped_rows == 380
    found = warnings(trained)
    assert found["RowsDropped"] == "380 of 400 rows (95 %) have a gap in a column in use and were dropped"
    assert found["FewRows"] == "20 rows were fitted for 4 coefficients, fewer than 10 for each"


@pytest.mark.parametrize(("gaps", "warned"), [(5, False), (6, True)])
def test_rows_dropped_up_to_five_percent_give_no_warning(learn_csv, gaps, warned):
    """Of all rows, those held out among them."""
    text = rows(100 - gaps) + "NA,1\n" * gaps
    assert ("RowsDropped" in warnings(learn_csv(text, holdout_percent=20))) == warned


@pytest.mark.parametrize(("count", "warned"), [(20, False), (19, True)])
def test_rows_enough_are_ten_for_each_coefficient(learn_csv, count, warned):
    """The intercept is one of them."""
    assert ("FewRows" in warnings(learn_csv(rows(count)))) == warned


def test_feature_that_is_the_target_is_warned_of(learn_csv):
    text = rows(40).splitlines()
    text = "\n".join([text[0] + ",copy", *(f"{line},{line.split(',')[1]}0" for line in text[1:])])
    assert warnings(learn_csv(text)) == {"TargetRepeated": "copy equals the target y in every row"}


def test_feature_that_is_the_target_in_most_rows_is_not(learn_csv):
    text = rows(40).splitlines()
    text = "\n".join([text[0] + ",copy", *(f"{line},{line.split(',')[1]}0" for line in text[1:]), "1,2,3"])
    assert warnings(learn_csv(text)) == {}


@pytest.mark.parametrize(("noise", "count", "warned"), [(0.0, 100, True), (1e-3, 100, False), (0.0, 4, False)])
def test_features_that_give_the_target_exactly_are_warned_of(tmp_path, noise, count, warned):
    """With more than two rows for each coefficient: two points are always on a line."""
    trained = train(Task("m", "v1", SyntheticData(count, 1, noise), holdout_percent=0), tmp_path)
    assert ("TargetRepeated" in warnings(trained)) == warned


def test_warnings_are_none_without_cause():
    assert warnings(learn("r2-without-intercept")) == {}


def test_facts_are_in_the_file_and_not_in_the_digest():
    trained = learn("text-column")
    file = parse_artifact(trained.to_file("2026-01-01T00:00:00Z"))
    assert file.facts == trained.facts
    assert file.digest == trained.artifact.digest == learn("text-column", features=("x",)).artifact.digest


def test_r2_of_versions_with_and_without_intercept_can_be_compared():
    """On 8 held rows; about zero, the worse one had 0.893."""
    without, beside = (learn("r2-without-intercept", holdout_percent=20, fit_intercept=fit) for fit in (False, True))
    found = [trained.artifact.training.evaluation for trained in (without, beside)]
    assert [(round(one.mse), round(one.r2, 3)) for one in found] == [(1101, -66.31), (24, -0.454)]


def test_hash_of_the_data_is_in_the_facts(learn_csv):
    """So the operator can see that data in a ConfigMap was edited before a pod mounted it, or after."""
    assert learn("text-column").facts.data == data_hash((TABLES / "text-column.csv").read_bytes())
    assert train(Task("m", "v1", SyntheticData(20, 1, 0.1)), TABLES).facts.data is None
    large = "a,y\n" + "1.00000000001,2.0000000001\n2.0000001,3\n" * 40_000
    assert learn_csv(large).facts.data is None
    assert learn_csv(large).facts.sha256 == sha256(large.encode()).hexdigest()
    packed = gzip.compress(large.encode())
    assert learn_csv(packed).facts.sha256 == sha256(packed).hexdigest()
    assert train(Task("m", "v1", SyntheticData(20, 1, 0.1)), TABLES).facts.sha256 is None
