"""`make cluster` ends by signals. What it starts is replaced."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from integration.operator import __main__ as make_cluster


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Those of pytest, afterwards."""
    before = {number: signal.getsignal(number) for number in make_cluster.SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_the_cluster_and_a_second_does_not_stop_the_clean_up(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cleaned = []

    @contextmanager
    def control_plane(_: object) -> Iterator[Any]:
        try:
            signal.raise_signal(number)
            yield
        finally:
            signal.raise_signal(number)
            cleaned.append(number)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["cluster"])
    monkeypatch.setattr(make_cluster, "find_binaries", lambda **_: {})
    monkeypatch.setattr(make_cluster, "control_plane", control_plane)
    assert make_cluster.main() == 0
    assert cleaned == [number]
