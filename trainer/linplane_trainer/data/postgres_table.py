"""A query's rows as blocks of numbers, in the memory of a few of them. Their order is the database's."""

from collections.abc import Iterator
from functools import partial

import pyarrow as pa

from linplane_api.display import display_name

from ..batch import Batch, Block, Draws, Progress
from ..errors import BadData
from ..holdout import HoldoutDraws
from .csv_cells import BadCell
from .csv_header import Selection
from .holdout_keys import draws_by_key
from .parquet_columns import batch_of
from .postgres import Query
from .postgres_columns import KEYS, NUMERIC, type_name, values_of
from .typed_columns import TypedColumn, choose


class PostgresTable:
    """One pass over a query's rows. `features` and `target` are its columns in use; `left_out` the others, if the
    features are the default ones.
    """

    hash: str | None = None
    sha256: str | None = None
    """The rows have no bytes of their own."""

    def __init__(self, query: Query, selection: Selection) -> None:
        """Owns the query, which does not run yet. The default features are the columns of a numeric type. Raises
        BadData.
        """
        self._query, self._draws = query, HoldoutDraws(selection.holdout)
        self._kinds = {field.name: type_name(field) for field in query.schema}
        try:
            choice = choose([_typed(field) for field in query.schema], selection)
        except BaseException:
            query.close()
            raise
        self.features, self.left_out, self.target = choice.features, choice.left_out, selection.target

    def close(self) -> None:
        """Ends the query."""
        self._query.close()

    def blocks(self, progress: Progress | None = None) -> Iterator[Block]:
        """Runs the query and gives its rows, in order, target last; can be called once. Raises TrainerError.
        `progress` counts rows twice.
        """
        rows = 0
        for block in self._query.batches():
            draws = self._draws.draw(block.num_rows) if self._draws.holdout.key is None else None
            yield Block(block.num_rows, partial(self._batch, block, draws, rows))
            rows += block.num_rows
            if progress:
                progress(rows, rows, None)
        if not rows:
            raise BadData("the query gives no rows")

    def _batch(self, block: pa.RecordBatch, draws: Draws | None, before: int) -> Batch:
        """Converts the block behind the first `before` rows; `draws` None: these are by the key."""
        used = [*self.features, self.target]
        columns = [values_of(block.column(name), self._kinds[name]) for name in used]
        batch = batch_of(columns, draws or self._draws_by_key(block, before))
        if isinstance(batch, BadCell):
            raise BadData(_bad_cell_text(batch, used[batch.column], before))
        return batch

    def _draws_by_key(self, block: pa.RecordBatch, before: int) -> Draws:
        holdout = self._draws.holdout
        found = draws_by_key(block.column(holdout.key), holdout)
        if isinstance(found, BadCell):
            raise BadData(_bad_cell_text(found, str(holdout.key), before))
        return found


def _typed(field: pa.Field) -> TypedColumn:
    kind = type_name(field)
    has_name = field.name != "?column?"  # there may be several of these
    return TypedColumn(field.name if has_name else "", kind, kind in NUMERIC, kind in KEYS, has_name=has_name)


def _bad_cell_text(cell: BadCell, name: str, before: int) -> str:
    return f"row {before + cell.row + 1}, column {display_name(name)}: {cell.problem}"
