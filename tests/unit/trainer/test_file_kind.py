"""The error for a file that is no CSV in UTF-8 names its format."""

import bz2
import gzip
import io
import lzma
import pickle
import re
import tarfile
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_trainer.data.file_kind import file_problem
from linplane_trainer.errors import BadData

TEXT = b"Gr\xc3\xb6\xc3\x9fe,y\n1,2\n2,3.5\n3,6\n"


def zipped(*names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, TEXT)
    return file.getvalue()


def written(write, **options):
    file = io.BytesIO()
    write(pa.table({"y": [1.0, 2.0]}), file, **options)
    return file.getvalue()


def stored(**contents):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return file.getvalue()


def written_by_numpy(save, *args, **arrays):
    file = io.BytesIO()
    save(file, *args, **arrays)
    return file.getvalue()


def archived(form):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        member = tarfile.TarInfo("rows.csv")
        member.size = len(TEXT)
        archive.addfile(member, io.BytesIO(TEXT))
    return file.getvalue()


FILES = [
    ("an xz file", "unpack it first", lzma.compress(TEXT)),
    ("a zip file", "unpack it first", zipped("rows.csv")),
    ("an Excel workbook (xlsx)", "save it as CSV", zipped("[Content_Types].xml", "xl/workbook.xml")),
    ("an Excel workbook (xlsx)", "save it as CSV", zipped("xl/workbook.xml")),
    ("an Excel workbook (xlsx)", "save it as CSV", zipped("docProps/app.xml", "xl/workbook.xml")),
    ("an OpenDocument file", "save it as CSV", stored(mimetype=b"application/vnd.oasis.opendocument.spreadsheet")),
    ("a NumPy file (npz)", "save it as CSV", written_by_numpy(np.savez, y=np.ones(2))),
    ("a NumPy file (npy)", "save it as CSV", written_by_numpy(np.save, np.ones(2))),
    ("an R data file", "save it as CSV", b"RDX3\nX\n\0\0\0\3"),
    ("an R data file", "save it as CSV", b"X\n\0\0\0\2\0\4\2\1"),
    ("a tar archive", "unpack it first", archived(tarfile.GNU_FORMAT)),
    ("a tar archive", "unpack it first", archived(tarfile.PAX_FORMAT)),
    ("JSON", "save it as CSV", b'\xef\xbb\xbf[\n  {"x": 1, "y": 2}\n]'),
    ("JSON", "save it as CSV", b'{"x": 1, "y": 2}\n{"x": 2, "y": 3.5}\n'),
    ("an Excel workbook (xls)", "save it as CSV", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500)),
    ("a Feather file (Arrow)", "save it as CSV", written(pyarrow.feather.write_feather, compression="uncompressed")),
    ("a Feather file (Arrow)", "save it as CSV", b"FEA1\0\0\0\0" + bytes(64)),
    ("a Stata file", "save it as CSV", b"<stata_dta><header><release>118</release>"),
    ("a Stata file", "save it as CSV", b"\x72\x02\x01\x00\x02\x00" + bytes(100)),
    *(("a Python pickle", "save it as CSV", pickle.dumps({"y": [1.0]}, protocol)) for protocol in range(2, 6)),
    *(("a Python pickle", "save it as CSV", pickle.dumps(pa.scalar(1), protocol)) for protocol in range(2, 6)),
    *(("UTF-16 text", "save it as UTF-8", TEXT.decode().encode(code)) for code in ("utf-16", "utf-16-le", "utf-16-be")),
    ("UTF-16 text", "save it as UTF-8", b"\xfe\xff" + TEXT.decode().encode("utf-16-be")),
    ("UTF-32 text", "save it as UTF-8", TEXT.decode().encode("utf-32")),
    ("not UTF-8 text (Latin-1, Windows-1252?)", "save it as UTF-8", TEXT.decode().encode("latin-1")),
    ("an HTML page", "give the address of the file itself", b"\n<!DOCTYPE html>\n<html><head>"),
    ("an HTML page", "give the address of the file itself", b'<HTML lang="en">'),
    ("an HTML page", "give the address of the file itself", b'<?xml version="1.0"?>\n<!-- a --> <!-- b -->\n<html>'),
    ("a SQLite database", "save it as CSV", b"SQLite format 3\0" + bytes(84)),
    ("an HDF5 file", "save it as CSV", b"\x89HDF\r\n\x1a\n" + bytes(84)),
    ("a binary file", "save it as CSV", b"\x01\x02,y\0\0\0\0\n"),
]


@pytest.mark.parametrize(("kind", "advice", "data"), FILES)
def test_file_of_another_kind_is_named(train_csv, kind, advice, data):
    """And what to do about it is said."""
    with pytest.raises(BadData) as caught:
        train_csv(data)
    assert str(caught.value) == f"the data is {kind}, and a CSV in UTF-8 is needed: {advice}"


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("a gzip file", gzip.compress(TEXT, mtime=0)),
        ("a bzip2 file", bz2.compress(TEXT)),
        ("a zstd file", pa.compress(TEXT, "zstd", asbytes=True)),
        ("a Parquet file", written(pyarrow.parquet.write_table)),
        ("a tar archive", archived(tarfile.GNU_FORMAT)),
        ("an R data file", b"RDX3\nX\n\0\0\0\3"),
        ("not UTF-8 text (Latin-1, Windows-1252?)", TEXT.decode().encode("latin-1")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_file_of_another_kind_within_a_packing_is_named(train_csv, kind, data):
    """One packing is undone, not two."""
    with pytest.raises(BadData, match=f"^the data is {re.escape(kind)} within gzip, and a CSV in UTF-8 is needed: "):
        train_csv(gzip.compress(data))


@pytest.mark.parametrize("name", ["PAR1", "ARROW1", "FEA1", "BZh1", "PK", "iris", "<html", "SQLite format 3"])
def test_column_may_be_called_as_a_format_begins(train_csv, name):
    text = f"{name},y\n1,2\n2,3.5\n3,6\n"
    assert train_csv(text).features == (name,)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_text_in_utf8_is_no_other_kind(text):
    """But for HTML and JSON, whatever they say."""
    problem = file_problem(text.encode())
    assert problem is None or "<" in text or ("{" in text and '"' in text)


def test_long_file_is_recognised_in_one_pass():
    """Comments that end early, and one that never ends: no pattern tries every way to cut them."""
    assert file_problem(b"<!-- -->" * 100_000 + b"<p>") is None
    assert file_problem(b"<!--" * 100_000) is None
