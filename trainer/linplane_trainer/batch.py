"""Rows as data gives them and a fit takes them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Draws:
    """One draw for each raw row: `numbers`, from 0 to 1, and whether the row is `held` out. `missing`: rows without the
    key that they are drawn by, which are dropped; None if there are none. `by_key`: rows of a key have the same draw.
    """

    numbers: Floats
    held: Flags
    missing: Flags | None = None
    by_key: bool = False


Progress = Callable[[int, int, int | None], None]
"""Called with the rows so far, and how much is done of how much in all: bytes, rows, or parts of files; None if that is
unknown."""


@dataclass(frozen=True)
class Batch:
    """Successive rows. `kept` has one entry for each raw row: False if the row was dropped for a gap.

    `values` holds the kept rows, shape (kept.sum(), features + 1), the target last; all finite.
    """

    values: Floats
    kept: Flags
    draws: Draws

    @classmethod
    def of_columns(cls, columns: Floats, is_whole: Flags, draws: Draws) -> "Batch":
        """From columns of shape (features + 1, raw rows); `is_whole`, shape (raw rows,): the row has no gap."""
        kept = is_whole if draws.missing is None else is_whole & ~draws.missing
        values = columns if kept.all() else columns[:, kept]
        return cls(values.T, kept, draws)


@dataclass(frozen=True)
class Block:
    """Successive rows, `rows` raw ones, as a table cuts them. `batch` converts them, in any thread; it raises
    TrainerError.
    """

    rows: int
    batch: Callable[[], Batch]

    @classmethod
    def of(cls, batch: Batch) -> "Block":
        """Of rows that are numbers already."""
        return cls(len(batch.kept), lambda: batch)
