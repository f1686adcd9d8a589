"""The sample of rows: those with the smallest draws, whatever the order, the batches and the threads."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from linplane_trainer.fit.row_sample import CELLS, MOST, RowSample, draws_of_rows

GOLDEN = 0.8439503381962711
"""By Python's integers, of a draw of 0.5 and the values 1 and 2."""

# few different numbers, so that draws and values are often equal
draws = st.sampled_from([0.0, 0.25, 0.5, 0.75]) | st.floats(0, 1)
tables = st.lists(st.tuples(draws, st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=60)


def sampled(table, size, cuts=()):
    sample = RowSample(2, size)
    numbers = np.array(table, float).reshape(-1, 3)
    for part in np.split(numbers, sorted(cuts)):
        sample.add(part[:, 0], part[:, 1:])
    return sample


def rows_of(sample):
    return sorted(map(tuple, sample.rows().tolist()))


@given(table=tables, size=st.integers(1, 12), cuts=st.lists(st.integers(0, 60), max_size=4))
def test_sample_has_the_smallest_rows(table, size, cuts):
    """By draw, then by value: as a sort has them first."""
    assert rows_of(sampled(table, size, cuts)) == sorted(row[1:] for row in sorted(table)[:size])


@given(table=tables, size=st.integers(1, 12), sides=st.integers(0), data=st.data())
def test_samples_merge_exactly(table, size, sides, data):
    """A sample of each part, merged in any order, and from shuffled rows, is that of the whole."""
    shuffled = data.draw(st.permutations(table))
    parts = [[row for number, row in enumerate(shuffled) if sides >> number & 1 == side] for side in (0, 1)]
    one, other = (sampled(part, size) for part in parts)
    assert rows_of(one.plus(other)) == rows_of(other.plus(one)) == rows_of(sampled(table, size))


@given(table=tables, size=st.integers(1, 12))
def test_sample_takes_more_rows_after_it_was_read(table, size):
    half = len(table) // 2
    sample = sampled(table[:half], size)
    sample.rows()
    rest = np.array(table[half:], float)
    sample.add(rest[:, 0], rest[:, 1:])
    assert rows_of(sample) == rows_of(sampled(table, size))


def test_sample_is_bounded_in_rows_and_numbers():
    """10,000 rows of up to 512 features and a target; fewer of more."""
    sizes = [RowSample(columns).size for columns in (2, 513, 4097)]
    assert sizes[:2] == [MOST, MOST]
    assert 1000 < sizes[2] == CELLS // 4097


def test_rows_of_one_draw_are_chosen_by_their_values():
    """As with a key that all rows share."""
    rows = np.arange(40_000.0)[::-1].reshape(-1, 2)
    sample = RowSample(2, 100)
    sample.add(np.zeros(len(rows)), rows)
    assert sorted(sample.rows()[:, 0].tolist()) == [2.0 * number + 1 for number in range(100)]


def test_draws_of_rows_of_one_key_do_not_depend_on_their_values():
    """So a sample of them is one of rows: its mean is near that of all."""
    rows = np.stack([np.arange(100_000.0), np.arange(100_000.0) % 7], axis=1)
    draws = draws_of_rows(np.full(100_000, 0.25), rows)
    assert len(set(draws.tolist())) == 100_000
    assert 0 <= draws.min() < 0.001 < 0.999 < draws.max() < 1
    assert abs(np.corrcoef(draws, rows[:, 0])[0, 1]) < 0.02
    smallest = rows[np.argsort(draws)[:10_000], 0]
    assert abs(smallest.mean() - 50_000) < 1_500, "five standard errors"


def test_draws_of_rows_are_those_of_the_key_and_the_values():
    """In any order; one zero; another key, another draw. A golden value, as it decides what is hashed."""
    rows = np.array([[1.0, 2.0], [0.0, 3.0], [-0.0, 3.0], [2.0, 1.0]])
    draws = draws_of_rows(np.full(4, 0.5), rows)
    assert draws_of_rows(np.full(4, 0.5), rows[::-1]).tolist() == draws[::-1].tolist()
    assert draws[1] == draws[2]
    assert len({*draws.tolist(), *draws_of_rows(np.full(4, 0.75), rows).tolist()}) == 6
    assert draws[0] == GOLDEN
