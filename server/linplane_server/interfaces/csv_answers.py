"""Encodes predictions as CSV (RFC 4180): pure. A header line, then a line for each row, in order."""

from collections.abc import Iterator, Sequence

from ..predict.interface import Content
from ..problems import Headers
from ..state.snapshot import Version
from .json_answers import SLICE, numbers

COLUMN = b"prediction"
_CONTENT_TYPE = (b"content-type", b"text/csv; charset=utf-8; header=present")


def csv_predictions(values: Sequence[float], version: Version) -> tuple[Headers, Content]:
    """Returns headers, which name the version, and body. Numbers are those of a JSON answer, digit for digit."""
    lines = _lines(values)
    return [_CONTENT_TYPE, *version.headers], b"".join(lines) if len(values) <= SLICE else lines


def _lines(values: Sequence[float]) -> Iterator[bytes]:
    yield COLUMN + b"\n"
    for _, text in numbers(values):
        yield text.replace(b",", b"\n") + b"\n"
