"""A running `linplane local` on free ports, with everything in tmp_path."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.local.running import Local


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for manifests."""
    path = tmp_path / "manifests"
    path.mkdir()
    return path


@pytest.fixture
def local(tmp_path: Path, folder: Path) -> Iterator[Local]:
    """Not started yet; ended after the test."""
    one = Local(folder, tmp_path / "state")
    yield one
    one.end()
    assert "Traceback" not in one.text, one.text
