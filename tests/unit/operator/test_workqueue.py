"""The work queue, on a clock that jumps: every delay is exact and none is waited for."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from linplane_operator.compile.outcome import Result, earliest
from linplane_operator.runtime.workqueue import AWAY_DELAY, FIRST_DELAY, LAST_DELAY, WorkQueue
from unit.operator.virtual_time import run_virtually

A, B, C = (("ModelRoute", "default", name) for name in "abc")


class Story:
    """Keys that were worked on, and when. `work` returns the seconds of the requeue."""

    def __init__(self) -> None:
        self.lines: list[tuple[float, str]] = []
        self.failed: list[str] = []
        self.work: Callable[[tuple[str, str, str]], Awaitable[float | None]] = self.just_note
        self.queue = WorkQueue(self._work, lambda key, error: self.failed.append(f"{key[2]}: {error}"), lambda: 0.5)

    async def just_note(self, _key) -> None:
        return None

    async def _work(self, key):
        self.lines.append((round(asyncio.get_running_loop().time(), 3), key[2]))
        return Result(await self.work(key))

    async def run(self, seconds: float, workers: int = 1) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(self.queue.run(workers), seconds)

    @property
    def keys(self) -> list[str]:
        return [key for _, key in self.lines]


def play(script: Callable[[Story], Awaitable[None]]) -> Story:
    """Runs a script about one queue."""

    async def main() -> Story:
        story = Story()
        await script(story)
        return story

    return run_virtually(main())


def test_keys_are_queued_once_and_in_order():
    """However often it is enqueued."""

    async def script(story):
        story.queue.add([A, B, A, C, B])
        assert story.queue.depth == 3
        await story.run(1)
        assert story.queue.depth == 0

    assert play(script).keys == ["a", "b", "c"]


def test_key_enqueued_while_it_runs_runs_again_afterwards():
    """The change may be of an object that the run has read already."""
    running: list[str] = []

    async def script(story):
        async def slow(key):
            assert key[2] not in running
            running.append(key[2])
            await asyncio.sleep(1)
            running.remove(key[2])

        story.work = slow
        story.queue.add([A])
        asyncio.get_running_loop().call_later(0.5, story.queue.add, [A, A])
        await story.run(10, workers=3)

    assert play(script).lines == [(0.0, "a"), (1.0, "a")]


def test_workers_share_the_keys():
    """Workers process different keys at a time, in order of arrival."""

    async def script(story):
        async def slow(_key):
            await asyncio.sleep(1)

        story.work = slow
        story.queue.add([A, B, C])
        await story.run(10, workers=2)

    assert play(script).lines == [(0.0, "a"), (0.0, "b"), (1.0, "c")]


def test_failures_are_reported_and_requeued_with_backoff():
    """Doubling, up to a limit."""

    async def script(story):
        async def fails(_key):
            if len(story.lines) < 5:
                raise ValueError(f"no {len(story.lines)}")

        story.work = fails
        story.queue.add([A])
        await story.run(100)

    story = play(script)
    gaps = [later - one for (one, _), (later, _) in zip(story.lines, story.lines[1:], strict=False)]
    assert gaps == pytest.approx([FIRST_DELAY * 2**n for n in (0, 1, 2, 3)])
    assert story.failed == [f"a: no {n}" for n in (1, 2, 3, 4)]


def test_success_resets_the_backoff():
    """The next failure waits as the first one did."""

    async def script(story):
        async def fails(_key):
            if len(story.lines) in (1, 2, 4):
                raise ValueError("x")

        story.work = fails
        story.queue.add([A])
        asyncio.get_running_loop().call_later(50, story.queue.add, [A])
        await story.run(100)

    times = [time for time, _ in play(script).lines]
    assert times[3:] == [50.0, pytest.approx(50 + FIRST_DELAY)]


@pytest.mark.parametrize(("error", "longest"), [(ValueError(), LAST_DELAY), (OSError(), AWAY_DELAY)])
def test_backoff_has_a_maximum(error, longest):
    """Five minutes; far less while the API server is away, so that its return is noticed soon."""

    async def script(story):
        async def fails(_key):
            raise error

        story.work = fails
        story.queue.add([A])
        await story.run(24 * longest)

    lines = play(script).lines
    assert lines[-1][0] - lines[-2][0] == pytest.approx(longest)
    assert len(lines) < 40


def test_failing_key_does_not_delay_others():
    """The failing key is retried without holding up the others."""

    async def script(story):
        async def fails(key):
            if key == A and len(story.failed) < 1:
                raise ValueError("x")

        story.work = fails
        story.queue.add([A, B, C])
        await story.run(10)

    assert play(script).keys == ["a", "b", "c", "a"]


def test_add_overrides_the_backoff():
    """It may be what makes the next try succeed; the delay is then over too."""

    async def script(story):
        async def fails(_key):
            if len(story.lines) == 1:
                raise ValueError("x")

        story.work = fails
        story.queue.add([A])
        asyncio.get_running_loop().call_later(0.1, story.queue.add, [A])
        await story.run(50)

    assert play(script).lines == [(0.0, "a"), (0.1, "a")]


def test_requeue_after_the_earliest_result_wins():
    assert earliest() == earliest(Result(), Result()) == Result(None)
    assert earliest(Result(3.0), Result(), Result(0.0), Result(2.0)) == Result(0.0)


def test_requeue_after_is_honoured():
    """Once, after that many seconds."""

    async def script(story):
        async def later(_key):
            return 7.0 if len(story.lines) == 1 else None

        story.work = later
        story.queue.add([A])
        await story.run(100)

    assert play(script).lines == [(0.0, "a"), (7.0, "a")]


def test_add_after_replaces_an_earlier_timer():
    """One timer a key."""

    async def script(story):
        story.queue.add_after(5, A)
        story.queue.add_after(2, A)
        await story.run(100)

    assert play(script).lines == [(2.0, "a")]


def test_jitter_stays_within_its_bounds():
    """Between 80 and 120 percent, so that many do not come at once."""

    async def main() -> float:
        times: list[float] = []

        async def fails(_key):
            times.append(asyncio.get_running_loop().time())
            raise ValueError

        queue = WorkQueue(fails, lambda _key, _error: None, random.Random(1).random)
        queue.add([A])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(queue.run(), 0.6)
        return times[1] - times[0]

    assert 0.8 * FIRST_DELAY <= run_virtually(main()) <= 1.2 * FIRST_DELAY


def test_stalled_and_longest_running_show_progress():
    """How long keys wait for a worker, and how long a worker is at one key."""
    seen: list[tuple[float, float]] = []

    async def script(story):
        async def forever(key):
            if key != C:
                await asyncio.Event().wait()

        def look() -> None:
            seen.append((story.queue.stalled, story.queue.longest_running))

        story.work = forever
        loop = asyncio.get_running_loop()
        loop.call_later(10, story.queue.add, [A])
        for at in (9, 14):
            loop.call_later(at, look)
        loop.call_later(20, story.queue.add, [B, C])
        loop.call_later(50, look)
        await story.run(60, workers=2)

    play(script)
    assert seen == [(0, 0), (0, 4), (30, 40)]


def test_failing_counts_the_failing_keys():
    """Until they succeed."""

    async def script(story):
        async def fails(key):
            if key == A or len(story.failed) < 3:
                raise ValueError("x")

        story.work = fails
        story.queue.add([A, B])
        await story.run(0.1)
        assert story.queue.failing == 2
        await story.run(10)
        assert story.queue.failing == 1

    play(script)


def test_low_priority_keys_come_last():
    """A resync delays no change, and does not repeat a key that was enqueued meanwhile."""

    async def script(story: Story) -> None:
        story.queue.add_low_priority((A, B, C))
        story.queue.add((C,))
        story.queue.add_low_priority((C,))
        assert story.queue.depth == 3
        await story.run(1)

    assert play(script).keys == ["c", "a", "b"]


def test_workers_yield_to_other_tasks():
    async def script(story: Story) -> None:
        turns = []

        async def other() -> None:
            while len(story.lines) < 3:
                turns.append(len(story.lines))
                await asyncio.sleep(0)

        story.queue.add((A, B, C))
        await asyncio.gather(story.run(1), other())
        assert set(turns) == {0, 1, 2}

    play(script)
