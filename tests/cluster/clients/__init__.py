"""Clients of other projects in an environment of their own, in the user's cache folder: made once, in seconds.

The versions are in `requirements.txt`, which is made of `requirements.in` by `uv pip compile --universal
--python-version 3.11 --no-annotate --no-header`.
"""

import hashlib
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

from cluster.gobuild import BinariesMissingError, cache_folder, locked, say

REQUIREMENTS = Path(__file__).parent / "requirements.txt"
_READY = ".ready"


def obtain() -> dict[str, Path]:
    """The Python that has the clients, by the name `clients`. Raises BinariesMissingError."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()
    folder = cache_folder().parent / f"clients-{digest[:12]}"
    with locked(folder):
        if not (folder / _READY).exists():
            _install(folder)
    return {"clients": folder / "bin/python"}


def _install(folder: Path) -> None:
    uv = shutil.which("uv", path=sysconfig.get_path("scripts"))
    if uv is None:
        raise BinariesMissingError("uv is needed to install the clients: run `make setup`")
    start = time.monotonic()
    say(f"installing clients of other projects from PyPI into {folder}: once per machine, 130 MB")
    python = folder / "bin/python"
    for arguments in (
        ["venv", "--quiet", "--clear", "--python", sys.executable, str(folder)],
        ["pip", "install", "--quiet", "--compile-bytecode", "--python", str(python), "-r", str(REQUIREMENTS)],
    ):
        try:
            subprocess.run([uv, *arguments], check=True, timeout=600, capture_output=True, text=True)
        except subprocess.CalledProcessError as error:
            raise BinariesMissingError(f"the clients cannot be installed: {error.stderr.strip()[-2000:]}") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BinariesMissingError(f"the clients cannot be installed: {error}") from error
    (folder / _READY).touch()
    say(f"installed them in {time.monotonic() - start:.0f} s")
