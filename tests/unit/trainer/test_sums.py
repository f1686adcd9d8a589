"""Exact sums of products are those of fractions, whatever the numbers are, and however the rows come."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linplane_trainer.errors import BadData, TrainingFailed
from linplane_trainer.fit import gathering, slices
from linplane_trainer.fit.gathering import Gathering
from linplane_trainer.fit.sums import Sums

from .exactly import products

EXTREMES = (5e-324, 2.0**-1022, 1e-300, 1.7976931348623157e308, 2.0**53 - 1, 1.0, 0.1, 0.0, -0.0)


def gathered(rows, *sizes):
    """The sums of rows that come in batches of these sizes, and the rest at once."""
    sums_so_far = Gathering(rows.shape[1])
    start = 0
    for size in (*sizes, len(rows)):
        sums_so_far.add(rows[start : start + size])
        start += size
    return sums_so_far.sums()


def entries(sums: Sums):
    columns = range(len(sums.exponents))
    return [[sums.entry(i, j) for j in columns] for i in columns]


def expected(rows):
    return products(np.column_stack([np.ones(len(rows)), rows]))


def same(one: Sums, other: Sums) -> bool:
    """Bit by bit."""
    return (
        one.rows == other.rows
        and bool((one.integers == other.integers).all())
        and bool((one.exponents == other.exponents).all())
        and one.least.tolist() == other.least.tolist()
        and one.greatest.tolist() == other.greatest.tolist()
    )


@st.composite
def tables(draw):
    """Rows whose columns have ranges of their own, change them in the middle, or hold the largest and smallest
    doubles.
    """
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, columns = draw(st.integers(1, 60)), draw(st.integers(1, 4))
    rows = generator.standard_normal((n, columns)) * 2.0 ** generator.integers(-60, 60, columns)
    rows[generator.random(rows.shape) < 0.1] *= 2.0 ** draw(st.sampled_from([-90, 0, 90, 600]))
    rows[generator.random(rows.shape) < 0.2] = 0
    if draw(st.booleans()):
        rows[n // 2 :] *= 2.0 ** draw(st.integers(-300, 300))
    for value in draw(st.lists(st.sampled_from(EXTREMES), max_size=4)):
        rows[int(generator.integers(n)), int(generator.integers(columns))] = value
    return rows


@settings(max_examples=150, deadline=None)
@given(rows=tables(), cut=st.integers(0, 60))
def test_sums_are_those_of_fractions(rows, cut):
    """In one batch, in two, and as two sums that are merged or taken away."""
    whole = gathered(rows)
    assert entries(whole) == expected(rows)
    assert same(gathered(rows, cut), whole)
    assert same(gathered(rows[::-1].copy()), whole)
    first, second = gathered(rows[:cut]), gathered(rows[cut:])
    assert same(first.plus(second), whole)
    assert (whole.minus(second).integers == first.integers).all()


@pytest.mark.parametrize("kind", ["wide", "growing", "zero at first", "p-values", "0/1", "17 digits"])
def test_sums_of_many_blocks_are_those_of_fractions(kind):
    """Rows that do not fit the grid of the first block, in several lanes."""
    generator, n = np.random.default_rng(1), 3000
    rows = {
        "wide": np.exp(generator.normal(0, 8, (n, 1))),
        "growing": np.arange(n)[:, None] * 1e6,
        "zero at first": np.where(np.arange(n)[:, None] < n // 2, 0, generator.standard_normal((n, 1))),
        "p-values": generator.uniform(0, 1, (n, 1)) ** 40,
        "0/1": generator.integers(0, 2, (n, 1)).astype(float),
        "17 digits": generator.standard_normal((n, 1)),
    }[kind]
    rows = np.column_stack([rows, generator.integers(0, 9, n)])
    assert entries(gathered(rows, 700, 1, 1500)) == expected(rows)


@pytest.mark.parametrize("usual", [1.0, 3e9])
def test_rows_far_from_all_others_are_not_lost(usual):
    """Behind a block that decides the grid: one number that scaling would round to zero, and one that overflows."""
    rows = usual * np.arange(1, 2 * slices.ROWS)[:, None]
    rows[slices.ROWS + 5], rows[slices.ROWS + 9] = 5e-324, 1.7e308
    assert entries(gathered(rows)) == expected(rows)


def test_lane_is_made_again_if_the_data_change(monkeypatch):
    """Else each later block would go through two lanes. The sums are right either way."""
    shares = []
    monkeypatch.setattr(gathering, "Grid", lambda columns, share: shares.append(share) or slices.Grid(columns, share))
    generator = np.random.default_rng(1)
    rows = generator.standard_normal((80 * slices.ROWS, 1))
    rows[: 2 * slices.ROWS] *= 1e-9
    exact = sum((Fraction(value) for value in rows[:, 0].tolist()), Fraction(0))
    assert gathered(rows).entry(0, 1) == exact
    assert shares.count(gathering.SHARES[0]) == 2


def test_rounding_in_a_slice_would_be_seen(monkeypatch):
    """Slices of two bits more make products that dgemm rounds."""
    rows = np.random.default_rng(1).standard_normal((slices.ROWS, 3))
    right = gathered(rows)
    monkeypatch.setattr(slices, "HALF", 2.0**27)
    monkeypatch.setattr(slices, "STEP", 2.0**28)
    assert not same(gathered(rows), right)


def test_sums_so_far_can_be_read_and_added_to():
    rows = np.random.default_rng(1).standard_normal((30, 2))
    gathering = Gathering(2)
    gathering.add(rows[:10])
    assert same(gathering.sums(), gathered(rows[:10]))
    gathering.add(rows[10:])
    assert same(gathering.sums(), gathered(rows))


def test_sums_of_nothing_are_zero():
    none, some = Sums.of_none(3), gathered(np.ones((4, 2)))
    assert same(gathered(np.ones((0, 2))), none)
    assert same(some.plus(none), some)


def test_numbers_that_are_not_finite_are_refused():
    for value in (np.inf, -np.inf, np.nan):
        with pytest.raises(BadData, match="too large"):
            gathered(np.array([[1.0], [value]]))


def test_blas_that_rounds_is_refused(monkeypatch):
    """As one in single precision would."""
    slices.check_products()

    monkeypatch.setattr(slices, "_product", lambda s: (s.T.astype(np.float32) @ s.astype(np.float32)).astype(float))
    with pytest.raises(TrainingFailed, match="linear algebra is not exact"):
        slices.check_products()
