"""The same rows give one digest, however they are written, packed, cut into files and ordered."""

import bz2
import gzip
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from linplane_api.task import CsvOptions, FileData, Task
from linplane_trainer.train import train

NAMES = ("a", "b", "c", "y", "customer")
Rows = list[tuple[float | int | None, ...]]
Files = dict[str, bytes]


def rows() -> Rows:
    """17 digits, whole numbers, gaps, and sizes that are far apart; the last column is a key."""
    generator = np.random.default_rng(7)
    a, b = generator.standard_normal(500), generator.integers(-9, 9, 500)
    c = np.exp(generator.normal(0, 8, 500))
    y = a + b + generator.standard_normal(500)
    keys = generator.integers(0, 60, 500)
    table = list(zip(a.tolist(), b.tolist(), c.tolist(), y.tolist(), keys.tolist(), strict=True))
    return [(None, *row[1:]) if number % 37 == 0 else row for number, row in enumerate(table)]


def csv(some: Rows, separator: str = ",", point: str = ".") -> bytes:
    lines = [separator.join("" if cell is None else repr(cell).replace(".", point) for cell in row) for row in some]
    return "\n".join([separator.join(NAMES), *lines]).encode()


def parquet(some: Rows, **options: object) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(dict(zip(NAMES, map(list, zip(*some, strict=True)), strict=True))), file, **options)
    return file.getvalue()


ROWS = rows()
SHUFFLED = [ROWS[number] for number in np.random.default_rng(1).permutation(len(ROWS))]
WAYS: dict[str, Callable[[], Files]] = {
    "csv": lambda: {"rows": csv(ROWS)},
    "csv, shuffled": lambda: {"rows": csv(SHUFFLED)},
    "gzip": lambda: {"rows": gzip.compress(csv(ROWS))},
    "gzip, two members": lambda: {"rows": gzip.compress(csv(ROWS)[:4000]) + gzip.compress(csv(ROWS)[4000:])},
    "bzip2": lambda: {"rows": bz2.compress(csv(ROWS))},
    "zstd": lambda: {"rows": pa.compress(csv(ROWS), "zstd", asbytes=True)},
    "parquet": lambda: {"rows": parquet(ROWS)},
    "parquet, row groups": lambda: {"rows": parquet(SHUFFLED, row_group_size=37, compression="zstd")},
    "folder": lambda: {"rows/1": csv(ROWS[:100]), "rows/2": csv(ROWS[100:101]), "rows/3": csv(ROWS[101:])},
    "folder, mixed": lambda: {
        "rows/2026/b": parquet(SHUFFLED[:200]),
        "rows/2026/a": csv(SHUFFLED[200:300]),
        "rows/z": gzip.compress(csv(SHUFFLED[300:])),
    },
    "semicolons": lambda: {"rows": csv(ROWS, ";", ",")},
}


@pytest.fixture(scope="module")
def expected() -> dict[str, str]:
    """The digest by settings, of the first way."""
    return {}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "fields",
    [{"holdout_percent": 0}, {"holdout_percent": 30, "holdout_key": "customer", "seed": 3}],
    ids=["all", "key"],
)
def test_digest_is_that_of_the_rows(way, fields, expected, tmp_path):
    """Without a holdout, or with one by a key."""

    def digest(files: Files, folder: Path, options: CsvOptions | None = None) -> str:
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        task = Task("m", "v1", FileData("rows", options), features=("a", "b", "c"), target="y", **fields)
        return train(task, folder).artifact.digest

    key = str(fields)
    if key not in expected:
        expected[key] = digest(WAYS["csv"](), tmp_path / "plain")
    options = CsvOptions(";", ",") if way == "semicolons" else None
    assert digest(WAYS[way](), tmp_path, options) == expected[key]
