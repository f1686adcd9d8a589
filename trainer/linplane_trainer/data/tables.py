"""Opens a table by what its first bytes say that it is: Parquet, or a CSV. A file's name proves nothing. The files of a
folder are one table.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from linplane_api.facts import DataHash
from linplane_api.task import CsvOptions

from ..batch import Batch, Block, Progress
from ..errors import BadData, TrainerError
from ..holdout import HoldoutDraws
from .csv_header import Columns, Selection
from .csv_table import Table
from .file_kind import MAGIC_BYTES, is_parquet
from .parquet_table import ParquetTable
from .source import Folder, Peeked, Source

FileTable = Table | ParquetTable


def open_table(place: Source | Folder, selection: Selection) -> "FileTable | FolderTable":
    """The table of a source, or of all files of a folder. Raises TrainerError."""
    if isinstance(place, Folder):
        return FolderTable(place, selection)
    return _open_file(place, selection, HoldoutDraws(selection.holdout))


def _open_file(source: Source, selection: Selection, draws: HoldoutDraws, like: Columns | None = None) -> FileTable:
    opened = source.open()
    try:
        data = Peeked(opened, MAGIC_BYTES)
        if is_parquet(data.beginning):
            _check_has_no_options(selection.csv)
    except BaseException:
        opened.close()
        raise
    if is_parquet(data.beginning):
        return ParquetTable(data, selection, draws, remote=source.remote, like=like)
    return Table(source, data, selection, draws, like)


def _check_has_no_options(csv: CsvOptions | None) -> None:
    if csv is not None:
        raise BadData("the data is a Parquet file, for which `csv` does nothing: leave it out")


class FolderTable:
    """One pass over the files of a folder, in their order, each opened when it is its turn. `features` and `left_out`
    are those of the first file.
    """

    def __init__(self, folder: Folder, selection: Selection) -> None:
        """Opens the first file. Raises TrainerError, which names the file."""
        self._folder = folder
        self._hashes: list[str | None] = []
        self._sha256: list[str | None] = []
        first, source = folder.files[0]
        with self._naming(first):
            self._table = _open_file(source, selection, HoldoutDraws(selection.holdout, first))
        self.features, self.target, self.left_out = self._table.features, self._table.target, self._table.left_out
        self._selection = replace(selection, features=self.features, exclude=())
        self._columns = Columns(folder.path + first, self._table.columns)

    @property
    def hash(self) -> str | None:
        """The hash of a list of the files' hashes and names, as `sha256sum` prints it, once all blocks were read; None
        if a file has none.
        """
        found = self._listed(self._hashes)
        return None if found is None else found.result()

    @property
    def sha256(self) -> str | None:
        """That of what `sha256sum` prints for the files, in their order, once all batches were read; None if a file has
        none.
        """
        found = self._listed(self._sha256)
        return None if found is None else found.sha256()

    def _listed(self, hashes: Sequence[str | None]) -> DataHash | None:
        if None in hashes:
            return None
        found = DataHash()
        for one, (name, _) in zip(hashes, self._folder.files, strict=True):
            found.add(f"{one}  {name}\n".encode(errors="surrogateescape"))
        return found

    def close(self) -> None:
        """Closes the file that is open."""
        self._table.close()

    def blocks(self, progress: Progress | None = None) -> Iterator[Block]:
        """The rows, in order, target last; can be called once. Raises TrainerError, which names the file. `progress`
        counts files.
        """
        rows, files = 0, self._folder.files
        for number, (name, source) in enumerate(files):
            with self._naming(name):
                if number:
                    draws = HoldoutDraws(self._selection.holdout, name)
                    self._table = _open_file(source, self._selection, draws, self._columns)
                for block in self._table.blocks():
                    yield Block(block.rows, partial(self._batch, block, name))
                    rows += block.rows
                self._table.close()
            self._hashes.append(self._table.hash)
            self._sha256.append(self._table.sha256)
            if progress:
                progress(rows, number + 1, len(files))

    def _batch(self, block: Block, name: str) -> Batch:
        with self._naming(name):
            return block.batch()

    @contextmanager
    def _naming(self, name: str) -> Iterator[None]:
        try:
            yield
        except TrainerError as error:
            error.name_file(self._folder.path + name)
            raise
