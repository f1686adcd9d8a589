"""Parquet: the same rows give the same model as a CSV; types, gaps and errors."""

import datetime
import decimal
import errno
import io
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_api.facts import data_hash
from linplane_api.task import CsvOptions, FileData
from linplane_trainer.data import parquet_table
from linplane_trainer.data.csv_cells import BadCell
from linplane_trainer.data.csv_header import Selection
from linplane_trainer.data.files import FileBytes
from linplane_trainer.data.parquet_columns import batch_of
from linplane_trainer.data.parquet_table import ParquetTable
from linplane_trainer.errors import BadData, TrainingFailed
from linplane_trainer.holdout import Holdout, HoldoutDraws

CANARY = "s3cr3t"
ROWS = 200
A = [i / 4 if i % 17 else None for i in range(ROWS)]
B = [i * i % 23 for i in range(ROWS)]
Y = [i % 7 + 0.5 for i in range(ROWS)]
TEXT = "a,b,y\n" + "".join(f"{'' if a is None else a},{b},{y}\n" for a, b, y in zip(A, B, Y, strict=True))


def parquet(table=None, **options):
    file = io.BytesIO()
    table = pa.table({"a": A, "b": B, "y": Y}) if table is None else table
    pq.write_table(table if isinstance(table, pa.Table) else pa.table(table), file, **options)
    return file.getvalue()


def draws(rows):
    return HoldoutDraws(Holdout()).draw(len(rows))


def refused(train_csv, table, **fields):
    with pytest.raises(BadData) as caught:
        train_csv(table if isinstance(table, bytes) else parquet(table, **fields.pop("options", {})), **fields)
    error, message = caught.value, str(caught.value)
    while error is not None:
        assert CANARY not in str(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return message


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"row_group_size": 7},
        {"compression": "zstd", "use_dictionary": False},
        {"compression": "gzip", "data_page_version": "2.0"},
        {"compression": "none", "data_page_size": 64},
    ],
    ids=str,
)
def test_rows_of_parquet_are_those_of_a_csv(learn_csv, monkeypatch, options):
    """Holdout, dropped rows and all; in any row groups and blocks."""
    monkeypatch.setattr(parquet_table, "ROWS", 50)
    fields = {"holdout_percent": 25, "seed": 5}
    data = parquet(**options)
    trained = learn_csv(data, **fields)
    assert trained.artifact.digest == learn_csv(TEXT, **fields).artifact.digest
    assert trained.artifact.training.dropped_rows > 0
    assert (trained.facts.data, trained.facts.sha256) == (data_hash(data), sha256(data).hexdigest())


KINDS = [
    pa.int8(), pa.uint8(), pa.int64(), pa.uint64(), pa.float16(), pa.float32(), pa.float64(), pa.decimal128(9, 2),
    pa.dictionary(pa.int8(), pa.float64()),
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_columns_of_every_numeric_type_are_read(train_csv, kind):
    """With nulls."""
    values = pa.array([None if b == 3 else b for b in B], pa.float64())
    column = values.cast(kind) if not pa.types.is_dictionary(kind) else values.dictionary_encode()
    text = "b,y\n" + "".join(f"{'' if b == 3 else b},{y}\n" for b, y in zip(B, Y, strict=True))
    assert train_csv(parquet({"b": column, "y": Y})).digest == train_csv(text).digest


def test_booleans_are_1_and_0(train_csv):
    table = {"b": [b > 9 for b in B], "y": Y}
    assert train_csv(parquet(table)).digest == train_csv(parquet({**table, "b": [int(b > 9) for b in B]})).digest


@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False, places=5, min_value=-(10**9), max_value=10**9)))
def test_decimal_is_the_nearest_double(values):
    column = pa.array(values, pa.decimal128(20, 5))
    assert batch_of([column], draws(values)).values[:, 0].tolist() == [float(value) for value in values]


@given(st.lists(st.none() | st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(-9, 9), min_size=1))
def test_whole_number_is_exact_or_refused(values):
    """Any that a double holds is taken, how large it may be."""
    bad = [row for row, value in enumerate(values) if value is not None and int(float(value)) != value]
    batch = batch_of([pa.array(values, pa.int64())], draws(values))
    if bad:
        assert batch == BadCell(bad[0], 0, "is a whole number that a double does not hold exactly")
    else:
        assert batch.values[:, 0].tolist() == [value for value in values if value is not None]
        assert batch.kept.tolist() == [value is not None for value in values]


def test_default_features_are_the_columns_of_numeric_types(learn_csv):
    """Not text, dates or lists, nor the row labels of pandas."""
    table = pa.table(
        {
            "a": A,
            "name": [CANARY] * ROWS,
            "day": [datetime.date(2026, 1, 1)] * ROWS,
            "list": [[1.0]] * ROWS,
            "b": B,
            "y": Y,
            "__index_level_0__": B,
        }
    )
    trained = learn_csv(parquet(table))
    assert trained.artifact.features == ("a", "b")
    found = [(one.column, str(one.reason)) for one in trained.facts.left_out]
    assert found == [("name", "NotNumeric"), ("day", "NotNumeric"), ("list", "NotNumeric"), ("column 7", "NoName")]
    assert learn_csv(parquet(table), exclude=("b",)).artifact.features == ("a",)
    assert learn_csv(parquet(table), features=("b", "a")).artifact.features == ("b", "a")


