"""The draws of rows by the text or whole number in their key column. PURE: reports which key is wrong, never its
value.
"""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..batch import Draws
from ..holdout import Holdout
from .csv_cells import BadCell
from .csv_numbers import GAP_WORDS

WHOLE = re.compile(r"([+-]?)0*([0-9]+)")


def is_key(kind: pa.DataType) -> bool:
    """Whether a column of that type can be a key: whole numbers, or text."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    tests = (pa.types.is_integer, pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(test(kind) for test in tests) or (pa.types.is_decimal(kind) and kind.scale == 0)


def draws_by_key(column: pa.Array, holdout: Holdout, null_values: Sequence[str] = ()) -> Draws | BadCell:
    """The draws of a column of bytes or of a type for which `is_key` holds. A null, and a text that is a gap in a CSV,
    is none. The column of a BadCell is 0.
    """
    texts = column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
    try:
        decoded = texts.cast(pa.string()).cast(pa.binary()).cast(pa.string())  # Parquet's text is not validated
        texts = pc.utf8_trim_whitespace(decoded)
    except pa.ArrowInvalid:  # its message quotes the value
        return BadCell(_first_undecodable(texts), 0, "is not UTF-8 text")
    words = pa.array([*GAP_WORDS, *(word.strip().lower() for word in null_values)], pa.string())
    gaps = pc.is_in(pc.utf8_lower(texts), value_set=words)
    coded = pc.if_else(gaps, "", texts).fill_null("").dictionary_encode()
    drawn = holdout.by_keys([canonical_key(text) for text in coded.dictionary.to_pylist()])
    rows = coded.indices.to_numpy()
    missing = np.asarray(pc.or_(gaps, texts.is_null()).to_numpy(zero_copy_only=False))
    return Draws(drawn.numbers[rows], drawn.held[rows], missing if missing.any() else None, by_key=True)


def canonical_key(text: str) -> str:
    """A whole number without plus and leading zeros, so that 7, +7 and 007 are one key; other text as it is."""
    match = WHOLE.fullmatch(text)
    if match is None:
        return text
    return match[2] if match[1] != "-" or match[2] == "0" else f"-{match[2]}"


def _first_undecodable(column: pa.Array) -> int:
    return next(row for row, cell in enumerate(column) if not _is_text(cell.as_buffer()))


def _is_text(cell: pa.Buffer | None) -> bool:
    try:
        str(cell or b"", "utf-8")
    except UnicodeDecodeError:
        return False
    return True
