"""Checks before the app starts: the folder exists, the state folder is not in use, the ports are free."""

import asyncio
import os
import socket
from pathlib import Path
from typing import BinaryIO

from linplane_api.locks import lock

from .state_dir import StateDir

BIND_SECONDS = 3.0  # the server of a killed process releases its ports within this time


class StartError(Exception):
    """The app cannot start; the message is one line for the user."""


def check_folder(folder: Path) -> None:
    """Raises StartError if the folder cannot be read."""
    try:
        next(folder.iterdir(), None)
    except OSError as error:
        raise StartError(f"folder {folder}: {error.strerror}") from error


def check_token(path: Path | None) -> None:
    """Raises StartError if the token file cannot be read or is empty."""
    try:
        empty = path is not None and not path.read_bytes().strip()
    except OSError as error:
        raise StartError(f"token file {path}: {error.strerror}") from error
    if empty:
        raise StartError(f"token file {path} is empty")


def make_state(root: Path) -> None:
    """Creates an empty state folder in an existing folder. Raises OSError."""
    root.mkdir()
    (root / ".gitignore").write_text("*\n", encoding="utf-8")


def acquire_state(state_dir: StateDir, folder: Path) -> tuple[BinaryIO, bool]:
    """Acquires the state folder for this process and this folder of manifests. Returns the lock, and True if an earlier
    process died without releasing it. Raises StartError.
    """
    if state_dir.root.resolve() == folder.resolve():
        raise StartError(f"state folder {state_dir.root} is the folder of manifests; use --state for another")
    try:
        if not state_dir.root.exists():
            state_dir.root.parent.mkdir(parents=True, exist_ok=True)
            make_state(state_dir.root)
        file = lock(state_dir.lock, wait=False)
    except BlockingIOError as error:
        raise StartError(f"state folder {state_dir.root} is in use by {_holder(state_dir.lock)}") from error
    except OSError as error:
        raise StartError(f"state folder {state_dir.root}: {error.strerror}; use --state for another") from error
    try:
        unreleased = bool(file.read().strip())
        _claim(state_dir, folder.absolute())
        file.seek(0)
        file.truncate()
        file.write(f"{os.getpid()}\n".encode())
        file.flush()
    except OSError as error:
        file.close()
        raise StartError(f"state folder {state_dir.root}: {error.strerror}; use --state for another") from error
    except StartError:
        file.close()
        raise
    return file, unreleased


def _holder(lock_file: Path) -> str:
    """The process that holds the lock, as far as its file says so: it may be empty, or gone by now."""
    try:
        process_id = lock_file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        process_id = ""
    return f"another linplane local, process {process_id}" if process_id else "another linplane local"


def _claim(state_dir: StateDir, folder: Path) -> None:
    """Checks that the state belongs to this folder: with another one, all its versions would count as deleted."""
    before = Path(state_dir.owner.read_text(encoding="utf-8")) if state_dir.owner.exists() else folder
    if before != folder and before.is_dir() and before.resolve() != folder.resolve():
        raise StartError(f"state folder {state_dir.root} belongs to {before}; use --state for another")
    if not state_dir.owner.exists() or before != folder:
        state_dir.owner.write_text(str(folder), encoding="utf-8")


async def listen(host: str, port: int, patience: float) -> socket.socket:
    """A listening socket; waits up to `patience` seconds for a port that is in use. Raises StartError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    deadline = asyncio.get_running_loop().time() + patience
    while True:
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
            sock.listen(2048)
            sock.setblocking(False)
        except (OSError, OverflowError, UnicodeError) as error:
            sock.close()
            if asyncio.get_running_loop().time() < deadline:
                await asyncio.sleep(0.05)
                continue
            why = getattr(error, "strerror", None) or str(error)
            raise StartError(
                f"{host}:{port}: {why}; choose another with --host, --port, --admin-port, --grpc-port"
            ) from error
        return sock


async def free_address(host: str, port: int | None, patience: float) -> tuple[str, int] | None:
    """The address of gRPC: a free port if `port` is 0; None without a port. The server listens on it itself, as its
    gRPC library takes no socket. Raises StartError.
    """
    if port is None:
        return None
    with await listen(host, port, patience) as sock:
        return host, int(sock.getsockname()[1])


def url_of(sock: socket.socket) -> str:
    """The URL of a listening socket, for clients on this machine."""
    return f"http://{format_address(*sock.getsockname()[:2])}"


def format_address(host: str, port: int) -> str:
    """Host and port as in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
