"""Rows that are held out by a key: which they are, and that neither order nor source changes the model."""

import hashlib
import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linplane_api.task import CsvOptions, FileData
from linplane_trainer.data import csv_table, parquet_table
from linplane_trainer.data.holdout_keys import canonical_key
from linplane_trainer.errors import BadData
from linplane_trainer.holdout import Holdout, HoldoutDraws

KEYS = [f"c{number * number % 61}" for number in range(120)]
X = [number * 7 % 31 / 4 for number in range(120)]
Y = [2 * x + number % 5 for number, x in enumerate(X)]
FIELDS = {"holdout_key": "id", "holdout_percent": 30, "seed": 9}


def csv(keys=KEYS, order=range(120)):
    return "x,id,y\n" + "".join(f"{X[row]},{keys[row]},{Y[row]}\n" for row in order)


def parquet(keys, order=range(120)):
    order = list(order)
    file = io.BytesIO()
    columns = {"x": pa.array(X), "id": keys if isinstance(keys, pa.Array) else pa.array(keys), "y": pa.array(Y)}
    pq.write_table(pa.table(columns).take(pa.array(order, pa.int64())), file, row_group_size=50)
    return file.getvalue()


def is_held(key, seed=9, percent=30):
    """By the documented rule."""
    number = int.from_bytes(hashlib.sha256(str(seed).encode() + b"\0" + key.encode()).digest()[:8], "big")
    return number * 100 < percent * 2**64


@given(
    key=st.text(st.characters(exclude_categories=["Cs"])),
    seed=st.integers(0, 2**31 - 1),
    percent=st.integers(0, 90),
)
def test_keys_are_held_out_by_the_documented_rule(key, seed, percent):
    """For any text; the draw is that share of 2^64 too."""
    draws = Holdout(percent, seed, "id").by_keys([key])
    assert draws.held.tolist() == [is_held(key, seed, percent)]
    assert 0 <= draws.numbers[0] <= 1


def test_every_key_is_held_out_by_that_rule():
    """Also those near the percentage."""
    keys = [str(number) for number in range(20_000)]
    assert Holdout(30, 9, "id").by_keys(keys).held.tolist() == [is_held(key) for key in keys]


def test_rows_of_a_key_are_on_one_side(train_csv):
    """And are as many as the rule says; the key is recorded, and is no feature."""
    artifact = train_csv(csv(), **FIELDS)
    held = sum(map(is_held, KEYS))
    assert 0 < held < len(KEYS)
    assert (artifact.training.evaluation.samples, artifact.training.samples) == (held, len(KEYS) - held)
    assert (artifact.features, artifact.training.holdout_key) == (("x",), "id")


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(120)), size=st.sampled_from([300, 1 << 20]))
def test_order_and_source_change_no_bit(train_csv, monkeypatch, order, size):
    """Shuffled, in other blocks, from CSV or Parquet: one digest."""
    expected = train_csv(csv(), **FIELDS).digest
    with monkeypatch.context() as changed:
        changed.setattr(csv_table, "BLOCK_BYTES", size)
        changed.setattr(parquet_table, "ROWS", 17 if size == 300 else 8192)
        assert train_csv(csv(order=order), **FIELDS).digest == expected
        assert train_csv(parquet(KEYS, order), **FIELDS).digest == expected


NUMBERS = [number * number % 61 for number in range(120)]


@pytest.mark.parametrize(
    "keys",
    [
        pa.array(NUMBERS, pa.int8()),
        pa.array(NUMBERS, pa.uint64()),
        pa.array(NUMBERS, pa.int64()).dictionary_encode(),
        pa.array(NUMBERS, pa.decimal128(20, 0)),
        pa.array(map(str, NUMBERS), pa.string()),
        pa.array(map(str, NUMBERS), pa.large_string()),
        pa.array((f" {number:04} " for number in NUMBERS), pa.string()).dictionary_encode(),
    ],
    ids=lambda keys: str(keys.type),
)
def test_whole_numbers_are_keyed_by_their_digits(train_csv, keys):
    """Of any type, as those of a CSV."""
    assert train_csv(parquet(keys), **FIELDS).digest == train_csv(csv(NUMBERS), **FIELDS).digest


