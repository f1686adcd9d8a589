"""Blocks in several threads: each is taken once, and which error is raised depends on the data alone."""

import threading

import numpy as np
import pytest

from linplane_trainer.batch import Batch, Block, Draws
from linplane_trainer.errors import BadData
from linplane_trainer.sharing import THREAD, share_out

COUNTS = (1, 2, 3, 7)


def block(number):
    """Of no rows; its number is the one draw."""
    draws = Draws(np.array([float(number)]), np.zeros(1, bool))
    return Block.of(Batch(np.empty((0, 1)), np.zeros(1, bool), draws))


def number_of(taken):
    return int(taken.batch().draws.numbers[0])


class Takers:
    """As many as threads; each fails at some blocks."""

    def __init__(self, count, bad=()):
        self.taken = [[] for _ in range(count)]
        self._bad = set(bad)

    def each(self):
        return [lambda taken, own=own: self._take(own, number_of(taken)) for own in self.taken]

    def _take(self, own, number):
        own.append(number)
        if number in self._bad:
            raise BadData(f"block {number}")


def failing_after(count):
    yield from map(block, range(count))
    raise BadData("the file breaks off")


@pytest.mark.parametrize("count", COUNTS)
def test_each_block_is_taken_once_and_in_order_by_each_thread(count):
    takers = Takers(count)
    share_out(map(block, range(50)), takers.each())
    assert sorted(number for own in takers.taken for number in own) == list(range(50))
    assert all(own == sorted(own) for own in takers.taken)


@pytest.mark.parametrize("count", COUNTS)
def test_error_of_the_first_bad_block_is_raised(count):
    """Whichever thread finds it, and although a later block or the reader fails first."""
    for bad, text in (((17, 18, 19, 30), "block 17"), ((3,), "block 3"), ((), "the file breaks off")):
        takers = Takers(count, bad)
        with pytest.raises(BadData, match=text):
            share_out(failing_after(40), takers.each())
        before = min(bad, default=40)
        assert {number for own in takers.taken for number in own} >= set(range(before))


def test_earlier_error_that_comes_later_is_raised():
    """Block 0 fails after block 1 has: its thread waits for that."""
    later = threading.Event()

    def take(taken):
        if number_of(taken) == 0:
            later.wait(60)
            raise BadData("block 0")
        later.set()
        raise BadData("block 1")

    with pytest.raises(BadData, match="block 0"):
        share_out(map(block, range(2)), [take, take])


def test_no_more_is_read_after_an_error():
    read = []

    def blocks():
        for number in range(10_000):
            read.append(number)
            yield block(number)

    with pytest.raises(BadData, match="block 0"):
        share_out(blocks(), Takers(3, range(10_000)).each())
    assert len(read) < 20


def test_few_blocks_wait():
    """So that memory does not grow with the data: two are taken and two wait when one more is read."""
    five, taken = threading.Event(), []

    def blocks():
        for number in range(100):
            assert number - len(taken) <= 4
            if number == 4:
                five.set()
            yield block(number)

    def take(_):
        five.wait(60)
        taken.append(True)

    share_out(blocks(), [take, take])
    assert len(taken) == 100


@pytest.mark.parametrize("count", COUNTS)
def test_threads_end_with_the_call(count):
    def interrupted():
        yield block(0)
        raise KeyboardInterrupt

    takers = Takers(count)
    with pytest.raises(KeyboardInterrupt):
        share_out(interrupted(), takers.each())
    assert [number for own in takers.taken for number in own] == [0]
    assert not [thread for thread in threading.enumerate() if thread.name == THREAD]
