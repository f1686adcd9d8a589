"""Folders: their files are one table; which are read, in which order, and what is wrong with one of them."""

import gzip
import io
import os
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from linplane_api.task import CsvOptions, FileData, Task, UriData
from linplane_trainer.data.source import Folder
from linplane_trainer.errors import BadData, MissingFileError, RefusedError, TrainingFailed
from linplane_trainer.holdout import Holdout, HoldoutDraws
from linplane_trainer.train import train

CANARY = "s3cr3t"
ROWS = [(i, i * i % 23, i % 7 + 0.5) for i in range(60)]


def csv(rows, names=("a", "b", "y"), separator=","):
    return "".join(separator.join(map(str, row)) + "\n" for row in [names, *rows])


def parquet(rows, names=("a", "b", "y")):
    file = io.BytesIO()
    pq.write_table(pa.table(dict(zip(names, zip(*rows, strict=True), strict=True))), file)
    return file.getvalue()


@pytest.fixture
def learn(tmp_path):
    """learn(files, path="sales/", **fields of the Task): trains on files of a data folder, by their paths in it."""

    def run(files, path="sales/", **fields):
        for name, content in files.items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        given = {"data": FileData(path), "target": "y", "holdout_percent": 0}
        return train(Task("m", "v1", **(given | fields)), tmp_path)

    return run


@pytest.fixture
def refused(learn):
    """refused(kind, files, ...): the message, without the canary."""

    def run(kind, files, *args, **fields):
        with pytest.raises(BadData) as caught:
            learn(files, *args, **fields)
        assert type(caught.value) is kind or kind is BadData
        assert CANARY not in f"{caught.value}{caught.value.brief}"
        assert caught.value.brief == str(caught.value)
        return str(caught.value)

    return run


PARTS = {
    "sales/01.csv": csv(ROWS[:10]),
    "sales/02": gzip.compress(csv(ROWS[10:30]).encode()),
    "sales/more/part-0": parquet(ROWS[30:40]),
    "sales/z.csv": csv([row[::-1] for row in ROWS[40:]], ("y", "b", "a")),
}


@pytest.mark.parametrize("path", ["sales/", "sales", "./sales", "sales/."])
def test_files_of_a_folder_are_one_table(learn, path):
    """Each by its own first bytes, with columns in any order, and in folders of the folder."""
    whole = learn({"rows.csv": csv(ROWS)}, "rows.csv").artifact
    assert learn(PARTS, path).artifact.digest == whole.digest
    assert learn(PARTS, path, features=("b",)).artifact.features == ("b",)
    assert learn(PARTS, path, exclude=("b",)).artifact.features == ("a",)


def test_folder_is_named_by_an_absolute_path_or_a_file_uri_too(learn, tmp_path):
    """In local mode and on the command line."""
    digest = learn(PARTS).artifact.digest
    assert learn({}, str(tmp_path / "sales")).artifact.digest == digest
    uri = UriData((tmp_path / "sales").as_uri(), allow_file=True)
    assert learn({}, data=uri).artifact.digest == digest


def test_each_file_has_draws_of_its_own(learn):
    """By its path within the folder, so that they depend neither on other files nor on where the folder lies."""
    moved = {f"other/2026/{name.removeprefix('sales/')}": content for name, content in PARTS.items()}
    trained = learn(PARTS, holdout_percent=40, seed=3).artifact
    assert learn(moved, "other/2026/", holdout_percent=40, seed=3).artifact.digest == trained.digest
    sizes = {"01.csv": 10, "02": 20, "more/part-0": 10, "z.csv": 20}
    held = [HoldoutDraws(Holdout(40, 3), name).draw(size).held for name, size in sizes.items()]
    assert trained.training.samples == 60 - sum(map(np.sum, held))
    first = learn({"one/01.csv": PARTS["sales/01.csv"]}, "one/", holdout_percent=40, seed=3).artifact
    assert first.training.samples == 10 - held[0].sum()


