"""Recognises packed files, and files that are not CSV in UTF-8, by their first bytes. PURE."""

import re

UNPACK, AS_CSV, AS_UTF8 = "unpack it first", "save it as CSV", "save it as UTF-8"

PARQUET = rb"PAR1\x15"
MAGIC_BYTES = 10

# specific enough that no CSV begins like that: a column may be called PAR1, or BZh
_KINDS = (
    (rb"\x1f\x8b", "a gzip file", UNPACK),  # in another packing, as the next two
    (rb"BZh[1-9](1AY&SY|\x17rE8P\x90)", "a bzip2 file", UNPACK),
    (rb"\x28\xb5\x2f\xfd", "a zstd file", UNPACK),
    (rb"\xfd7zXZ\0", "an xz file", UNPACK),
    (rb"PK\x03\x04.{26}(\[Content_Types\]\.xml|xl/|_rels/|docProps/)", "an Excel workbook (xlsx)", AS_CSV),
    (rb"PK\x03\x04.{26}mimetypeapplication/vnd\.oasis", "an OpenDocument file", AS_CSV),
    (rb"PK\x03\x04.{26}[^/\0]{1,250}\.npy", "a NumPy file (npz)", AS_CSV),
    (rb"PK\x03\x04", "a zip file", UNPACK),
    (PARQUET, "a Parquet file", UNPACK),  # within a packing: else it is read,
    (rb"(ARROW1|FEA1)\0", "a Feather file (Arrow)", AS_CSV),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook (xls)", AS_CSV),
    (rb"<stata_dta>|[\x69-\x73][\x01\x02]\x01\0", "a Stata file", AS_CSV),
    (rb"\x80[\x02-\x05][\x80-\xff(c}\])K.X]", "a Python pickle", AS_CSV),
    (rb"\x93NUMPY", "a NumPy file (npy)", AS_CSV),
    (rb"RD[AX][23]\n|X\n\0\0\0[\x02\x03]", "an R data file", AS_CSV),
    (rb".{257}ustar(  )?\0", "a tar archive", UNPACK),
    (rb"\x89HDF\r\n\x1a\n", "an HDF5 file", AS_CSV),
    (rb"SQLite format 3\0", "a SQLite database", AS_CSV),
    (rb"\xff\xfe\0\0|\0\0\xfe\xff", "UTF-32 text", AS_UTF8),
    (rb"\xff\xfe|\xfe\xff|(\0[^\0]){2}|([^\0]\0){2}", "UTF-16 text", AS_UTF8),
    (
        rb"(\xef\xbb\xbf)?(\s*<\?xml[^>]*>)?(\s*<!--(?>.*?-->))*+\s*<(!doctype\s+html|html|head|body)[\s>]",
        "an HTML page",
        "give the address of the file itself",
    ),
    (rb"(\xef\xbb\xbf)?\s*(\[\s*)?\{\s*\"", "JSON", AS_CSV),
    (rb"[^\0]{0,63}\0", "a binary file", AS_CSV),
)
_PATTERNS = tuple((re.compile(pattern, re.IGNORECASE | re.DOTALL), what, advice) for pattern, what, advice in _KINDS)


_PACKINGS = (
    (re.compile(rb"\x1f\x8b"), "gzip"),
    (re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"), "bzip2"),
    (re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"), "zstd"),
)


def packing_of(beginning: bytes) -> str:
    """`gzip`, `bzip2`, `zstd`, or empty. `beginning` is at least the first MAGIC_BYTES, if there are so many."""
    return next((name for pattern, name in _PACKINGS if pattern.match(beginning)), "")


def is_parquet(beginning: bytes) -> bool:
    """Whether it begins like Parquet. `beginning` is at least the first MAGIC_BYTES, if there are so many."""
    return re.match(PARQUET, beginning) is not None


def file_problem(beginning: bytes, packing: str = "") -> str | None:
    """The file's kind and what to do about it, None if it may be a CSV. `beginning` is at least its first 512 bytes, if
    it has so many; `packing` the name of that which they were in.
    """
    for pattern, what, advice in _PATTERNS:
        if pattern.match(beginning):
            return _problem(what, packing, advice)
    return None


def undecodable(packing: str = "") -> str:
    """The same for a file of which the first line is not UTF-8."""
    return _problem("not UTF-8 text (Latin-1, Windows-1252?)", packing, AS_UTF8)


def _problem(what: str, packing: str, advice: str) -> str:
    within = f" within {packing}" if packing else ""
    return f"the data is {what}{within}, and a CSV in UTF-8 is needed: {advice}"
