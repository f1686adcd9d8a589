"""Clients of other projects in environments of their own, in the user's cache folder: each made once, in seconds.

The versions of an environment are in its `.txt`, which is made of its `.in` by `uv pip compile --universal
--python-version 3.11 --no-annotate --no-header`. KServe and MLServer need different releases of FastAPI.
"""

import hashlib
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

from cluster.gobuild import BinariesMissingError, cache_folder, locked, say

OIP = "oip"
"""The environment of the light clients, which every run of the tests needs."""

_READY = ".ready"


def obtain(environment: str = OIP) -> dict[str, Path]:
    """The Python of an environment, by its name: `oip`, `kserve` or `mlserver`. Raises BinariesMissingError."""
    requirements = Path(__file__).parent / f"{environment}.txt"
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    folder = cache_folder().parent / f"clients-{environment}-{digest[:12]}"
    with locked(folder):
        if not (folder / _READY).exists():
            _install(requirements, folder)
    return {environment: folder / "bin/python"}


def _install(requirements: Path, folder: Path) -> None:
    uv = shutil.which("uv", path=sysconfig.get_path("scripts"))
    if uv is None:
        raise BinariesMissingError("uv is needed to install the clients: run `make setup`")
    start = time.monotonic()
    say(f"installing {requirements.stem} clients from PyPI into {folder}: once per machine, 130 to 300 MB")
    python = folder / "bin/python"
    for arguments in (
        ["venv", "--quiet", "--clear", "--python", sys.executable, str(folder)],
        ["pip", "install", "--quiet", "--compile-bytecode", "--python", str(python), "-r", str(requirements)],
    ):
        try:
            subprocess.run([uv, *arguments], check=True, timeout=600, capture_output=True, text=True)
        except subprocess.CalledProcessError as error:
            raise BinariesMissingError(f"the clients cannot be installed: {error.stderr.strip()[-2000:]}") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BinariesMissingError(f"the clients cannot be installed: {error}") from error
    (folder / _READY).touch()
    say(f"installed them in {time.monotonic() - start:.0f} s")