def test_rows_are_held_out_by_their_key_wherever_they_are(learn):
    """One digest with the whole file, whatever the order."""
    fields = {"holdout_percent": 40, "seed": 3, "holdout_key": "b", "features": ("a",)}
    whole = learn({"rows.csv": csv(ROWS)}, "rows.csv", **fields).artifact
    assert learn(PARTS, **fields).artifact.digest == whole.digest
    assert whole.training.samples < 60


def test_options_of_csv_hold_for_every_file(learn, refused):
    files = {f"sales/{name}": csv(rows, separator=";") for name, rows in (("a", ROWS[:30]), ("b", ROWS[30:]))}
    options = FileData("sales/", CsvOptions(";"))
    assert learn(files, data=options).artifact.training.samples == 60
    message = refused(BadData, {"sales/c": parquet(ROWS)}, data=options)
    assert message == "sales/c: the data is a Parquet file, for which `csv` does nothing: leave it out"


def test_files_are_read_in_the_order_of_their_paths():
    """That of their characters, as a bucket lists its keys."""
    files = dict.fromkeys(["b", "a/z", "a-", "B", "\u00e4", "10", "9"])
    assert [name for name, _ in Folder.of("", files).files] == ["10", "9", "B", "a-", "a/z", "b", "\u00e4"]


@pytest.mark.parametrize(
    "name", [".part-0.crc", "_SUCCESS", "_temporary/0/part-0", "..2026/rows.csv", "lost+found/x", "more/.x/y"]
)
def test_hidden_files_are_left_out(learn, refused, name):
    """Hidden folders too, as Hive and Spark leave them out."""
    assert refused(BadData, {f"sales/{name}": CANARY}) == "the folder holds no file"
    assert learn(PARTS).artifact.training.samples == 60


def test_folder_without_a_file_is_an_error(refused, tmp_path):
    (tmp_path / "sales" / "2026").mkdir(parents=True)
    assert refused(BadData, {}) == "the folder holds no file"
    assert refused(MissingFileError, {}, "none/") == "there is no such data folder"
    assert refused(MissingFileError, {"rows.csv": csv(ROWS)}, "rows.csv/") == "there is no such data folder"
    assert str(MissingFileError("none/", "claim rows")) == "claim rows has no folder none/"


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (("a", "x", "y"), "b is missing"),
        (("x", "y"), "a and b are missing"),
        (("a", "b"), "y is missing"),
        (("a", "b", "y", "c"), "c is added"),
        (("a", "b", "y", "c", "d e"), "c and 'd e' are added"),
        ((CANARY, "1"), "a, b and y are missing"),
    ],
)
@pytest.mark.parametrize("make", [csv, parquet])
@pytest.mark.parametrize("features", [None, ("a",)])
def test_file_with_other_columns_is_named(refused, names, problem, make, features):
    """Whether they are used or not."""
    files = {"sales/01.csv": csv(ROWS), "sales/07.csv": make([range(len(names))] * 3, names)}
    message = refused(BadData, files, features=features)
    assert message == f"sales/07.csv has other columns than sales/01.csv: {problem}"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (csv([*ROWS, (1, CANARY, 1)]), ", line 62, column b: is not a number"),
        (csv([*ROWS, (1, 2, 3, CANARY)]), ", line 62: 4 values, but the header has 3 names"),
        (
            parquet([*ROWS, (1, 2, float("inf"))]),
            ", row group 1, row 61, column y: is infinite, or too large for a double",
        ),
        (gzip.compress(csv(ROWS).encode())[:-9], ": the gzip file is cut off: its end is missing"),
        (b"\x80\x04}" + CANARY.encode(), ": the data is a Python pickle, and a CSV in UTF-8 is needed: save it as CSV"),
        (b"", ": the file is empty: a header and rows are needed"),
    ],
    ids=["cell", "row", "infinite", "gzip", "pickle", "empty"],
)
@pytest.mark.parametrize("number", ["00", "07"])
def test_error_within_a_file_names_it(refused, content, problem, number):
    """The first file too."""
    files = {"sales/01.csv": csv(ROWS), f"sales/{number}": content}
    assert refused(BadData, files, features=("a", "b")) == f"sales/{number}{problem}"


