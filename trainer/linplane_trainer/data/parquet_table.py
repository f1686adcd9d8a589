"""A Parquet file as blocks of numbers, one row group after another, in the memory of a few pages of each column.

pyarrow would read whole row groups ahead: `pre_buffer` and `buffer_size` bound that. What is in memory at least is, for
each column of a row group, its dictionary and one page: up to 1 MiB each as pyarrow writes them.
"""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from linplane_api.display import display_name
from linplane_api.facts import DATA_HASH, DataHash
from linplane_api.names import MAX_CONFIGMAP_BYTES

from ..batch import Batch, Block, Draws, Progress
from ..errors import BadData, BadRowError, TrainingFailed
from ..holdout import HoldoutDraws
from .csv_cells import BadCell
from .csv_header import Columns, Selection
from .holdout_keys import draws_by_key, is_key
from .parquet_columns import batch_of, is_numeric
from .source import Bytes
from .typed_columns import TypedColumn, choose

ROWS = 4096
BUFFER_BYTES = 1 << 16
HASHED_BYTES = 1 << 20
REMOTE_BYTES = 1 << 25
"""What is read at once of a remote file, of all columns together."""
MAX_PIECE_BYTES = 1 << 22
INDEX = re.compile(r"(__index_level_\d+__)?")
"""The name of a column that has none: pandas stores row labels so."""


class ParquetTable:
    """One pass over a Parquet file. `features` and `target` are its columns in use; `left_out` the others, if the
    features are the default ones.
    """

    def __init__(
        self,
        data: Bytes,
        selection: Selection,
        draws: HoldoutDraws,
        *,
        remote: bool = False,
        like: Columns | None = None,
    ) -> None:
        """Owns the data; reads the footer. The default features are the columns of a numeric type. `draws` are the
        file's own; `remote`: that of the source; `like`: the columns that it must have, if it is one of several. Raises
        TrainerError.
        """
        self._selection, self._draws = selection, draws
        self._data = data
        try:
            self._bytes, self._remote = data.random_access(), remote
            self.sha256 = _sha256(self._bytes, data.size, remote=remote)
            self.hash = None if _is_large(data.size) or self.sha256 is None else self.sha256[:DATA_HASH]
            self._file = _opened(self._bytes)
            schema = self._file.schema_arrow
            self.columns = schema.names
            choice = choose([_typed(field) for field in schema], selection, remote=remote, like=like)
            self.features, self.left_out, self.target = choice.features, choice.left_out, selection.target
        except BaseException:
            data.close()
            raise

    def close(self) -> None:
        """Closes the file."""
        self._data.close()

    def blocks(self, progress: Progress | None = None) -> Iterator[Block]:
        """The rows, in order, target last; can be called once. Raises BadData. `progress` counts rows twice."""
        columns, done, rows = [*self.features, self.target, *self._selection.keys], 0, self._file.metadata.num_rows
        for group in range(self._file.num_row_groups):
            start = done
            for block in self._blocks(group, columns):
                draws = None if self._selection.keys else self._draws.draw(block.num_rows)
                yield Block(block.num_rows, partial(self._batch, block, draws, group, done - start))
                done += block.num_rows
                if progress:
                    progress(done, done, rows)

    def _batch(self, block: pa.RecordBatch, draws: Draws | None, group: int, before: int) -> Batch:
        """Converts the block behind the first `before` rows of a row group; `draws` None: these are by the key."""
        used = [*self.features, self.target]
        batch = batch_of([block.column(name) for name in used], draws or self._draws_by_key(block, group, before))
        if isinstance(batch, BadCell):
            raise BadRowError(_bad_cell_text(batch, used[batch.column], group, before))
        return batch

    def _draws_by_key(self, block: pa.RecordBatch, group: int, before: int) -> Draws:
        (key,) = self._selection.keys
        found = draws_by_key(block.column(key), self._selection.holdout)
        if isinstance(found, BadCell):
            raise BadRowError(_bad_cell_text(found, key, group, before))
        return found

    def _blocks(self, group: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        try:
            file = self._remote_file(group, columns) if self._remote else self._file
            yield from file.iter_batches(ROWS, row_groups=[group], columns=columns, use_threads=False)
        except (pa.ArrowException, OSError) as error:  # the text may quote the file
            _check_disk(error)
            raise BadData(f"row group {group + 1} of the Parquet file is damaged, or of an unknown packing") from None

    def _remote_file(self, group: int, columns: Sequence[str]) -> pq.ParquetFile:
        """The file for a row group of which each read is a request: few reads, in memory that is bounded. Columns that
        are small together are read at once, others each in pieces.
        """
        metadata = self._file.metadata
        chunks = map(metadata.row_group(group).column, range(metadata.num_columns))
        used = set(columns)
        if sum(chunk.total_compressed_size for chunk in chunks if chunk.path_in_schema in used) <= REMOTE_BYTES:
            return pq.ParquetFile(self._bytes, metadata=metadata, pre_buffer=True)
        piece = max(BUFFER_BYTES, min(REMOTE_BYTES // len(columns), MAX_PIECE_BYTES))
        return pq.ParquetFile(self._bytes, metadata=metadata, pre_buffer=False, buffer_size=piece)


def _opened(file: Any) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file, pre_buffer=False, buffer_size=BUFFER_BYTES)
    except (pa.ArrowException, OSError) as error:
        _check_disk(error)
        raise BadData("the Parquet file is damaged or cut off: its footer cannot be read") from None


def _typed(field: pa.Field) -> TypedColumn:
    kind, has_name = field.type, INDEX.fullmatch(field.name) is None
    return TypedColumn(field.name, _format_type(kind), is_numeric(kind), is_key(kind), pa.types.is_null(kind), has_name)


def _format_type(kind: pa.DataType) -> str:
    """Without parameters, which hold names of fields."""
    return re.split(r"[<(\[]", str(kind))[0]


def _check_disk(error: Exception) -> None:
    """Raises TrainingFailed for an error of the operating system: pyarrow's own have no number."""
    if isinstance(error, OSError) and error.errno:
        raise TrainingFailed(f"the data file cannot be read ({type(error).__name__})") from None


def _is_large(size: int | None) -> bool:
    return size is None or size > MAX_CONFIGMAP_BYTES


def _sha256(file: Any, size: int | None, *, remote: bool) -> str | None:
    """Reads all of a file once more, unless it is a large one behind a network."""
    if remote and _is_large(size):
        return None
    found = DataHash()
    while part := file.read(HASHED_BYTES):
        found.add(part)
    return found.sha256()


def _bad_cell_text(cell: BadCell, name: str, group: int, before: int) -> str:
    return f"row group {group + 1}, row {before + cell.row + 1}, column {display_name(name)}: {cell.problem}"
