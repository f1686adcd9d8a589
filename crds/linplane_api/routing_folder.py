"""A RoutingMap as a folder that is swapped atomically: local mode's ConfigMap, and a server's own copy in its
emptyDir.

As kubelet lays out a volume: `..data` is a symbolic link to a folder that is written whole before the link is
renamed over the old one. A reader that resolves the link once sees one state. The files are the ConfigMap's keys,
and `uid`.
"""

import contextlib
import shutil
import tempfile
from pathlib import Path

from .canonical import FormatError
from .routing import RoutingMap, routing_map

CURRENT = "..data"
UID_FILE = "uid"


def write_routing(folder: Path, routing: RoutingMap, before: RoutingMap | None = None) -> None:
    """Makes `routing` the folder's current state, and removes what earlier states, or a crash, left. Creates
    the folder if it does not exist. Raises OSError, also if its parent does not exist.

    `before` is what the current state holds: a file that stays the same is linked, which costs a tenth of writing it.
    """
    folder.mkdir(exist_ok=True)
    new = Path(tempfile.mkdtemp(dir=folder, prefix="..state-"))
    link = folder / f"{new.name}.link"
    try:
        same = _files(before) if before else {}
        for key, text in _files(routing).items():
            if same.get(key) != text or not _linked(folder / CURRENT / key, new / key):
                (new / key).write_text(text, encoding="utf-8")
        new.chmod(0o755)
        link.symlink_to(new.name)
        link.replace(folder / CURRENT)
    except OSError:  # as of a full disk: an incomplete state would take the space of the next
        shutil.rmtree(new, ignore_errors=True)
        link.unlink(missing_ok=True)
        raise
    for old in folder.glob("..state-*"):
        if old.name.startswith(new.name):
            continue
        if old.is_symlink():
            old.unlink(missing_ok=True)
        else:
            shutil.rmtree(old, ignore_errors=True)


def _files(routing: RoutingMap) -> dict[str, str]:
    return {**routing.to_data(), UID_FILE: routing.uid}


def _linked(old: Path, new: Path) -> bool:
    """True if the file could be linked: a file of a state is never written to again."""
    try:
        new.hardlink_to(old)
    except OSError:  # of a file system without links, or it is gone
        return False
    return True


def forget_routing(folder: Path) -> None:
    """Removes the current state. Raises OSError if it may remain."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        (folder / CURRENT).unlink()


def current_state(folder: Path) -> str | None:
    """The name of the current state, which differs after every write; None if there is none. One system call."""
    try:
        return str((folder / CURRENT).readlink())
    except OSError:
        return None


def read_routing(folder: Path, state: str) -> RoutingMap:
    """Reads the state that `current_state` named. Raises OSError (also if it was swapped meanwhile: try again) or
    FormatError.
    """
    files = {}
    for path in (folder / state).iterdir():
        try:
            files[path.name] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise FormatError(path.name, "not UTF-8") from error
    if current_state(folder) != state:  # an old state is removed file by file, so this may be incomplete
        raise FileNotFoundError(f"{state} was swapped meanwhile")
    return routing_map(files.pop(UID_FILE, ""), files)
