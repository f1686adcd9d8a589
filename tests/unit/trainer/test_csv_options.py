"""CSV written in another way: separator, decimal mark and words for gaps."""

from pathlib import Path

import pytest

from linplane_api.task import SEPARATORS, CsvOptions, FileData, Task, parse_task
from linplane_trainer.data import csv_table
from linplane_trainer.errors import BadData
from linplane_trainer.train import train

TABLES = Path(__file__).parents[2] / "data" / "tables"
ROWS = [("a", "b", "y"), *((f"{i / 4}", f"-{i * i % 23}.125e1", f"{i % 7}.5") for i in range(1, 40))]
EUROPEAN = CsvOptions(";", ",")


@pytest.fixture
def learn(train_csv):
    """learn(text, options, **task fields): trains on a CSV that is written so."""
    return lambda text, options, **fields: train_csv(text, data=FileData("rows.csv", options), **fields)


@pytest.fixture
def refused(learn):
    """refused(text, options, **task fields): the message."""

    def run(text, options, **fields):
        with pytest.raises(BadData) as caught:
            learn(text, options, **fields)
        return str(caught.value)

    return run


def written(separator=",", decimal=".", rows=ROWS):
    header, *body = rows
    quoted = [f'"{name}"' for name in header]
    cells = [[cell.replace(".", decimal) for cell in row] for row in body]
    return "".join(separator.join(row) + "\n" for row in [quoted, *cells])


def test_rows_with_any_separator_are_the_same(learn, train_csv):
    """With points; and with commas, if the separator is none."""
    expected = train_csv(written()).digest
    for separator in SEPARATORS:
        assert learn(written(separator), CsvOptions(separator)).digest == expected
        if separator != ",":
            assert learn(written(separator, ","), CsvOptions(separator, ",")).digest == expected


def test_file_with_semicolons_and_decimal_commas_is_read():
    """As `write.csv2` of R and Excel in Europe write it."""
    task = Task("m", "v1", FileData("semicolon-decimal-comma.csv", EUROPEAN), target="y", holdout_percent=0)
    assert parse_task(task.to_text()) == task
    assert train(task, TABLES).artifact.coefficients == pytest.approx([2])


@pytest.mark.parametrize("cell", ["1.5", "1.234,5", "1.234.567", "1,5,5", "1'5"])
def test_number_with_a_point_is_none_if_the_mark_is_a_comma(refused, cell):
    """It would separate thousands, and not be read as a thousandth."""
    text = written(";", ",") + f"1,5;{cell};2\n"
    assert refused(text, EUROPEAN, features=("a", "b")) == "line 41, column b: is not a number"


GAPS = [
    ((".", "?"), ".", "?"),
    (("-999",), "-999", " -999 "),
    (("missing", "-"), "Missing", "-"),
    (("n.a.", "1e3"), "N.A.", "1e3"),
    (("TRUE",), "true", " True"),
]


@pytest.mark.parametrize(("words", "one", "other"), GAPS, ids=str)
@pytest.mark.parametrize("options", [CsvOptions(";"), EUROPEAN], ids=["point", "comma"])
def test_null_values_are_gaps(learn, options, words, one, other):
    """In any case, with blanks around them; those that always are remain so."""
    body = written(";", options.decimal)
    options = CsvOptions(";", options.decimal, words)
    artifact = learn(body + f"{one};1;2\n3;{other};2\n4;NA;2\n", options)
    assert artifact.training.dropped_rows == 3
    expected = learn(body, options)
    assert (artifact.coefficients, artifact.features) == (expected.coefficients, expected.features)


def test_null_value_is_a_word_and_no_number(learn):
    """-999.0 and -9990 are others."""
    text = written() + "-999.0,1,2\n-9990,1,3\n"
    assert learn(text, CsvOptions(null_values=("-999",))).digest == learn(text, CsvOptions()).digest


def test_column_of_null_values_is_left_out(learn):
    """Its cells are no text."""
    rows = [(*row, "?" if number else "z") for number, row in enumerate(ROWS)]
    assert learn(written(rows=rows), CsvOptions(null_values=("?",))).features == ("a", "b")


@pytest.mark.parametrize("size", [64, 1 << 20])
def test_line_of_an_error_counts_records_of_that_separator(refused, monkeypatch, size):
    monkeypatch.setattr(csv_table, "BLOCK_BYTES", size)
    text = 'a;"b\n,;";y\n' + "1,5;2,5;3\n" * 30 + '1;"x\n";2\n'
    message = refused(text.replace("x\n", "2") + "1;word;3\n", EUROPEAN, features=("a", "b\n,;"))
    assert message == "line 34, column 'b\\n,;': is not a number"
    assert refused(text + "1;2\n", EUROPEAN, features=("a",)) == "line 35: 2 values, but the header has 3 names"


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("x;y\n1;2\n", CsvOptions(), 'the separator looks like ";", not ","'),
        ("x,y\n1,2\n", EUROPEAN, 'the separator looks like ",", not ";"'),
        ("x\ty\n1\t2\n", CsvOptions("^"), 'the separator looks like a tab, not "^"'),
        ("x|y\n1|2\n", CsvOptions("\t"), 'the separator looks like "|", not a tab'),
    ],
)
def test_separator_that_the_header_has_is_guessed(refused, text, options, message):
    assert refused(text, options) == f"no column y: {message}: set csv.separator (--separator)"


def test_decimal_comma_is_guessed(refused):
    """From the features, or from the target. Without a separator of its own a comma may separate thousands."""
    hint = "numbers with a decimal comma: set csv.decimal (--decimal)"
    assert refused(written(";", ","), CsvOptions(";")) == f"a and b: {hint}"
    text = "a;b;y\n" + "1;2;3,5\n" * 9
    assert (
        refused(text, CsvOptions(";"))
        == "line 2, column y: is not a number; is the decimal mark a comma? set csv.decimal (--decimal)"
    )
    assert "decimal" not in refused('a,b,y\n"1,5",1,word\n', CsvOptions())


def test_line_of_excel_that_names_the_separator_is_refused(refused):
    text = "sep=;\nx;y\n1;2\n"
    assert 'the separator looks like ";", not ","' in refused(text, CsvOptions())
    assert refused(text, CsvOptions(";")) == (
        "no column y: the first line is `sep=;`, and the columns' names are needed there: remove it"
    )
