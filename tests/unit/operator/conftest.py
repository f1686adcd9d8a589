"""The reconciler over a store in a temporary folder."""

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unit.operator.harness import Sim


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skips fsync, and restores uuid4 at the end."""
    monkeypatch.setattr("os.fsync", lambda _: None)
    monkeypatch.setattr(uuid, "uuid4", uuid.uuid4)


@pytest.fixture
def sim(tmp_path: Path) -> Sim:
    """One namespace."""
    return Sim(tmp_path / "one")


@pytest.fixture
def new_sim(tmp_path: Path) -> Callable[..., Sim]:
    """Creates namespaces: `new_sim(**arguments of Sim)`."""
    count = iter(range(10_000))

    def make(**fields: Any) -> Sim:
        return Sim(tmp_path / f"sim-{next(count)}", **fields)

    return make