def test_names_of_files_are_escaped(refused):
    message = refused(BadData, {"sales/\x1b[31m 1": csv([(1, 2, CANARY)])}, features=("a",))
    assert message == "'sales/\\x1b[31m 1', line 2, column y: is not a number"


def test_file_without_rows_adds_none(learn, refused):
    """As Spark writes for empty partitions; the first one must show which columns are numeric."""
    empty = {"sales/x": csv([]), "sales/y": parquet(ROWS)[:0] or parquet_without_rows()}
    assert learn({**PARTS, **empty}).artifact.training.samples == 60
    message = refused(BadData, {"sales/00": csv([])})
    assert message == "sales/00: there are no data rows"
    assert learn({}, features=("a",)).artifact.training.samples == 60


def parquet_without_rows():
    file = io.BytesIO()
    pq.write_table(pa.table(dict.fromkeys("aby", pa.array([], pa.float64()))), file)
    return file.getvalue()


def test_links_stay_within_the_data_folder(learn, refused, tmp_path):
    """Those to files are followed, those to folders are not: they could lead in circles."""
    base = tmp_path / "claim"
    outside = tmp_path / "token"
    outside.write_text(csv(ROWS))

    def train_on(link, target):
        (base / "sales").mkdir(parents=True, exist_ok=True)
        (base / "kept").mkdir(exist_ok=True)
        (base / "kept" / "rows.csv").write_text(csv(ROWS))
        (base / "sales" / link).symlink_to(target)
        try:
            return train(Task("m", "v1", FileData("sales/"), target="y"), base)
        finally:
            (base / "sales" / link).unlink()

    assert train_on("rows.csv", "../kept/rows.csv").artifact.training.samples > 0
    for link, target in (("a", "../../token"), ("b", str(outside))):
        with pytest.raises(RefusedError, match=f"^{link}: the link leads out of the data folder$"):
            train_on(link, target)
    for target in ("../kept", ".", ".."):
        with pytest.raises(BadData, match=r"^c is a link to a folder, which is not followed: name that folder"):
            train_on("c", target)
    with pytest.raises(BadData, match=r"^d: the link cannot be followed"):
        train_on("d", "d")
    with pytest.raises(MissingFileError):
        train_on("e", "none")


def test_file_that_is_not_regular_is_named(refused, tmp_path):
    (tmp_path / "sales").mkdir()
    os.mkfifo(tmp_path / "sales" / "pipe")
    assert refused(BadData, {}) == "sales/pipe: the data is not a regular file"


def test_folder_that_cannot_be_listed_is_a_failure(monkeypatch, tmp_path):
    """Transient: a disk, or a permission that may be granted."""

    def scandir(path):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "sales").mkdir()
    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(TrainingFailed, match="the data folder cannot be read"):
        train(Task("m", "v1", FileData("sales/"), target="y"), tmp_path)


def test_hash_changes_with_each_byte_and_name(learn, tmp_path):
    """Of files of up to 1 MiB each."""
    first = learn(PARTS).facts.data
    assert learn(PARTS).facts.data == first
    second = learn({"sales/01.csv": csv(ROWS[:11])}).facts.data
    (tmp_path / "sales" / "z.csv").rename(tmp_path / "sales" / "z")
    third = learn({}).facts.data
    assert len({first, second, third}) == 3
    learn({"sales/big": csv(ROWS * 5000)})
    assert learn({}).facts.data is None
    folder = tmp_path / "sales"
    files = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    lines = [f"{sha256(files[name].read_bytes()).hexdigest()}  {name}\n" for name in sorted(files)]
    assert learn({}).facts.sha256 == sha256("".join(lines).encode()).hexdigest()


def test_progress_counts_files(tmp_path):
    seen = []
    for name, content in PARTS.items():
        Path(tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    train(Task("m", "v1", FileData("sales/"), target="y"), tmp_path, lambda *call: seen.append(call))
    assert seen == [(10, 1, 4), (30, 2, 4), (40, 3, 4), (60, 4, 4)]