@pytest.mark.parametrize(
    ("text", "key"),
    [("7", "7"), ("+7", "7"), ("007", "7"), ("-07", "-7"), ("-0", "0"), ("000", "0"), ("9" * 5000, "9" * 5000)]
    + [(text, text) for text in ("7.0", "1e3", "a7", "--7", "", "+", "\N{ARABIC-INDIC DIGIT SEVEN}")],
    ids=lambda text: text[:9],
)
def test_canonical_key_changes_whole_numbers_only(text, key):
    """Of any length."""
    assert canonical_key(text) == key


def test_rows_without_a_key_are_dropped(train_csv):
    """As those with another gap: an empty cell, a word for a gap, null. The other rows stay where they are."""
    gaps = {3: "", 5: "NA", 8: " null ", 11: "?"}
    data = FileData("rows.csv", CsvOptions(null_values=("?",)))
    artifact = train_csv(csv([gaps.get(row, key) for row, key in enumerate(KEYS)]), data=data, **FIELDS)
    assert artifact.training.dropped_rows == 4
    assert artifact.training.evaluation.samples == sum(is_held(key) for row, key in enumerate(KEYS) if row not in gaps)
    keys = pa.array([{3: None, 5: "", 8: "nan", 11: None}.get(row, key) for row, key in enumerate(KEYS)])
    assert train_csv(parquet(keys), **FIELDS).digest == artifact.digest


def test_key_that_is_no_text_is_an_error(train_csv):
    """With its place, and without its value."""
    data = csv(["a\udcff" if row == 6 else key for row, key in enumerate(KEYS)]).encode(errors="surrogateescape")
    with pytest.raises(BadData, match=r"^line 8, column id: is not UTF-8 text$"):
        train_csv(data, **FIELDS)
    for value in (b"ok\xff", b"o\xffok", b"o\xed\xa0\x80k"):  # at the end, within, and a surrogate
        keys = pa.Array.from_buffers(pa.string(), 120, pa.array([value] * 120, pa.binary()).buffers())
        with pytest.raises(BadData, match=r"^row group 1, row 1, column id: is not UTF-8 text$"):
            train_csv(parquet(keys), **FIELDS)


@pytest.mark.parametrize("kind", [pa.float64(), pa.bool_(), pa.decimal128(30, 2), pa.binary()], ids=str)
def test_key_of_another_type_is_an_error(train_csv, kind):
    """Numbers with a fraction have no one text."""
    keys = pa.array([b"%d" % number for number in NUMBERS], kind) if kind == pa.binary() else pa.array(NUMBERS)
    if kind == pa.bool_():
        keys = pa.array([number > 3 for number in NUMBERS])
    message = r"^the holdout key is neither whole numbers nor text: id \("
    with pytest.raises(BadData, match=message):
        train_csv(parquet(keys.cast(kind)), **FIELDS)


def test_key_needs_exact_sums(train_csv, monkeypatch):
    """Else the promise of the same bytes in any order would not hold."""
    monkeypatch.setattr("linplane_trainer.train.MAX_EXACT", 1)
    text = "id,x,z,y\n" + "".join(f"{KEYS[row]},{X[row]},{row},{Y[row]}\n" for row in range(120))
    with pytest.raises(BadData, match=r"^holdoutKey: at most 1 features, and there are 2$"):
        train_csv(text, **FIELDS)


def test_draws_of_a_file_in_a_folder_are_its_own():
    """From the seed and the path within the folder, so that files can be read in any order."""
    holdout = Holdout(30, 7)
    words = np.frombuffer(hashlib.sha256(b"sales/01.csv").digest(), ">u4").tolist()
    expected = np.random.Generator(np.random.PCG64(np.random.SeedSequence((7, *words)))).random(50)
    assert HoldoutDraws(holdout, "sales/01.csv").draw(50).numbers.tolist() == expected.tolist()
    assert HoldoutDraws(holdout, "sales/02.csv").draw(50).numbers.tolist() != expected.tolist()


def test_key_with_features_listed_is_read_too(train_csv):
    """Though it is none of them."""
    assert train_csv(csv(), features=("x",), **FIELDS).digest == train_csv(csv(), **FIELDS).digest
