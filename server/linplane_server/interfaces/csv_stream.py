"""A CSV body (RFC 4180, UTF-8), decoded as it arrives."""

import csv
import io
from collections.abc import Iterator, Sequence

from ..errors import Malformed, PredictionRefusal, TooLarge
from ..predict.interface import Asked
from ..predict.rows import BLOCK_ROWS, Row
from .csv_body import CsvTable

PIECE = 1 << 13
"""Bytes that are decoded at once: two milliseconds if they have more than numbers, and a tenth of that if not."""

BLOCK_BYTES = 1 << 18
"""Bytes of rows that are computed at once, if they are fewer than BLOCK_ROWS."""

_BYTE_ORDER_MARK = "\ufeff"  # which spreadsheets write


class CsvStream:
    """The rows of a CSV, in blocks; one without rows after a slice of work that gave too few. See `Stream`.

    An error of a row is raised at the end: text that is not UTF-8 is refused first, wherever it is.
    """

    def __init__(self, asked: Asked, table: CsvTable, limit: int) -> None:
        """`table` is new. A row has at most `limit` bytes."""
        self.asked = asked
        self.held = 0
        self._limit = limit
        self._table = table
        self._wrong: PredictionRefusal | None = None
        self._kept = bytearray()  # the row that is not whole
        self._before = self._lines = 0  # bytes and lines before it
        self._whole = 0  # bytes of it in whole lines
        self._wanted = 0  # bytes of it from which on they are read again
        self._rows: list[Row] = []
        self._size = 0  # bytes of these rows

    def feed(self, data: bytes) -> Iterator[Sequence[Row]]:
        """See `Stream`. Raises Malformed, and TooLarge for a row over the limit."""
        for begin in range(0, len(data), PIECE):
            searched = max(0, len(self._kept) - 1)  # a carriage return at its end may have been half of a line's end
            self._kept += memoryview(data)[begin : begin + PIECE]
            self._whole = max(self._whole, _end_of_lines(self._kept, searched))
            if self._whole and len(self._kept) >= min(self._wanted, self._limit):
                yield self._read(self._whole)
            if len(self._kept) > self._limit:
                raise TooLarge(f"a row of the CSV is over {self._limit} bytes")
            self.held = len(self._kept) + self._size

    def finish(self) -> Iterator[Sequence[Row]]:
        """See `Stream`. Raises the first error in the rows, and Invalid if there is none."""
        rows = self._read(len(self._kept), last=True)
        if self._wrong is not None:
            raise self._wrong
        self._table.check_end()
        yield rows

    def _read(self, size: int, *, last: bool = False) -> Sequence[Row]:
        """Reads so many bytes of what is kept, which end with a line. Returns the rows to be computed."""
        text = self._take(size)
        left = ""
        if self._wrong is None:
            try:
                left = self._read_lines(text, last=last)
            except PredictionRefusal as error:
                self._wrong = error
                self._rows, self._size = [], 0
        kept = left.encode()
        self._kept[:0] = kept
        self._before += size - len(kept)
        self._whole, self._wanted = 0, 2 * len(kept)
        if not last and len(self._rows) < BLOCK_ROWS and self._size < BLOCK_BYTES:
            return ()
        rows, self._rows, self._size = self._rows, [], 0
        return rows

    def _take(self, size: int) -> str:
        try:
            text = self._kept[:size].decode()
        except UnicodeDecodeError as error:
            raise Malformed(f"not UTF-8 (byte {self._before + error.start})") from None
        del self._kept[:size]
        return text.removeprefix(_BYTE_ORDER_MARK) if self._before == 0 else text

    def _read_lines(self, text: str, *, last: bool) -> str:
        """Returns the beginning of a row that may go on in the next line."""
        rows = self._table.rows(text)
        if rows is None:
            return self._read_cells(text, last=last)
        self._rows += rows
        self._lines += len(rows)
        self._size += len(text)
        return ""

    def _read_cells(self, text: str, *, last: bool) -> str:
        lines = io.StringIO(text, newline="")
        reader = csv.reader(lines, strict=True)
        end = count = 0  # of the whole rows: characters and lines
        try:
            for cells in reader:
                row = self._table.row(cells) if cells else None
                if row is not None:
                    self._rows.append(row)
                end, count = lines.tell(), reader.line_num
        except csv.Error:
            if last or lines.tell() < len(text):
                raise Malformed(f"not CSV (line {self._lines + reader.line_num})") from None
        self._lines += count
        self._size += end
        return text[end:]


def _end_of_lines(data: bytearray, searched: int) -> int:
    """Returns the number of bytes up to the end of the last whole line; 0 if there is none after `searched`."""
    return max(data.rfind(b"\n", searched), data.rfind(b"\r", searched, max(0, len(data) - 1))) + 1
