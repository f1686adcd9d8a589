"""A CSV as blocks of numbers, in the memory of a few blocks of the file.

The reader is pyarrow's: it streams, is fast, and could read Parquet with the same library. It hands
over bytes, which `csv_cells` converts, so that an error names column and line and repeats no value: pyarrow's own
messages quote whole rows.
"""

import io
import threading
from collections.abc import Generator, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv

from linplane_api.display import display_name, display_names
from linplane_api.facts import LeftOutColumn, LeftOutReason
from linplane_api.names import MAX_FEATURE_NAME
from linplane_api.task import CsvOptions

from ..batch import Batch, Block, Draws, Progress
from ..errors import BadData, BadRowError
from ..holdout import HoldoutDraws
from .contents import Contents, joined
from .csv_cells import BadCell, ColumnCounts, batch_of, count_column
from .csv_header import Columns, Selection, check_names, default_features, split_header
from .csv_location import lines_in, location
from .csv_numbers import NumberRules
from .holdout_keys import draws_by_key
from .left_out import format_left_out
from .source import Bytes, Readable, Source

BLOCK_BYTES = 1 << 20
AHEAD = 6
"""Blocks that are read before the fit has taken them: pyarrow's own thread would read 32."""
USUAL = CsvOptions()


class Table:
    """One pass over a CSV with a header. `features` and `target` are its columns in use; `left_out` the others,
    if the features are the default ones.
    """

    def __init__(
        self, source: Source, data: Bytes, selection: Selection, draws: HoldoutDraws, like: Columns | None = None
    ) -> None:
        """Owns `data`, the opened source, and reads one block: the default features are the columns of which at least
        half of the values there are numbers. `draws` are the file's own; `like`: the columns that it must have, if it
        is one of several. Raises TrainerError.
        """
        csv = selection.csv or USUAL
        self._source, self._selection, self._draws = source, selection, draws
        self._separator, self._null_values = csv.separator, csv.null_values
        self._rules = NumberRules(csv.decimal == ",", csv.null_values)
        self._data = data
        try:
            self._raw = Readable(self._data)
            contents = Contents(self._raw)
            beginning = contents.stream.read(BLOCK_BYTES)
            self.columns, rest = split_header(beginning, len(beginning) < BLOCK_BYTES, csv.separator, contents.packing)
            check_names(self.columns, selection, remote=source.remote, separator=csv.separator, like=like)
            self._number = {name: number for number, name in enumerate(self.columns)}  # unique for names in use
            self._ragged: Any = None
            self._rows = 0
            self._stream = _Gate(joined(rest, contents.stream))
            self._blocks = self._arrow_blocks(self._stream)
            self._first = next(self._blocks, None)
            self.left_out: tuple[LeftOutColumn, ...] = ()
            self.features = selection.features or self._default_features(beginning)
        except BaseException:
            self._data.close()
            raise
        self.target = selection.target

    @property
    def hash(self) -> str | None:
        """The hash of the source's bytes, once all blocks were read; None if these are too many for a ConfigMap."""
        return self._raw.hash

    @property
    def sha256(self) -> str:
        """That of the source's bytes, once all batches were read."""
        return self._raw.sha256

    def close(self) -> None:
        """Closes the source."""
        self._stream.taken(AHEAD)
        self._blocks.close()
        self._data.close()

    def blocks(self, progress: Progress | None = None) -> Iterator[Block]:
        """The rows, in order, target last; can be called once. Raises TrainerError."""
        block = self._first
        while block is not None:
            draws = self._draws.draw(block.num_rows) if self._selection.holdout.key is None else None
            yield Block(block.num_rows, partial(self._batch, block, draws, self._rows))
            self._stream.taken()
            self._rows += block.num_rows
            if progress:
                progress(self._rows, self._raw.done, self._data.size)
            block = next(self._blocks, None)

    def _batch(self, block: pa.RecordBatch, draws: Draws | None, before: int) -> Batch:
        """Converts the block behind the first `before` rows; `draws` None: these are by the key."""
        used = [*self.features, self.target]
        columns = [block[str(self._number[name])] for name in used]
        batch = batch_of(columns, self._rules, draws or self._draws_by_key(block, before))
        if isinstance(batch, BadCell):
            raise BadRowError(self._bad_cell_text(batch, used[batch.column], before))
        return batch

    def _draws_by_key(self, block: pa.RecordBatch, before: int) -> Draws:
        (key,) = self._selection.keys
        found = draws_by_key(block[str(self._number[key])], self._selection.holdout, self._null_values)
        if isinstance(found, BadCell):
            raise BadRowError(self._bad_cell_text(found, key, before))
        return found

    def _default_features(self, beginning: bytes) -> tuple[str, ...]:
        if self._first is None:
            raise BadData("there are no data rows")
        columns = [name for name in self.columns if name and name not in self._selection.others]
        blocks = {name: self._first[str(self._number[name])] for name in columns}
        found = {name: count_column(block, self._rules) for name, block in blocks.items()}
        self._check_decimal({name: block for name, block in blocks.items() if not found[name].is_numeric})
        self.left_out = self._left_out_columns(
            {name: one for name, one in found.items() if not one.is_numeric}, beginning
        )
        numeric = {name for name, one in found.items() if one.is_numeric}
        return default_features(columns, numeric, format_left_out(self.left_out))

    def _check_decimal(self, texts: dict[str, pa.Array]) -> None:
        """Raises BadData if columns are numbers with a decimal comma, which need no quotes with another separator."""
        if self._separator == "," or self._rules.has_decimal_comma:
            return
        rules = replace(self._rules, has_decimal_comma=True)
        if found := [name for name, column in texts.items() if count_column(column, rules).is_numeric]:
            raise BadData(f"{display_names(found)}: numbers with a decimal comma: set csv.decimal (--decimal)")

    def _left_out_columns(self, columns: dict[str, ColumnCounts], beginning: bytes) -> tuple[LeftOutColumn, ...]:
        cells = {
            name: (one.first_other, self._number[name]) for name, one in columns.items() if one.first_other is not None
        }
        lines = lines_in(beginning, list(cells.values()), self._separator)
        named = {
            self._number[name]: LeftOutColumn(
                name[:MAX_FEATURE_NAME],
                LeftOutReason.NOT_NUMERIC if one.values else LeftOutReason.EMPTY,
                lines.get(cells[name]) if name in cells else None,
            )
            for name, one in columns.items()
        }
        unnamed = {
            number: LeftOutColumn(f"column {number + 1}", LeftOutReason.NO_NAME)
            for number, name in enumerate(self.columns)
            if not name
        }
        return tuple(one for _, one in sorted((named | unnamed).items()))

    def _arrow_blocks(self, stream: io.RawIOBase) -> Generator[pa.RecordBatch, None, None]:
        """Blocks of text; columns are called by their number, since names need not be unique until they are used."""
        numbers = [str(number) for number in range(len(self.columns))]
        features, target, keys = self._selection.features, self._selection.target, self._selection.keys
        used = numbers if features is None else [str(self._number[name]) for name in (*features, target, *keys)]
        try:
            with pacsv.open_csv(
                stream,
                read_options=pacsv.ReadOptions(column_names=numbers, block_size=BLOCK_BYTES, use_threads=False),
                parse_options=pacsv.ParseOptions(
                    delimiter=self._separator, newlines_in_values=True, invalid_row_handler=self._record_ragged
                ),
                convert_options=pacsv.ConvertOptions(
                    include_columns=used, column_types=dict.fromkeys(used, pa.binary()), strings_can_be_null=False
                ),
            ) as reader:
                yield from reader
        except pa.ArrowInvalid as error:
            if str(error) == "Empty CSV file":
                return
            raise BadRowError(self._unreadable_text()) from None  # the cause quotes the row

    def _record_ragged(self, row: Any) -> str:
        self._ragged = row
        return "error"

    def _unreadable_text(self) -> str:
        if self._ragged is None:
            size = BLOCK_BYTES >> 20
            return f"after data row {self._rows}: a row is longer than {size} MiB, or a quote is never closed"
        number = self._ragged.number
        position = "a row" if number is None else location(self._source, number - 1, 0, self._separator)
        return f"{position}: {self._ragged.actual_columns} values, but the header has {len(self.columns)} names"

    def _bad_cell_text(self, cell: BadCell, name: str, before: int) -> str:
        position = location(self._source, before + cell.row, self._number[name], self._separator)
        may_leave_out = self._selection.features is None and name not in (self.target, *self._selection.keys)
        hint = "; list `features` to leave the column out" if may_leave_out else ""
        if cell.has_comma and self._separator != ",":
            hint = "; is the decimal mark a comma? set csv.decimal (--decimal)"
        return f"{position}, column {display_name(name)}: {cell.problem}{hint}"


class _Gate(io.RawIOBase):
    """A stream that a thread of pyarrow's reads in blocks, no faster than they are taken, so that memory does not grow
    with the file. It waits a second at most, since how far pyarrow must see ahead is its own matter.
    """

    def __init__(self, stream: "io.BufferedReader[Any]") -> None:
        super().__init__()
        self._stream = stream
        self._room = threading.Semaphore(AHEAD)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        self._room.acquire(timeout=1)
        return self._stream.read(size)

    def taken(self, blocks: int = 1) -> None:
        """Makes room for more blocks."""
        self._room.release(blocks)
