"""A Parquet file as batches of numbers, one row group after another, in the memory of a few pages of each column.

pyarrow would read whole row groups ahead: `pre_buffer` and `buffer_size` bound that. The file must be one that can be
read from any place, which a download cannot.
"""

import re
from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from linplane_api.display import display_name
from linplane_api.facts import LeftOutColumn, LeftOutReason, data_hash
from linplane_api.names import MAX_CONFIGMAP_BYTES, MAX_FEATURE_NAME

from ..batch import Batch, Draws
from ..errors import BadData, TrainingFailed
from ..holdout import HoldoutDraws
from .csv_cells import BadCell
from .csv_header import check_names, default_features
from .holdout_keys import draws_by_key, is_key
from .left_out import format_left_out
from .parquet_columns import batch_of, is_numeric
from .source import FileBytes

ROWS = 8192
MAX_SHOWN = 12
BUFFER_BYTES = 1 << 16
INDEX = re.compile(r"(__index_level_\d+__)?")
"""The name of a column that has none: pandas stores row labels so."""

Progress = Callable[[int, int, int | None], None]


class ParquetTable:
    """One pass over a Parquet file. `features` and `target` are its columns in use; `left_out` the others, if the
    features are the default ones.
    """

    def __init__(
        self,
        data: FileBytes,
        features: tuple[str, ...] | None,
        target: str,
        exclude: tuple[str, ...] = (),
        *,
        draws: HoldoutDraws,
    ) -> None:
        """Owns the file; reads its footer. `features` None means every column of a numeric type, without those of
        `exclude`. `draws` are the file's own. Raises BadData.
        """
        self._data = data
        self._draws, self._key = draws, draws.holdout.key
        self.left_out: tuple[LeftOutColumn, ...] = ()
        try:
            self.hash = _hash(data)
            self._file = _opened(data)
            schema = self._file.schema_arrow
            check_names(schema.names, features, target, exclude, key=self._key, remote=False, separator=None)
            self._types = dict(zip(schema.names, schema.types, strict=True))
            self.features = features or self._default_features({target, *exclude, *self._keys()})
            self.target = target
            self._check([*self.features, target])
        except BaseException:
            data.close()
            raise

    def close(self) -> None:
        """Closes the file."""
        self._data.close()

    def batches(self, progress: Progress | None = None) -> Iterator[Batch]:
        """The rows, in order, target last; can be called once. Raises BadData. `progress` counts rows twice."""
        used, done, rows = [*self.features, self.target], 0, self._file.metadata.num_rows
        for group in range(self._file.num_row_groups):
            start = done
            for block in self._blocks(group, [*used, *self._keys()]):
                draws = self._draw(block)
                if isinstance(draws, BadCell):
                    raise BadData(_bad_cell_text(draws, str(self._key), group, done - start))
                batch = batch_of([block.column(name) for name in used], draws)
                if isinstance(batch, BadCell):
                    raise BadData(_bad_cell_text(batch, used[batch.column], group, done - start))
                yield batch
                done += len(batch.kept)
                if progress:
                    progress(done, done, rows)

    def _keys(self) -> tuple[str, ...]:
        return () if self._key is None else (self._key,)

    def _draw(self, block: pa.RecordBatch) -> Draws | BadCell:
        if self._key is None:
            return self._draws.draw(block.num_rows)
        return draws_by_key(block.column(self._key), self._draws.holdout)

    def _blocks(self, group: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._file.iter_batches(ROWS, row_groups=[group], columns=columns, use_threads=False)
        except (pa.ArrowException, OSError) as error:  # the text may quote the file
            _check_disk(error)
            raise BadData(f"row group {group + 1} of the Parquet file is damaged, or of an unknown packing") from None

    def _default_features(self, others: set[str]) -> tuple[str, ...]:
        names = [name for name in self._types if name not in others and not INDEX.fullmatch(name)]
        numeric = {name for name in names if is_numeric(self._types[name])}
        found = [
            LeftOutColumn(name[:MAX_FEATURE_NAME], _reason(self._types[name]))
            if name in names
            else LeftOutColumn(f"column {number + 1}", LeftOutReason.NO_NAME)
            for number, name in enumerate(self._file.schema_arrow.names)
            if name not in numeric and name not in others
        ]
        self.left_out = tuple(found)
        return default_features(names, numeric, format_left_out(self.left_out))

    def _check(self, names: Sequence[str]) -> None:
        wrong = [name for name in names if not is_numeric(self._types[name])]
        if wrong:
            shown = ", ".join(f"{display_name(name)} ({_format_type(self._types[name])})" for name in wrong[:MAX_SHOWN])
            more = f" and {len(wrong) - MAX_SHOWN} more" if len(wrong) > MAX_SHOWN else ""
            raise BadData(f"columns of a type that is no number: {shown}{more}")
        if self._key is not None and not is_key(self._types[self._key]):
            shown = f"{display_name(self._key)} ({_format_type(self._types[self._key])})"
            raise BadData(f"the holdout key is neither whole numbers nor text: {shown}")
        if not self._file.metadata.num_rows:
            raise BadData("there are no data rows")


def _opened(data: FileBytes) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(pa.PythonFile(data.file, "r"), pre_buffer=False, buffer_size=BUFFER_BYTES)
    except (pa.ArrowException, OSError) as error:
        _check_disk(error)
        raise BadData("the Parquet file is damaged or cut off: its footer cannot be read") from None


def _reason(kind: pa.DataType) -> LeftOutReason:
    return LeftOutReason.EMPTY if pa.types.is_null(kind) else LeftOutReason.NOT_NUMERIC


def _format_type(kind: pa.DataType) -> str:
    """Without parameters, which hold names of fields."""
    return re.split(r"[<(\[]", str(kind))[0]


def _check_disk(error: Exception) -> None:
    """Raises TrainingFailed for an error of the operating system: pyarrow's own have no number."""
    if isinstance(error, OSError) and error.errno:
        raise TrainingFailed(f"the data file cannot be read ({type(error).__name__})") from None


def _hash(data: FileBytes) -> str | None:
    if data.size is None or data.size > MAX_CONFIGMAP_BYTES:
        return None
    data.file.seek(0)
    return data_hash(data.read(MAX_CONFIGMAP_BYTES))


def _bad_cell_text(cell: BadCell, name: str, group: int, before: int) -> str:
    return f"row group {group + 1}, row {before + cell.row + 1}, column {display_name(name)}: {cell.problem}"
