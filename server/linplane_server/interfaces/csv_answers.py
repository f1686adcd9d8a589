"""Encodes predictions as CSV (RFC 4180): pure. A header line, then a line for each row, in order."""

from collections.abc import Sequence

import msgspec

from ..problems import Headers
from ..state.snapshot import Version

COLUMN = b"prediction"
_CONTENT_TYPE = (b"content-type", b"text/csv; charset=utf-8; header=present")
_encode = msgspec.json.Encoder().encode


def csv_predictions(values: Sequence[float], version: Version) -> tuple[Headers, bytes]:
    """Returns headers, which name the version, and body. Numbers are those of a JSON answer, digit for digit."""
    numbers = _encode(list(values))[1:-1].replace(b",", b"\n")
    content = b"%b\n%b\n" % (COLUMN, numbers)
    return [_CONTENT_TYPE, *version.headers, (b"content-length", b"%d" % len(content))], content
