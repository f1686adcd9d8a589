"""CSV dialects that are read, and the rows and columns that are used."""

import numpy as np
import pytest

from linplane_trainer.data import csv_table
from linplane_trainer.data.csv_header import Selection
from linplane_trainer.data.files import FileSource
from linplane_trainer.data.tables import open_table
from linplane_trainer.holdout import Holdout, holdout_mask

PLAIN = "a,b,y\n1,2,8.5\n2,1,8\n3,5,21\n4,4,21.5\n5,9,36\n"


def learned(artifact):
    """The parts of an artifact that depend on the rows only."""
    return artifact.features, artifact.coefficients, artifact.intercept, artifact.training.samples


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        "\ufeff" + PLAIN,
        PLAIN.rstrip("\n"),
        "\n\n" + PLAIN.replace("\n", "\n\n"),
        PLAIN.replace("a,b,y", '" a ","b", y '),
        PLAIN.replace("2,1,8\n", ' 2 ,"1",\t+8.0\n'),
        PLAIN.replace("5,9,36", "5e0,.9e1,3.6E+1"),
    ],
)
def test_rows_in_another_csv_dialect_are_the_same(train_csv, text):
    """Line ends, byte order mark, blank lines, quotes, blanks around values and ways to write a number change
    nothing.
    """
    assert learned(train_csv(text)) == learned(train_csv(PLAIN))


@pytest.mark.parametrize("gap", ["", " ", "NA", "na", "n/a", "NaN", "nan", "null", "NULL", '""', '" NA "', "-nan"])
def test_row_with_a_gap_is_dropped_and_counted(train_csv, gap):
    """In a feature or in the target."""
    artifact = train_csv(PLAIN + f"{gap},7,1\n6,7,{gap}\n")
    assert artifact.training.dropped_rows == 2
    assert learned(artifact) == learned(train_csv(PLAIN))


def test_gap_in_a_column_not_in_use_is_ignored(train_csv):
    """Nor is text, nor bytes that are no text, in a column that is not used."""
    text = PLAIN.replace("\n", ",\n").replace("y,\n", "y,note\n").encode().replace(b"8.5,", b"8.5,\xff\xfe")
    artifact = train_csv(text, features=("a", "b"))
    assert learned(artifact) == learned(train_csv(PLAIN))
    assert artifact.training.dropped_rows == 0


def test_features_keep_their_given_order(train_csv):
    """Coefficients go with their names."""
    one, other = train_csv(PLAIN, features=("a", "b")), train_csv(PLAIN, features=("b", "a"))
    assert other.features == ("b", "a")
    np.testing.assert_allclose(other.coefficients, one.coefficients[::-1], rtol=1e-12)


def test_default_features_are_all_numeric_columns_but_the_target(train_csv):
    """In the header's order; not text, not a column of gaps alone, not one without a name."""
    lines = [
        "i,,y,b,name,empty,a",
        "1,1,8.5,2,x,,1",
        "2,2,8,1,y,NA,2",
        "3,3,21,5,z,,3",
        "4,4,21.5,4,,,4",
        "5,5,30,9,5,,-5",
    ]
    artifact = train_csv("\n".join(lines))
    assert artifact.features == ("i", "b", "a")
    assert artifact.target == "y"


def test_excluded_columns_are_no_features(learn_csv):
    """They are not among those that were left out for another reason."""
    trained = learn_csv(PLAIN.replace("\n", ",\n").replace("y,", "y,note"), exclude=("a", "note"))
    assert trained.artifact.features == ("b",)
    assert trained.facts.left_out == ()


def test_quoted_commas_and_newlines_are_read(train_csv):
    """Stay within their cell."""
    text = PLAIN.replace("a,b,y\n", '"the ""a""\ncolumn","b, too",y\n')
    assert train_csv(text).features == ('the "a"\ncolumn', "b, too")


def test_numbers_are_read_to_the_last_digit(train_csv, fit_rows):
    """As Python reads them."""
    generator = np.random.default_rng(0)
    values = generator.standard_normal((40, 3)) * 10.0 ** generator.integers(-30, 30, (40, 3))
    text = "a,b,y\n" + "".join(",".join(map(repr, row)) + "\n" for row in values.tolist())
    fit = fit_rows(values[:, :2], values[:, 2])
    assert train_csv(text).coefficients == tuple(fit.coefficients.tolist())


@pytest.mark.parametrize("size", [64, 100, 1000])
def test_blocks_of_the_file_change_nothing(train_csv, monkeypatch, size):
    """Bit by bit the same artifact, holdout and dropped rows included."""
    generator = np.random.default_rng(3)
    lines = [f"{a:.6f},{b:.6f},{'' if a > 1.5 else a + b}" for a, b in generator.standard_normal((300, 2))]
    text = "a,b,y\n" + "\n".join(lines)
    whole = train_csv(text, holdout_percent=25, seed=5)
    monkeypatch.setattr(csv_table, "BLOCK_BYTES", size)
    assert train_csv(text, holdout_percent=25, seed=5).digest == whole.digest
    assert whole.training.dropped_rows > 0


def test_held_rows_count_raw_rows(train_csv):
    """Rows with gaps take their draw too, blank lines do not: the mask fits the rows as a reader of the CSV counts
    them.
    """
    generator = np.random.default_rng(1)
    rows = [[f"{a:.3f}", f"{a * 2 + b:.3f}"] for a, b in generator.standard_normal((100, 2))]
    for row in rows[::9]:
        row[0] = "NA"
    held = holdout_mask(4, 30, 100)
    has = np.array([row[0] != "NA" for row in rows])
    artifact = train_csv("a,y\n" + "\n\n".join(map(",".join, rows)), holdout_percent=30, seed=4)
    assert artifact.training.samples == (has & ~held).sum()
    assert artifact.training.evaluation.samples == (has & held).sum()


def test_progress_reports_rows_and_bytes(tmp_path):
    """It grows, and ends with all of both."""
    path = tmp_path / "rows.csv"
    path.write_text("a,y\n" + "".join(f"{i},{i % 7}\n" for i in range(200_000)))
    seen = []
    source = open_table(FileSource(path), Selection(None, "y", Holdout()))
    rows = sum(block.rows for block in source.blocks(lambda *call: seen.append(call)))
    source.close()
    assert rows == 200_000
    assert seen == sorted(seen)
    assert len(seen) > 1
    assert seen[-1] == (200_000, path.stat().st_size, path.stat().st_size)
