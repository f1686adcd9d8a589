"""The rows with the smallest draws, in bounded memory: a sample that neither batches, order nor threads change."""

import numpy as np
from numpy.typing import NDArray

from ..batch import Floats

MOST = 10_000
CELLS = 10_000 * 513
"""Numbers that a sample holds: 41 MB. Of rows with more columns it has fewer."""


class RowSample:
    """The `size` rows with the smallest draws; of equal draws those with the smaller values, column by column.

    Up to a quarter more wait until they are chosen from, so that rows are moved seldom.
    """

    def __init__(self, columns: int, size: int | None = None) -> None:
        """For rows of `columns` numbers. `size` None: 10,000 rows, or fewer if these would take more than 41 MB."""
        self.size = size or min(MOST, max(1, CELLS // columns))
        room = self.size + max(1, self.size // 4)
        self._table = np.empty((room, columns + 1))  # the draw first: memory is not used before it is written
        self._filled = 0
        self.largest = np.inf
        """A draw above this one is not among the smallest."""

    def add(self, draws: Floats, rows: Floats) -> None:
        """Adds rows of shape (n, columns) with their draws, shape (n,); they are copied."""
        chosen = np.flatnonzero(draws <= self.largest)
        while len(chosen):
            part = chosen[: len(self._table) - self._filled]
            end = self._filled + len(part)
            self._table[self._filled : end, 0] = draws[part]
            self._table[self._filled : end, 1:] = rows[part]
            self._filled = end
            chosen = chosen[len(part) :]
            if self._filled == len(self._table):
                self._choose()
                chosen = chosen[draws[chosen] <= self.largest]

    def plus(self, other: "RowSample") -> "RowSample":
        """The sample of the rows of both, which are of equal size and columns."""
        both = RowSample(self._table.shape[1] - 1, self.size)
        for one in (self, other):
            table = one._table[: one._filled]
            both.add(table[:, 0], table[:, 1:])
        return both

    def rows(self) -> Floats:
        """The rows, shape (at most size, columns), in no particular order; more can be added afterwards."""
        self._choose()
        return self._table[: self._filled, 1:]

    def _choose(self) -> None:
        if self._filled <= self.size:
            return
        table = self._table[: self._filled]
        keeps = np.zeros(self._filled, np.bool_)
        keeps[_smallest(table, self.size)] = True
        places, moved = np.flatnonzero(~keeps[: self.size]), np.flatnonzero(keeps[self.size :]) + self.size
        table[places] = table[moved]
        self._filled = self.size
        self.largest = float(table[: self.size, 0].max())


def draws_of_rows(draws: Floats, rows: Floats) -> Floats:
    """A draw for each of n rows, shape (n, columns), whose own, shape (n,), are shared by all rows of a key: else a
    sample would be a few keys. It is a hash of the row's draw and values, so neither order nor threads change it;
    equal rows of a key have equal ones. Each step is that of SplitMix64 (G. Steele, D. Lea, C. Flood, Fast splittable
    pseudorandom number generators, OOPSLA 2014).
    """
    mixed = _bits(draws)
    for column in rows.T:
        mixed = (mixed ^ _bits(column)) + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return np.ldexp((mixed >> np.uint64(11)).astype(np.float64), -53)


def _bits(numbers: Floats) -> NDArray[np.uint64]:
    return np.ascontiguousarray(numbers + 0.0).view(np.uint64)  # one zero


def _smallest(table: Floats, count: int) -> NDArray[np.intp]:
    """The numbers of the `count` smallest rows of a table, by the first column, then by the second, and so on."""
    chosen, tied, column = [], np.arange(len(table)), 0
    while count < len(tied) and column < table.shape[1]:
        values = table[tied, column]
        limit = np.partition(values, count - 1)[count - 1]
        below = tied[values < limit]
        chosen.append(below)
        tied, count, column = tied[values == limit], count - len(below), column + 1
    return np.concatenate([*chosen, tied[:count]])
