"""Every error of a CSV names the column and the true line, and none repeats a value."""

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_api.task import FileData, Task
from linplane_trainer.data import csv_table
from linplane_trainer.data.csv_cells import count_column
from linplane_trainer.data.csv_header import Selection, check_names
from linplane_trainer.data.csv_numbers import NumberRules
from linplane_trainer.errors import BadData
from linplane_trainer.holdout import Holdout
from linplane_trainer.train import train

TABLES = Path(__file__).parents[2] / "data" / "tables"

CANARY = "s3cr3t"
GOOD = "".join(f"{i},{i * i},{i % 3}\n" for i in range(1, 30))


def refused(train_csv, text, **fields):
    with pytest.raises(BadData) as caught:
        train_csv(text, **fields)
    error, message = caught.value, str(caught.value)
    assert "\n" not in message
    while error is not None:  # the causes too, as a traceback prints them
        assert CANARY not in str(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return message


@pytest.mark.parametrize("cell", [CANARY, f'"{CANARY}"', "1.2.3", "0x10", "1_000", '"1,5"', "--1", "yes", "١٢"])
def test_cell_of_text_is_named(train_csv, cell):
    """Line 4, since the header is line 1."""
    text = f"a,b,y\n1,2,3\n2,3,4\n5,{cell},6\n{GOOD}"
    assert refused(train_csv, text, features=("a", "b")) == "line 4, column b: is not a number"


@pytest.mark.parametrize("cell", ["inf", "-Infinity", "1e400", "-1e999"])
def test_cell_that_is_infinite_is_named(train_csv, cell):
    """And what is too large for a double."""
    message = refused(train_csv, f"a,b,y\n{GOOD}1,2,{cell}\n", features=("a",))
    assert message == "line 31, column y: is infinite, or too large for a double"


def test_line_numbers_are_those_of_the_file(train_csv):
    """Blank lines, quoted newlines before, in the row and in the header, and any line end count."""
    text = f'"a\n1",b,y\n\n1,2,3\n\r\n"4\n",5,6\r\n7,"8\r\n",{CANARY}\n' + GOOD
    assert refused(train_csv, text, features=("a\n1", "b")) == "line 9, column y: is not a number"


@pytest.mark.parametrize("size", [64, 1 << 20])
def test_first_bad_cell_is_named(train_csv, monkeypatch, size):
    """By row, then in the order of the features; also far into the file, behind rows that were dropped."""
    monkeypatch.setattr(csv_table, "BLOCK_BYTES", size)
    text = f"a,b,y\n{GOOD * 10}1,NA,2\n,,\n{GOOD * 10}1,{CANARY},{CANARY}\n{CANARY},1,1\n"
    assert refused(train_csv, text, features=("a", "b")).startswith("line 584, column b")


SPELLINGS = [
    ".",
    "?",
    "-",
    "None",
    "<NA>",
    "#N/A",
    "n.a.",
    '"1,234"',
    "12.5%",
    "$5",
    "1 234",
    "yes",
    "2011-01-01",
    "1e",
    CANARY,
]


@pytest.mark.parametrize("cell", SPELLINGS)
@pytest.mark.parametrize("rows", [2, 30])
def test_bad_cell_is_an_error_in_any_row(train_csv, monkeypatch, cell, rows):
    """In the bytes that decide which columns are numeric and after them: no column vanishes for it."""
    monkeypatch.setattr(csv_table, "BLOCK_BYTES", 128)
    start = "".join(f"{i},{i * i},{i % 3}\n" for i in range(rows))
    message = refused(train_csv, f"a,b,y\n{start}7,{cell},3\n" + GOOD)
    assert message == f"line {rows + 2}, column b: is not a number; list `features` to leave the column out"


def test_column_of_which_half_are_numbers_is_numeric(train_csv):
    """Gaps don't count."""
    text = "a,b,y\n" + "1,2,3\n" * 20 + f"1,{CANARY},3\n" * 20 + "1,,3\n" * 30
    assert refused(train_csv, text).startswith("line 22, column b: is not a number")


def test_column_that_is_missing_from_a_file_is_named():
    """One cell of x is `None`."""
    with pytest.raises(BadData, match=r"^line 8, column x: is not a number"):
        train(Task("m", "v1", FileData("one-bad-cell.csv"), target="y"), TABLES)


@given(st.text(st.sampled_from(".?-+eEinfaNIF0123456789 _,xL\u0661"), max_size=9))
def test_number_pattern_matches_the_numbers_that_a_cast_accepts(cell):
    """A number by one is a number by the other."""
    by_cast = count_column(pa.array([cell.encode()], pa.binary()), NumberRules())
    by_pattern = count_column(pa.array([cell.encode(), b"word"], pa.binary()), NumberRules())  # no cast takes that
    assert by_pattern.numbers == (by_cast.numbers if by_cast.first_other is None else 0) or "nan" in cell.lower()


def test_guessed_feature_hints_at_the_list(train_csv, monkeypatch):
    """It was numeric in the first rows only."""
    monkeypatch.setattr(csv_table, "BLOCK_BYTES", 64)
    message = refused(train_csv, f"a,b,y\n{GOOD}1,{CANARY},3\n")
    assert message == "line 31, column b: is not a number; list `features` to leave the column out"
    assert "list" not in refused(train_csv, f"a,b,y\n{GOOD}1,2,{CANARY}\n")


@pytest.mark.parametrize("row", [f"{CANARY}", f"1,2,3,{CANARY}", f"{CANARY},2"])
def test_row_of_another_length_is_named(train_csv, row):
    """The reader's own message would quote it."""
    message = refused(train_csv, f"a,b,y\n1,2,3\n\n{row}\n{GOOD}", features=("a",))
    assert message == f"line 4: {row.count(',') + 1} values, but the header has 3 names"


def test_row_of_another_length_in_a_later_block_is_named(train_csv, monkeypatch):
    """In a later block, its line is as true."""
    monkeypatch.setattr(csv_table, "BLOCK_BYTES", 64)
    assert refused(train_csv, f"a,b,y\n{GOOD * 9}{CANARY}\n").startswith("line 263: 1 values")


def test_cell_that_is_not_utf8_is_named(train_csv):
    """Is distinguished from text."""
    text = f"a,b,y\n{GOOD}".encode() + b"1,\xff" + CANARY.encode() + b",3\n"
    assert refused(train_csv, text, features=("a", "b")) == "line 31, column b: is not UTF-8 text"


def test_quote_that_is_never_closed_is_an_error(train_csv, monkeypatch):
    """Would swallow the file: it is refused in the memory of two blocks."""
    monkeypatch.setattr(csv_table, "BLOCK_BYTES", 1 << 20)
    message = refused(train_csv, f'a,b,y\n{GOOD}1,"{CANARY},3\n' + GOOD * 20_000, features=("a", "b"))
    assert "a quote is never closed" in message


@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff", " \n"])
def test_file_that_is_empty_is_an_error(train_csv, text):
    """Needs no column to be named."""
    assert refused(train_csv, text) == "the file is empty: a header and rows are needed"


@pytest.mark.parametrize("text", ["a,b,y\n", "a,b,y", "a,b,y\r\n\r\n\n"])
@pytest.mark.parametrize("features", [None, ("a",)])
def test_header_without_rows_is_an_error(train_csv, text, features):
    """Is no data."""
    assert refused(train_csv, text, features=features) == "there are no data rows"


def test_rows_that_all_have_gaps_are_an_error(train_csv):
    """They were there, and the message says how many."""
    assert "all 2 have a gap" in refused(train_csv, "a,y\n1,\nNA,2\n", features=("a",))


def test_column_that_does_not_exist_is_named(train_csv):
    """Names those that there are, as many as are readable."""
    assert refused(train_csv, "a,b,c\n1,2,3\n", features=("a", "z")) == "no column z and y; there are a, b and c"
    wide = ",".join(f"column{i}" for i in range(5000))
    message = refused(train_csv, f"{wide}\n")
    assert len(message) < 300
    assert "4988 more" in message
    assert len(refused(train_csv, "x" * 100_000 + "\n")) < 150


@pytest.mark.parametrize(
    ("header", "separator"),
    [
        ("x;y", '";"'),
        ("x\ty", "a tab"),
        ('x|"y"', '"|"'),
        ("x y", "a blank"),
        ("sep=;", '";"'),
        ("Größe;Preis", '";"'),
        ("x;y;note, free", '";"'),
    ],
)
def test_separator_other_than_a_comma_is_named(train_csv, header, separator):
    """Whether or not the target is between two of them."""
    message = refused(train_csv, f"{header}\n1,2\n")
    assert message == f'no column y: the separator looks like {separator}, not ",": set csv.separator (--separator)'


def test_separator_of_a_file_with_decimal_commas_is_named():
    with pytest.raises(BadData, match='the separator looks like ";"'):
        train(Task("m", "v1", FileData("semicolon-decimal-comma.csv"), target="y"), TABLES)


@pytest.mark.parametrize(
    "first",
    [
        "1,2,3",
        "1.5,-2e3,",
        "7",
        f"{CANARY},41,3.2",
        f"{CANARY},2024-05-01",
        f"{CANARY},2024-05-01T10:00:00Z",
        f"{CANARY},1/5/2024",
        f"{CANARY},1 May 2024",
        f"{CANARY},10:30",
        f"{CANARY},50%",
        f'{CANARY},"$1,200"',
        f"{CANARY},",
        f"{CANARY},N/A",
        f"{CANARY} Doe 41 3.2",
    ],
)
def test_first_line_that_looks_like_a_row_is_not_repeated(train_csv, first):
    """It holds cells, and a message never does."""
    message = refused(train_csv, f"{first}\n1,2,3\n")
    assert message == (
        "no column y: the first line doesn't look like a header, and one with the columns' names is needed"
    )


@pytest.mark.parametrize("header", ["1stFlrSF,2ndFlrSF", "x1,Income (2010)", "Größe,价格"])
def test_names_with_digits_or_of_any_script_are_a_header(train_csv, header):
    assert refused(train_csv, f"{header}\n1,2\n").startswith("no column y; there are ")


def test_header_that_has_the_target_may_have_names_that_are_numbers(train_csv):
    """Years, for instance."""
    assert refused(train_csv, "2019,2020,y\n1,2,3\n", features=("2021",)) == (
        "no column 2021; there are 2019, 2020 and y"
    )


@pytest.mark.parametrize(
    ("names", "features", "message"),
    [
        (["a", "b"], None, "no column y; there are 2 columns"),
        (["a"], None, "no column y; there is 1 column"),
        ([f"a;{CANARY}"], None, "no column y; there is 1 column"),
        ([f"{CANARY};y"], None, 'no column y: the separator looks like ";", not ",": set csv.separator (--separator)'),
        (["a", "y"], ("b",), "no column b; there are a and y"),
        (["a", "a", "y"], None, "the header has a name twice: a"),
    ],
)
def test_names_of_a_remote_file_are_repeated_once_the_target_is_one_of_them(names, features, message):
    """Else a training would be a way to read what only the cluster can."""
    with pytest.raises(BadData) as caught:
        check_names(names, Selection(features, "y", Holdout()), remote=True)
    assert str(caught.value) == message


def test_names_are_shown_in_print(train_csv):
    """Control characters of a header do not reach a terminal or a status."""
    message = refused(train_csv, "a\x1b[31m,b\n1,2\n")
    assert message == r"no column y; there are a\x1b[31m and b"


def test_duplicate_name_in_the_header_is_an_error(train_csv):
    """Which one would be meant? Columns without a name do not count."""
    assert refused(train_csv, "a,b,a,y\n1,2,3,4\n") == "the header has a name twice: a"
    assert train_csv(f",,y\n{GOOD}".replace("y", "y", 1).replace(",,y", "a,,y")).features == ("a",)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"features": ("a", "y")}, "the target y is among the features"),
        ({"features": ("a", "a")}, "a feature is listed twice"),
        ({"features": ()}, "features: an empty list; leave it out to use every numeric column"),
        ({"target": None}, "a target column must be named"),
        ({"exclude": ("y",)}, "the target y is excluded"),
        ({"exclude": ("b",), "features": ("a",)}, "features are listed: none can be excluded"),
        ({"exclude": ("c",)}, "no column c; there are a, b and y"),
        ({"holdout_key": "c"}, "no column c; there are a, b and y"),
        ({"holdout_key": "y"}, "the holdout key y is the target"),
        ({"holdout_key": "a", "features": ("a",)}, "the holdout key a is among the features"),
    ],
)
def test_task_with_contradictory_columns_is_an_error(train_csv, fields, message):
    """Which the API server does not check."""
    assert refused(train_csv, f"a,b,y\n{GOOD}", **fields) == message


def test_columns_of_which_none_is_numeric_are_an_error(train_csv):
    """There would be no feature."""
    message = refused(train_csv, f"a,b,y\n{CANARY},,2\n{CANARY},,3\n")
    assert message == "no column but the target is numeric: a (text, line 2), b (no value in the first MiB)"


def test_header_that_is_malformed_is_an_error(train_csv):
    """An open quote, bytes that are no text, and a header without an end."""
    assert "malformed" in refused(train_csv, f'a,"{CANARY},y\n1,2,3\n')
    assert "UTF-8" in refused(train_csv, b"\xff\xfea,y\n1,2\n" + CANARY.encode())
    assert refused(train_csv, f"{CANARY}," * 300_000) == "the header is too long"