@pytest.mark.parametrize("value", [float("inf"), float("-inf")])
def test_infinite_value_is_named(train_csv, value):
    """By row group, row and column."""
    table = {"a": [*B, value, 1.0], "y": [*Y, 1.0, value]}
    message = refused(train_csv, table, options={"row_group_size": 150})
    assert message == "row group 2, row 51, column a: is infinite, or too large for a double"


def test_whole_number_that_no_double_holds_is_named(train_csv, monkeypatch):
    monkeypatch.setattr(parquet_table, "ROWS", 20)
    message = refused(train_csv, {"id": [*B, (1 << 53) + 1], "y": [*Y, 1.0]})
    assert message == "row group 1, row 201, column id: is a whole number that a double does not hold exactly"


@pytest.mark.parametrize(
    ("table", "fields", "message"),
    [
        ({"a": B}, {}, "no column y; there is a"),
        ({"0": B, "1": B}, {}, "no column y; there are 0 and 1"),
        ({}, {}, "no column y; there are 0 columns"),
        ({"a;y": B}, {}, "no column y; there is 'a;y'"),
        ({"a": [], "y": []}, {"features": ("a",)}, "columns of a type that is no number: a (null), y (null)"),
        ({"a": pa.array([], pa.int8()), "y": pa.array([], pa.int8())}, {}, "there are no data rows"),
        ({"a": [CANARY], "y": [1]}, {"features": ("a",)}, "columns of a type that is no number: a (string)"),
        ({"a": [CANARY], "y": [1]}, {}, "no column but the target is numeric: a (text)"),
        ({"a": [1], "y": [CANARY]}, {}, "columns of a type that is no number: y (string)"),
        ({"a": [None], "y": [1]}, {}, "no column but the target is numeric: a (no value in the first MiB)"),
        ({"a": B, "y": Y}, {"exclude": ("c",)}, "no column c; there are a and y"),
    ],
)
def test_columns_that_do_not_fit_are_named(train_csv, table, fields, message):
    assert refused(train_csv, table, **fields) == message


def test_column_twice_is_an_error(train_csv):
    table = pa.Table.from_arrays([pa.array(B), pa.array(B), pa.array(Y)], names=["a", "a", "y"])
    assert refused(train_csv, table) == "the header has a name twice: a"


def test_parquet_that_is_damaged_is_an_error(train_csv):
    """Cut off at any byte, or with another byte in its pages."""
    data = parquet({"a": [f"{CANARY}{b}" for b in B], "b": B, "y": Y})
    for end in range(8, len(data), len(data) // 19):
        message = refused(train_csv, data[:end])
        assert message == "the Parquet file is damaged or cut off: its footer cannot be read"
    table = parquet({"a": np.random.default_rng(0).standard_normal(9999), "y": np.ones(9999)}, use_dictionary=False)
    damaged = table[:5] + bytes(30_000) + table[30_005:]
    assert refused(train_csv, damaged) == "row group 1 of the Parquet file is damaged, or of an unknown packing"


def test_disk_that_fails_is_no_damage(tmp_path):
    """A retry may help."""
    (tmp_path / "rows").write_bytes(parquet(row_group_size=9))
    for reads in (3, 8):
        data = FileBytes(tmp_path / "rows", None)
        data.file = Failing(data.file, reads)
        with pytest.raises(TrainingFailed, match="the data file cannot be read"):
            list(ParquetTable(data, Selection(None, "y", Holdout()), HoldoutDraws(Holdout())).blocks())
        data.close()


class Failing:
    """A file of which a read fails after some."""

    def __init__(self, file, reads):
        self.file, self.reads = file, reads

    def read(self, size=-1):
        self.reads -= 1
        if self.reads < 0:
            raise OSError(errno.EIO, "Input/output error")
        return self.file.read(size)

    def __getattr__(self, name):
        return getattr(self.file, name)


def test_csv_options_are_refused_for_parquet(train_csv):
    """They would do nothing."""
    message = refused(train_csv, parquet(), data=FileData("rows.csv", CsvOptions(";")))
    assert message == "the data is a Parquet file, for which `csv` does nothing: leave it out"


def test_parquet_within_a_packing_is_refused(train_csv):
    packed = pa.compress(parquet(), "zstd", asbytes=True)
    assert refused(train_csv, packed) == (
        "the data is a Parquet file within zstd, and a CSV in UTF-8 is needed: unpack it first"
    )


def test_decimal_of_any_scale_is_read():
    values = [decimal.Decimal("1.10"), None, decimal.Decimal("-0.01")]
    assert batch_of([pa.array(values, pa.decimal128(30, 20))], draws(values)).values[:, 0].tolist() == [1.1, -0.01]
