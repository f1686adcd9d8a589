"""`make test` runs the short size of a test, `make thorough` the full one, and nothing runs in both."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TESTS = """\
import pytest
from support import sized


@sized("count", short=1, full=9)
def test_both(count):
    print(f"both {count}")


@pytest.mark.thorough
def test_long():
    print("long")


def test_plain():
    print("plain")
"""
RAN = {"unit": {"both 1", "plain"}, "integration": {"both 1", "plain"}, "thorough": {"both 9", "long"}}


def selection(target: str) -> list[str]:
    """The `-m` that a target of the Makefile passes to pytest, if any."""
    recipe = (ROOT / "Makefile").read_text().split(f"\n{target}: ", 1)[1].split("\n\n", 1)[0]
    words = shlex.split(next(line for line in recipe.splitlines() if "/pytest " in line))
    return words[words.index("-m") :][:2] if "-m" in words else []


@pytest.mark.parametrize("target", RAN)
def test_target_runs_its_own_sizes(tmp_path: Path, target: str) -> None:
    (tmp_path / "test_sizes.py").write_text(TESTS)
    options = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path), "-p", "no:cacheprovider", "-s", "-q"]
    command = [sys.executable, "-m", "pytest", str(tmp_path), *options, "-o", f"pythonpath={ROOT / 'tests'}"]
    done = subprocess.run([*command, *selection(target)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    said = {
        line.lstrip(".") for line in done.stdout.splitlines() if line.lstrip(".").startswith(("both", "long", "plain"))
    }
    assert said == RAN[target]
