"""Any number of threads gives the same bytes, or the same error."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from linplane_api.task import FileData, SyntheticData, Task
from linplane_trainer.data import csv_table, parquet_table
from linplane_trainer.errors import BadData
from linplane_trainer.fit.fitting import Fitting
from linplane_trainer.fit.types import FitOptions
from linplane_trainer.train import train

COUNTS = (1, 2, 3, 7)
ROWS = 6_000
TASK = Task("m", "v1", FileData("rows"), target="y", exclude=("key",), seed=3)


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch):
    """Dozens of them."""
    monkeypatch.setattr(csv_table, "BLOCK_BYTES", 1 << 13)
    monkeypatch.setattr(parquet_table, "ROWS", 150)


@pytest.fixture(scope="module")
def columns():
    """With gaps, numbers of different size, and several rows of each key."""
    generator = np.random.default_rng(2)
    a = np.exp(generator.normal(0, 3, ROWS))
    a[generator.random(ROWS) < 0.02] = np.nan
    b, key = generator.integers(0, 100, ROWS).astype(float), generator.integers(0, 900, ROWS)
    return {"a": a, "b": b, "key": key, "y": 2 * b + generator.standard_normal(ROWS)}


def lines(columns):
    return [",".join(map(repr, row)) for row in zip(*(column.tolist() for column in columns.values()), strict=True)]


def text(columns, changed=None):
    rows = lines(columns)
    for number, line in (changed or {}).items():
        rows[number] = line
    return "\n".join([",".join(columns), *rows])


def bytes_of(folder, **fields):
    """The artifact files of each number of threads: facts and digest."""
    return {train(Task(**{**task_fields(), **fields}), folder, threads=count).to_file("t") for count in COUNTS}


def task_fields():
    return {name: getattr(TASK, name) for name in TASK.__struct_fields__}


@pytest.mark.parametrize("settings", [{}, {"holdout_percent": 0}, {"exclude": (), "holdout_key": "key"}])
def test_threads_change_no_byte(tmp_path, columns, settings):
    """Of a CSV, of Parquet, and of a folder of both."""
    (tmp_path / "rows").write_text(text(columns))
    assert len(bytes_of(tmp_path, **settings)) == 1
    table = pa.table({name: pa.array(column, from_pandas=True) for name, column in columns.items()})
    (tmp_path / "folder").mkdir()
    for name in ("one", "folder/other"):
        pq.write_table(table, tmp_path / name, row_group_size=500)
    (tmp_path / "folder" / "first").write_text(text(columns))
    assert len(bytes_of(tmp_path, data=FileData("one"), **settings)) == 1
    assert len(bytes_of(tmp_path, data=FileData("folder"), **settings)) == 1


def test_threads_change_no_byte_of_synthetic_rows(tmp_path):
    fields = {"data": SyntheticData(200_000, 3, 0.5), "target": None, "exclude": ()}
    assert len(bytes_of(tmp_path, **fields)) == 1


@pytest.mark.parametrize(
    ("changed", "settings", "message"),
    [
        ({2500: "x,1,2,3", 2700: "x,1,2,3", 4500: "1,2,3"}, {}, "line 2502, column a: is not a number"),
        ({4500: "1,2,3", 4700: "1,x,3,4"}, {}, "line 4502: 3 values, but the header has 4 names"),
        ({4000: "1,1e999,2,3"}, {}, "line 4002, column b: is infinite, or too large for a double"),
        ({4000: "1,2,a\udcff,3", 4050: "x,2,3,4"}, {"exclude": (), "holdout_key": "key"}, "line 4002, column key"),
    ],
)
def test_threads_change_no_message(tmp_path, columns, changed, settings, message):
    """It is that of the first bad row, also if a thread, or the one that reads, finds a later one first."""
    content = text(columns, changed).encode(errors="surrogateescape")
    (tmp_path / "rows").write_bytes(content)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "rows.csv").write_bytes(content)
    found = {refusal(tmp_path, count, **settings) for count in COUNTS}
    assert len(found) == 1
    assert next(iter(found)).startswith(message)
    assert {refusal(tmp_path, count, data=FileData("folder"), **settings) for count in COUNTS} == {
        f"folder/rows.csv, {one}" for one in found
    }


def refusal(folder, count, **fields):
    with pytest.raises(BadData) as found:
        train(Task(**{**task_fields(), "features": ("a", "b"), "exclude": (), **fields}), folder, threads=count)
    return str(found.value)


def test_progress_is_reported_with_threads(tmp_path, columns):
    (tmp_path / "rows").write_text(text(columns))
    for count in COUNTS:
        seen = []
        train(TASK, tmp_path, lambda *call, seen=seen: seen.append(call), threads=count)
        assert seen == sorted(seen)
        assert seen[-1][0] == ROWS


def test_threads_share_narrow_sums_only():
    """Wide ones take memory; and in doubles the order of rows decides the last digits."""
    for features, parts in ((10, 4), (300, 4), (400, 1), (513, 1)):
        fitting = Fitting(FitOptions(tuple(f"x{i}" for i in range(features))), threads=4)
        assert len(fitting.parts) == parts
