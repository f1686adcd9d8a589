"""Rows in, exact sums out, in one pass and in memory that depends on the columns alone.

Blocks of rows are cut into slices (`slices`) and their products are added up as 64-bit integers. Rows that do not fit
the grid of one lane go to the next, whose grid is made for what is left; what no lane takes is multiplied as
Python's integers. Nothing is ever approximated. Inside, a block has the shape (columns, rows).
"""

import numpy as np
from numpy.typing import NDArray

from ..batch import Floats
from ..errors import BadData
from .checks import TOO_LARGE
from .slices import BITS, ROWS, SIGNIFICAND, Grid
from .sums import Integers, Sums, canonical, on_exponents

SHARES = (0.8, 0.9, 0.95, 1.0)
"""For each lane, the share of the rows of its first block that its grid must take."""
FAR = 2.0**400
"""Beyond this, and below its inverse, scaling by powers of two could overflow or round: such a row decides no grid."""
WIDEST = 8192  # columns of slices: 0.5 GB of sums
FOLDED = 1 << 9
"""Blocks after which sums are folded into their high words: 2^52 * 2^9 is below 2^63."""
JUDGED = 32 * ROWS
"""Rows after which a lane that took less than half of them is closed: the data have changed."""
WORD = 32  # bits
LOW = (1 << WORD) - 1
CHUNK = 1 << 17  # entries of a product that are converted at once


class Workspace:
    """Memory that the lanes of one gathering share, as they are used in turn."""

    def __init__(self, columns: int) -> None:
        """For rows of `columns` numbers."""
        self._rest = np.empty(ROWS * columns)
        self._columns = columns
        self._products = np.empty(0)
        self._slices = np.empty(0)

    def rest(self, rows: int) -> Floats:
        """An array of shape (columns, rows)."""
        return self._rest[: self._columns * rows].reshape(self._columns, rows)

    def slices(self, width: int, rows: int) -> Floats:
        """An array of shape (width, rows)."""
        if self._slices.size < width * ROWS:
            self._slices = np.empty(width * ROWS)
        return self._slices[: width * rows].reshape(width, rows)

    def products(self, width: int) -> Floats:
        """An array of shape (width, width)."""
        if self._products.size < width * width:
            self._products = np.empty(width * width)
        return self._products[: width * width].reshape(width, width)


