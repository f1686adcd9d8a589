"""Shares the blocks of a table out to threads: one reads, the others convert and add up."""

import queue
import threading
from collections.abc import Callable, Iterable, Sequence

from .batch import Block

Take = Callable[[Block], None]
Numbered = tuple[int, Block]
THREAD = "converts and adds up"


def share_out(blocks: Iterable[Block], takers: Sequence[Take]) -> None:
    """Gives each block to one of the takers, each of which has a thread of its own; one alone needs none.

    As many blocks wait as there are takers. If reading or taking fails, no more is read, and what is raised is the
    error of the first block that has one, so threads change no message: all blocks before it are still taken.
    """
    if len(takers) == 1:
        for block in blocks:
            takers[0](block)
        return
    waiting: queue.Queue[Numbered | None] = queue.Queue(len(takers))
    failed: list[tuple[int, Exception]] = []
    threads = [
        threading.Thread(target=_work, args=(take, waiting, failed), name=THREAD, daemon=True) for take in takers
    ]
    for thread in threads:
        thread.start()
    try:
        _read(blocks, waiting, failed)
    finally:
        for _ in threads:
            waiting.put(None)
        for thread in threads:
            thread.join()
    if failed:
        raise _first(failed)[1]


def _read(
    blocks: Iterable[Block], waiting: "queue.Queue[Numbered | None]", failed: list[tuple[int, Exception]]
) -> None:
    number = 0
    try:
        for block in blocks:
            if failed:
                return
            waiting.put((number, block))
            number += 1
    except Exception as error:  # an earlier block's goes before it
        failed.append((number, error))


def _work(take: Take, waiting: "queue.Queue[Numbered | None]", failed: list[tuple[int, Exception]]) -> None:
    while (found := waiting.get()) is not None:
        number, block = found
        if failed and number > _first(failed)[0]:
            continue
        try:
            take(block)
        except Exception as error:  # raised by the thread that reads
            failed.append((number, error))


def _first(failed: list[tuple[int, Exception]]) -> tuple[int, Exception]:
    return min(failed, key=lambda one: one[0])
