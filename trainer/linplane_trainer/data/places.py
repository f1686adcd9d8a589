"""Where the data of a task is: a file, the files of a folder, or a URI."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from linplane_api.task import FileData, S3Data, UriData

from ..errors import BadData, MissingFileError, RefusedError
from .download import Network
from .files import FileSource, folder_at
from .source import Bytes, Folder, Source
from .uri_parts import UriBytes
from .uri_rules import Rules, file_path, rules_for


class UriSource:
    """A URI; the rules are checked at every step."""

    remote = True

    def __init__(self, data: UriData, network: Network) -> None:
        """Nothing is fetched yet."""
        self._data, self._network = data, network

    def open(self) -> Bytes:
        """Sends the request and opens the response's body."""
        return UriBytes(self._data.uri, _rules(self._data), self._network)


def source_for(
    data: FileData | UriData | S3Data, folder: Path, network: Network, credentials: Mapping[str, str] | None = None
) -> Source | Folder:
    """A file, or the files of a folder. `credentials`: the keys of the data's Secret. Raises BadData if there is no
    file, or RefusedError for a path or a URI that may not be read.
    """
    if isinstance(data, S3Data):
        from .s3 import s3_place  # noqa: PLC0415 - the AWS SDK is of use to few trainings

        return s3_place(data, credentials or {}, network.timeout)
    if isinstance(data, FileData):
        is_relative = not Path(data.path).is_absolute()
        return _local(_inside(folder, data.path), data.path, folder.resolve() if is_relative else None)
    path = file_path(data.uri, _rules(data))
    return _local(Path(path), None, None) if path is not None else UriSource(data, network)


def _local(path: Path, name: str | None, within: Path | None) -> Source | Folder:
    """`name`: the path in the task. `within`: the data folder, if it is relative to that."""
    if _is_folder(path):
        return folder_at(path, _prefix(name) if name and within else "", within)
    if name and name.endswith("/"):
        raise MissingFileError(name)
    return FileSource(path, name)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # opening it says what is wrong
        return False


def _prefix(name: str) -> str:
    path = PurePosixPath(name).as_posix()
    return "" if path == "." else f"{path}/"


def _rules(data: UriData) -> Rules:
    return rules_for(data.allowed_hosts, data.denied_addresses, data.allow_file)


def _inside(folder: Path, path: str) -> Path:
    """An absolute path is used as is. A relative one must stay inside the folder, also once its links are followed."""
    if not path or "\0" in path:
        raise BadData("the data file's path is empty or malformed")
    if Path(path).is_absolute():
        return Path(path)
    try:
        real, base = (folder / path).resolve(), folder.resolve()
    except (OSError, RuntimeError) as error:  # links in a circle
        raise BadData("the data file's path cannot be followed") from error
    if not real.is_relative_to(base):
        raise RefusedError("the data file's path leads out of the data folder")
    return real