class Lane:
    """The sums of rows that fit one grid, as pairs of 64-bit words: room for 2^40 rows."""

    def __init__(self, grid: Grid, space: Workspace) -> None:
        """Adds up nothing yet."""
        self._grid, self._space = grid, space
        self._low = np.zeros((grid.width, grid.width), dtype=np.int64)
        self._high: NDArray[np.int64] | None = None
        self._blocks = self._seen = self._taken = 0
        self.scales_down = grid.scales_down

    def judge(self) -> bool:
        """Returns whether less than half of the last 32 blocks of rows fitted; False if there were fewer since then."""
        if self._seen < JUDGED:
            return False
        outdated = self._taken < self._seen // 2
        self._seen = self._taken = 0
        return outdated

    def add(self, block: Floats) -> NDArray[np.bool_] | None:
        """Adds at most 1,024 rows. Returns which of them do not fit and were not added, None if all were."""
        rows = block.shape[1]
        slices = self._space.slices(self._grid.width, rows)
        outside = self._grid.cut(block, self._space.rest(rows), slices)
        products = np.matmul(slices, slices.T, out=self._space.products(self._grid.width)).ravel()
        low = self._low.ravel()
        for start in range(0, len(low), CHUNK):
            low[start : start + CHUNK] += products[start : start + CHUNK].astype(np.int64)
        self._blocks += 1
        if self._blocks % FOLDED == 0:
            self._fold()
        self._seen += rows
        self._taken += rows - (0 if outside is None else int(outside.sum()))
        return outside

    def sums(self) -> tuple[Integers, NDArray[np.int64]]:
        """Integers and exponents, as those of `Sums` but not canonical."""
        grid, columns, levels = self._grid, len(self._grid.tops), len(self._grid.counts)
        upper = np.triu_indices(columns)
        total: Integers = np.zeros(len(upper[0]), dtype=object)
        for scale in range(2 * levels - 1):
            low, high = self._of_scale(scale)
            total = (total << BITS) + low[upper].astype(object)
            if high.any():
                total += high[upper].astype(object) << WORD
        matrix: Integers = np.empty((columns, columns), dtype=object)
        matrix[upper] = matrix[upper[::-1]] = total
        back = np.argsort(grid.order)
        exponents = grid.tops - BITS + 1 - BITS * (levels - 1)
        return matrix[np.ix_(back, back)], exponents

    def _of_scale(self, scale: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The products of slices s and t with s + t = scale, all in one unit: low and high words."""
        grid, columns, levels = self._grid, len(self._grid.tops), len(self._grid.counts)
        low, high = np.zeros((2, columns, columns), dtype=np.int64)
        for one in range(max(0, scale - levels + 1), min(scale, levels - 1) + 1):
            rows = slice(grid.offsets[one], grid.offsets[one + 1])
            other = slice(grid.offsets[scale - one], grid.offsets[scale - one + 1])
            part = self._low[rows, other]
            low[: part.shape[0], : part.shape[1]] += part & LOW
            high[: part.shape[0], : part.shape[1]] += part >> WORD
            if self._high is not None:
                high[: part.shape[0], : part.shape[1]] += self._high[rows, other]
        return low, high

    def _fold(self) -> None:
        """Moves what is above a word into the high words."""
        if self._high is None:
            self._high = np.zeros_like(self._low)
        self._high += self._low >> WORD
        self._low &= LOW


class Gathering:
    """Adds up rows of the same columns; the first column is one that it adds, of ones."""

    def __init__(self, columns: int) -> None:
        """For rows of `columns` numbers, so sums of `columns + 1`."""
        self._columns = columns + 1
        self._block: Floats = np.ones((self._columns, ROWS))
        self._filled = 0
        self._space = Workspace(self._columns)
        self._lanes: list[Lane | None] = [None for _ in SHARES]
        self._waiting: list[list[Floats]] = [[] for _ in SHARES]
        none = Sums.of_none(self._columns)
        self._integers, self._exponents = none.integers, none.exponents
        self._rows = 0
        self._least = np.full(self._columns, np.inf)
        self._greatest = np.full(self._columns, -np.inf)

    def add(self, rows: Floats) -> None:
        """Adds rows of shape (n, columns); they are copied or added up before it returns. Raises BadData if a number is
        not finite.
        """
        start = 0
        while start < len(rows):
            count = min(len(rows) - start, ROWS - self._filled)
            self._block[1:, self._filled : self._filled + count] = rows[start : start + count].T
            self._filled += count
            start += count
            if self._filled == ROWS:
                self._add_block()

    def sums(self) -> Sums:
        """The sums of all rows so far; rows can be added afterwards."""
        self._add_block()
        for number in range(len(SHARES)):
            self._pass_on(number)
            self._close(number)
        self._integers, self._exponents = canonical(self._integers, self._exponents)
        return Sums(self._rows, self._integers, self._exponents, self._least, self._greatest)

    def _add_block(self) -> None:
        block, self._filled = self._block[:, : self._filled], 0
        if not block.size:
            return
        self._rows += block.shape[1]
        self._least = np.minimum(self._least, block.min(axis=1))
        self._greatest = np.maximum(self._greatest, block.max(axis=1))
        if not (np.isfinite(self._least) & np.isfinite(self._greatest)).all():
            raise BadData(TOO_LARGE)
        self._add_to(0, block)

    def _add_to(self, number: int, block: Floats) -> None:
        """Adds at most 1,024 rows to a lane, or to those after it."""
        if not block.size:
            return
        if number == len(SHARES):
            self._add_integers(block)
            return
        lane = self._lanes[number]
        if lane is not None and lane.judge():
            self._close(number)
            lane = None
        if lane is None or lane.scales_down:
            block = self._without_far(block)
            if not block.size:
                return
        if lane is None:
            grid = Grid(block, SHARES[number])
            if grid.width > WIDEST:
                self._add_integers(block)
                return
            lane = self._lanes[number] = Lane(grid, self._space)
        outside = lane.add(block)
        if outside is not None:
            self._waiting[number].append(block[:, outside])
            if sum(part.shape[1] for part in self._waiting[number]) >= ROWS:
                self._pass_on(number)

    def _without_far(self, block: Floats) -> Floats:
        """The rows whose numbers can be scaled; adds the others."""
        far = _far_rows(block, self._space.rest(block.shape[1]))
        if far is None:
            return block
        self._add_integers(block[:, far])
        return block[:, ~far]

    def _pass_on(self, number: int) -> None:
        """Gives the rows that a lane did not take to the next one."""
        waiting, self._waiting[number] = self._waiting[number], []
        if waiting:
            block = np.concatenate(waiting, axis=1)
            for start in range(0, block.shape[1], ROWS):
                self._add_to(number + 1, block[:, start : start + ROWS])

    def _close(self, number: int) -> None:
        lane, self._lanes[number] = self._lanes[number], None
        if lane is not None:
            self._add_up(*lane.sums())

    def _add_integers(self, block: Floats) -> None:
        significands, powers = np.frexp(block)
        integers = np.ldexp(significands, SIGNIFICAND).astype(np.int64).astype(object)
        exponents = powers.astype(np.int64) - SIGNIFICAND
        zero = block == 0
        lowest = np.where(zero, np.iinfo(np.int64).max, exponents).min(axis=1)
        lowest[zero.all(axis=1)] = 0
        integers = integers << np.where(zero, 0, exponents - lowest[:, None]).astype(object)
        self._add_up(integers.dot(integers.T), lowest)

    def _add_up(self, integers: Integers, exponents: NDArray[np.int64]) -> None:
        lowest = np.minimum(self._exponents, exponents)
        done = on_exponents(self._integers, self._exponents, lowest)
        self._integers, self._exponents = done + on_exponents(integers, exponents, lowest), lowest


def _far_rows(block: Floats, sizes: Floats) -> NDArray[np.bool_] | None:
    """The rows with a number too large or too small to be scaled, None if there are none; `sizes` is scratch."""
    np.abs(block, out=sizes)
    small, zero = sizes < 1 / FAR, sizes == 0
    if sizes.max() <= FAR and np.count_nonzero(small) == np.count_nonzero(zero):
        return None
    far: NDArray[np.bool_] = ((sizes > FAR) | (small & ~zero)).any(axis=0)
    return far
