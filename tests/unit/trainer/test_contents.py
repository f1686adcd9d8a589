"""Packed files: unpacked as they are read, whatever they are called, and never used if a part is missing."""

import bz2
import gzip

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_api.facts import data_hash
from linplane_trainer.data import csv_table
from linplane_trainer.data.contents import Contents
from linplane_trainer.data.source import Readable
from linplane_trainer.errors import BadData, TrainingFailed

CANARY = "s3cr3t"
ROWS = "a,b,y\n" + "".join(f"{i},{i * i % 97},{i % 7}.5\n" for i in range(1, 3000))
PACK = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "bzip2": bz2.compress,
    "zstd": lambda data: pa.compress(data, "zstd", asbytes=True) if data else EMPTY_ZSTD,
}
EMPTY_ZSTD = b"\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00"
SKIPPABLE = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"  # RFC 8878, 3.1.2: what pzstd writes before each frame
packings = pytest.mark.parametrize("packing", PACK)


class Pieces:
    """Bytes that arrive in pieces, as from a network; then an error, if there is one."""

    size = None

    def __init__(self, data, piece, error=None):
        self.data, self.piece, self.error = data, piece, error

    def read(self, size):
        part, self.data = self.data[: min(size, self.piece)], self.data[min(size, self.piece) :]
        if not part and self.error:
            raise self.error
        return part

    def close(self):
        pass


def unpacked(data, piece=1 << 20, error=None):
    contents = Contents(Readable(Pieces(data, piece, error)))
    return contents.packing, contents.stream.read()


@packings
def test_packed_table_is_trained_on(learn_csv, packing):
    """In several members too. The hash of the data is that of the file's bytes."""
    expected = learn_csv(ROWS).artifact.digest
    half = len(ROWS) // 2
    for parts in ([ROWS], [ROWS[:half], "", ROWS[half:]]):
        data = b"".join(PACK[packing](part.encode()) for part in parts)
        trained = learn_csv(data)
        assert trained.artifact.digest == expected
        assert trained.facts.data == data_hash(data)


@packings
@pytest.mark.parametrize("size", [64, 1 << 20])
def test_error_in_a_packed_table_has_its_line(learn_csv, monkeypatch, packing, size):
    monkeypatch.setattr(csv_table, "BLOCK_BYTES", size)
    for row, message in ((f"1,{CANARY},2", "line 3001, column b: is not a number"), (CANARY, "line 3001: 1 values")):
        with pytest.raises(BadData) as caught:
            learn_csv(PACK[packing](f"{ROWS}{row}\n1,2,3\n".encode()), features=("a", "b"))
        assert str(caught.value).startswith(message)


@given(st.sampled_from(sorted(PACK)), st.lists(st.binary(max_size=99), min_size=1, max_size=4), st.integers(1, 40))
def test_members_are_one_stream(packing, parts, piece):
    """However the bytes arrive."""
    data = b"".join(PACK[packing](part) for part in parts)
    assert unpacked(data, piece) == (packing, b"".join(parts))


@given(st.binary(max_size=99), st.integers(1, 40))
def test_bytes_that_are_not_packed_are_the_contents(data, piece):
    assert unpacked(b"a," + data, piece) == ("", b"a," + data)


def test_skippable_frame_may_be_the_first():
    assert unpacked(SKIPPABLE + PACK["zstd"](b"a,y\n1,2\n")) == ("zstd", b"a,y\n1,2\n")


@packings
def test_packed_file_that_is_cut_off_is_an_error(packing):
    """At any byte, also one of a later member."""
    data = PACK[packing](ROWS[:200].encode())
    for whole in (b"", data):
        for end in range(10, len(data) - 1):
            with pytest.raises(BadData) as caught:
                unpacked(whole + data[:end])
            assert str(caught.value) == f"the {packing} file is cut off: its end is missing"


@packings
@pytest.mark.parametrize("rest", [CANARY.encode(), bytes(512), b"a,b,y\n" * 100], ids=["word", "zeros", "rows"])
def test_packed_file_that_is_followed_by_something_else_is_an_error(learn_csv, packing, rest):
    with pytest.raises(BadData) as caught:
        learn_csv(PACK[packing](ROWS.encode()) + rest)
    assert str(caught.value).startswith(f"the {packing} file is damaged, or followed by something else")


@pytest.mark.parametrize("packing", ["gzip", "bzip2"])
def test_packed_file_with_another_byte_is_an_error(learn_csv, packing):
    """By its checksum; in zstd one is optional."""
    data = bytearray(PACK[packing](ROWS.encode()))
    data[len(data) // 2] ^= 255
    with pytest.raises(BadData, match=f"^the {packing} file is "):
        learn_csv(bytes(data))


@packings
def test_download_of_a_packed_file_that_breaks_off_is_no_damage(packing):
    """The connection's error is kept: a retry may help."""
    with pytest.raises(TrainingFailed, match="the download broke off"):
        unpacked(PACK[packing](ROWS.encode())[:-20], 64, TrainingFailed("the download broke off"))
