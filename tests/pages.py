"""The commands and the Python sessions of a page of documentation, and whether they print what it says."""

import doctest
import re
from pathlib import Path
from typing import Any

Command = tuple[str, str]
"""As it is typed, and the lines that it should print; `...` stands for anything."""

PROMPT = ">>> "

_BLOCK = re.compile(r"^```(console|sh|pycon)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(page: Path) -> list[list[Command]]:
    """Each `$ command` of the page's console blocks. A block of `sh` is one command of several lines, to be pasted; one
    of `pycon` a part of the page's Python session, which begins with PROMPT and has its own output.
    """
    found = _BLOCK.findall(page.read_text(encoding="utf-8"))
    return [_commands(text) if language == "console" else [(text, "")] for language, text in found]


def _commands(text: str) -> list[Command]:
    found: list[Command] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], ""))
        else:
            command, expected = found[-1]
            found[-1] = (command, f"{expected}{line}\n")
    return found


class Session:
    """A Python session in this process."""

    def __init__(self) -> None:
        self._names: dict[str, Any] = {"__name__": "__main__"}

    def run(self, text: str) -> str:
        """Runs examples such as doctest's; empty if they print what they say, else a report."""
        test = doctest.DocTestParser().get_doctest(text, self._names, "session", None, None)
        report: list[str] = []
        doctest.DocTestRunner(verbose=False, optionflags=_FLAGS).run(test, out=report.append, clear_globs=False)
        self._names = test.globs
        return "".join(report)


def is_as_said(expected: str, printed: str) -> bool:
    """Anything is, where the page says nothing."""
    return not expected or doctest.OutputChecker().check_output(expected, printed, _FLAGS)
