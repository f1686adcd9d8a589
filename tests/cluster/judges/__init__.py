"""The verdicts of other tools on Linplane's objects: kstatus (Helm 4, Flux) and Argo CD's Lua.

Two small Go programs in this folder. They are built into the user's cache folder at their first use, in less than a
minute, and again after a change of their source.
"""

import hashlib
import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cluster.gobuild import cache_folder, find_go, locked, run_go, say

PROGRAMS = ("kstatus", "lua")
_SOURCE = Path(__file__).parent


class Verdict(NamedTuple):
    """The status that kstatus computes for an object."""

    status: str  # Current, InProgress, Failed, Terminating, NotFound or Unknown
    message: str


class JudgeError(Exception):
    """A program couldn't judge an object; the message is its own."""


def obtain(programs: Sequence[str] = PROGRAMS) -> dict[str, Path]:
    """The path of each program, built if it is missing. Raises BinariesMissingError."""
    folder = _folder()
    with locked(folder):
        for program in programs:
            if not (folder / program).exists():
                _build(program, folder)
    return {program: folder / program for program in programs}


def kstatus(objects: Sequence[Mapping[str, Any]]) -> list[Verdict]:
    """The verdict on each object, in the same order. Raises JudgeError, BinariesMissingError."""
    return [Verdict(**verdict) for verdict in _ask("kstatus", objects)]


def run_lua(script: str, obj: Mapping[str, Any], parameters: Mapping[str, str] | None = None) -> Any:
    """Returns the result of a script for the global `obj`; `parameters` are those of an action.

    Raises JudgeError if the script doesn't parse, fails or takes longer than a second; BinariesMissingError.
    """
    return _ask("lua", {"script": script, "obj": obj, "actionParams": parameters or {}})


def _ask(program: str, given: Any) -> Any:
    path = obtain([program])[program]
    done = subprocess.run([path], input=json.dumps(given), capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise JudgeError(done.stderr.strip())
    return json.loads(done.stdout)


def _folder() -> Path:
    """Named after the source: an older build is never used for a newer source."""
    digest = hashlib.sha256()
    for path in sorted([*_SOURCE.glob("go.*"), *_SOURCE.glob("*/*.go")]):
        digest.update(path.read_bytes())
    return cache_folder().parent / f"judges-{digest.hexdigest()[:12]}"


def _build(program: str, folder: Path) -> None:
    go, start = find_go(), time.monotonic()
    target = folder / f".{program}.new"
    flags = "-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w"
    run_go(go, _SOURCE, "build", *flags, "-o", str(target), f"./{program}")
    target.replace(folder / program)
    say(f"built {program} in {time.monotonic() - start:.0f} s")
