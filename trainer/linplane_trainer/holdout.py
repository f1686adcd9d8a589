"""Which rows are held out: one draw for each raw row, independent of batches and of the values that are fitted."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .batch import Draws, Flags

WORD = 1 << 64


@dataclass(frozen=True)
class Holdout:
    """How a training chooses the rows that it holds out: `percent` from 0 (none) to 90, by the column `key` or by the
    place in the data.
    """

    percent: int = 20
    seed: int = 0
    key: str | None = None

    def by_keys(self, keys: Sequence[str]) -> Draws:
        """The draws of rows with these keys: the first 8 bytes, big-endian, of SHA-256(seed in decimal, 0x00, key), as
        a share of 2^64. A row is held out if 100 times these bytes are less than percent times 2^64.
        """
        prefix = b"%d\0" % self.seed
        drawn = [int.from_bytes(hashlib.sha256(prefix + key.encode()).digest()[:8]) for key in keys]
        held = [100 * number < self.percent * WORD for number in drawn]
        return Draws(np.array([number / WORD for number in drawn]), np.array(held, np.bool_))


class HoldoutDraws:
    """The draws of the rows of one file, in order, by their place in it.

    The generator is `numpy.random.Generator(PCG64(seed))`; of a file in a folder it is `PCG64(SeedSequence((seed,
    *words)))`, `words` the 8 big-endian words of 32 bits of SHA-256(path within the folder). Every raw data row takes
    one `random()`, also a row that is dropped for a gap. A row is held out if `draw * 100 < percent`.
    """

    def __init__(self, holdout: Holdout, path: str | None = None) -> None:
        """`path` is that within a folder of files, None if the training reads one file."""
        self.holdout = holdout
        self._generator = np.random.Generator(np.random.PCG64(_seed(holdout.seed, path)))

    def draw(self, rows: int) -> Draws:
        """The draws of the next `rows` rows."""
        numbers = self._generator.random(rows)
        return Draws(numbers, numbers * 100 < self.holdout.percent)


def _seed(seed: int, path: str | None) -> "int | np.random.SeedSequence":
    if path is None:
        return seed
    words = np.frombuffer(hashlib.sha256(path.encode(errors="surrogateescape")).digest(), ">u4")
    return np.random.SeedSequence((seed, *words.tolist()))


def holdout_mask(seed: int, percent: int, rows: int) -> Flags:
    """Which of the first `rows` raw rows (those with gaps count) a training on one file without a key holds out, shape
    (rows,), so that it can be recomputed outside.
    """
    return HoldoutDraws(Holdout(percent, seed)).draw(rows).held
