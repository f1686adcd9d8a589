"""The functions that compute many rows at once. They need numpy, which is imported with the first large batch."""

import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

Raw = bytes | bytearray | memoryview


class BlockSums(NamedTuple):
    """`predict_rows` and `predict_raw` of `linplane_api.blocks`."""

    predict_rows: Callable[[Sequence[float], float, Sequence[Sequence[float]]], list[float]]
    predict_raw: Callable[[tuple[float, ...], float, Raw, str], Sequence[float]]


def _in_a_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="numpy").start()


class Blocks:
    """Returns the functions when it is called, or None as long as numpy is not imported.

    The first call starts the import in a thread and no call waits for it, since it takes up to a second of a busy
    machine. Until then, and if it fails, batches are computed row by row, with the same answers.
    """

    def __init__(self, run: Callable[[Callable[[], None]], None] = _in_a_thread) -> None:
        """`run` runs a function once, now or later."""
        self._run = run
        self._is_started = False
        self._sums: BlockSums | None = None

    def __call__(self) -> BlockSums | None:
        """See the class."""
        if not self._is_started:
            self._is_started = True
            self._run(self._load)
        return self._sums

    def _load(self) -> None:
        from linplane_api import blocks  # noqa: PLC0415 - 25 MB, for a server that gets such batches only

        self._sums = BlockSums(blocks.predict_rows, blocks.predict_raw)
