"""Opens a table by what its first bytes say that it is: Parquet, or a CSV. A file's name proves nothing."""

from linplane_api.task import CsvOptions

from ..errors import BadData
from ..holdout import Holdout, HoldoutDraws
from .csv_table import Table
from .file_kind import MAGIC_BYTES, is_parquet
from .parquet_table import ParquetTable
from .source import FileSource, Source


def open_table(  # noqa: PLR0913 (what varies is a parameter)
    source: Source,
    features: tuple[str, ...] | None,
    target: str,
    csv: CsvOptions | None = None,
    exclude: tuple[str, ...] = (),
    *,
    holdout: Holdout,
) -> Table | ParquetTable:
    """The table of a source; `csv` None: a CSV is written as usual. Raises TrainerError."""
    draws = HoldoutDraws(holdout)
    if not (isinstance(source, FileSource) and _begins_like_parquet(source)):
        return Table(source, features, target, csv or CsvOptions(), exclude, draws=draws)
    if csv is not None:
        raise BadData("the data is a Parquet file, for which `csv` does nothing: leave it out")
    return ParquetTable(source.open(), features, target, exclude, draws=draws)


def _begins_like_parquet(source: FileSource) -> bool:
    data = source.open()
    try:
        return is_parquet(data.read(MAGIC_BYTES))
    finally:
        data.close()
