"""The reader of a documentation page's commands and Python sessions."""

from pathlib import Path

import pytest

from pages import PROMPT, Session, blocks

PAGE = """\
Text.

```console
$ make a
said
$ make b
```

```pycon
>>> 1 + 1
2
```

```sh
one
two
```

```yaml
a: 1
```
"""


def test_blocks_are_commands_sessions_and_scripts(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(PAGE)
    assert blocks(tmp_path / "page.md") == [
        [("make a", "said\n"), ("make b", "")],
        [(f"{PROMPT}1 + 1\n2\n", "")],
        [("one\ntwo\n", "")],
    ]


def test_session_keeps_names_from_block_to_block() -> None:
    session = Session()
    assert session.run(">>> import math\n>>> x = 2\n") == ""
    assert session.run(">>> x * math.pi\n6.28...\n>>> def f():\n...     return x\n") == ""
    assert (
        session.run(">>> f()\n2\n>>> 1 / 0\nTraceback (most recent call last):\n    ...\nZeroDivisionError: ...\n")
        == ""
    )


@pytest.mark.parametrize("text", [">>> 1 + 1\n3\n", ">>> 1 + 1\n", ">>> 1 / 0\n", ">>> x = 1\n1\n", ">>> nope\n"])
def test_session_reports_what_is_not_as_said(text: str) -> None:
    assert "Failed example" in Session().run(text)
