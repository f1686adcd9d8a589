"""The commands of a page of documentation, and whether they print what it says."""

import doctest
import re
from pathlib import Path

Command = tuple[str, str]
"""As it is typed, and the lines that it should print; `...` stands for anything."""

_BLOCK = re.compile(r"^```(console|sh)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(page: Path) -> list[list[Command]]:
    """Each `$ command` of the page's console blocks; a block of `sh` is one command of several lines, to be pasted."""
    found = _BLOCK.findall(page.read_text(encoding="utf-8"))
    return [[(text, "")] if language == "sh" else _commands(text) for language, text in found]


def _commands(text: str) -> list[Command]:
    found: list[Command] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
        else:
            command, expected = found[-1]
            found[-1] = (command, f"{expected}{line}\n")
    return found


def is_as_said(expected: str, printed: str) -> bool:
    """Anything is, where the page says nothing."""
    return not expected or doctest.OutputChecker().check_output(expected, printed, _FLAGS)
