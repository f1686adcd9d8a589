"""A block of rows gives the numbers of its rows alone, bit for bit, whatever the rows are."""

import math
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_api import blocks
from linplane_api.artifact import PredictionError, predict
from linplane_api.blocks import Floats, RowError, predict_block, predict_rows

TINY, HUGE = 5e-324, sys.float_info.max
HALF = 2.0**-53  # half the distance from 1 to the next number
HOSTILE = [
    *(0.0, -0.0, 1.0, -1.0, 0.1, -0.3, 1 + 2 * HALF, 1 - HALF, HALF, -HALF, 2.0**-106, 2.0**-1022, 2.0**53 + 2),
    *(TINY, -TINY, HUGE, -HUGE, HUGE / 2, 1e308, -1e308, 1e200, -1e200, 1e-200, 1e16, -1e16, 3.0, 1e-16),
]
NUMBERS = st.sampled_from(HOSTILE) | st.floats(-8, 8).map(lambda x: round(x * 8) / 8)
FINITE = NUMBERS | st.floats(allow_nan=False, allow_infinity=False)
ANY = FINITE | st.sampled_from([math.inf, -math.inf, math.nan])


def bits(values: Sequence[float] | Floats) -> bytes:
    return np.asarray(values, dtype=np.float64).tobytes()


def alone(coefficients: Sequence[float], intercept: float, rows: Sequence[Sequence[float]]) -> bytes | int:
    """The bits of the predictions, or the number of the first row without one."""
    values = []
    for number, row in enumerate(rows):
        try:
            values.append(predict(coefficients, intercept, row))
        except PredictionError:
            return number
    return bits(values)


def together(coefficients: Sequence[float], intercept: float, block: Floats) -> bytes | int:
    """As `alone`, of the block."""
    try:
        return bits(predict_block(coefficients, intercept, block))
    except RowError as error:
        return error.row


@st.composite
def models_with_rows(draw: st.DrawFn) -> tuple[list[float], float, Floats]:
    width, count = draw(st.integers(0, 9)), draw(st.integers(0, 12))
    coefficients = draw(st.lists(FINITE, min_size=width, max_size=width))
    cells = draw(st.sampled_from([FINITE, ANY, NUMBERS]))
    rows = draw(st.lists(st.lists(cells, min_size=width, max_size=width), min_size=count, max_size=count))
    return coefficients, draw(FINITE), np.array(rows, dtype=np.float64).reshape(count, width)


@contextmanager
def slices_of(products: int, rows: int) -> Iterator[None]:
    """Blocks are summed in slices of so many products, and open rows again after so many rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "SLICE_PRODUCTS", products)
        patch.setattr(blocks, "GROUP_ROWS", rows)
        yield


@given(models_with_rows(), st.sampled_from([1, 5, 16, 1 << 15]), st.integers(1, 8))
def test_block_equals_its_rows_alone(model: tuple[list[float], float, Floats], products: int, group: int) -> None:
    coefficients, intercept, block = model
    with slices_of(products, group):
        assert together(coefficients, intercept, block) == alone(coefficients, intercept, block.tolist())


def normal(draw: np.random.Generator, rows: int, width: int) -> Floats:
    return draw.normal(size=(rows, width))


def short(draw: np.random.Generator, rows: int, width: int) -> Floats:
    """Few digits, so that many sums are in the middle of two numbers."""
    return draw.integers(-(1 << 20), 1 << 20, size=(rows, width)) / 2.0 ** draw.integers(0, 70, size=(rows, width))


def cancelling(draw: np.random.Generator, rows: int, width: int) -> Floats:
    """The second half of a row takes the first away, but for the last bits."""
    half = draw.normal(size=(rows, width // 2)) * 2.0 ** draw.integers(-60, 60, size=(rows, width // 2))
    rest = -half * (1 + 2 * HALF * draw.integers(-1, 2, size=half.shape))
    return np.hstack((half, rest, np.zeros((rows, width % 2))))


def scattered(draw: np.random.Generator, rows: int, width: int) -> Floats:
    """Every size of number, from row to row and within one."""
    sizes = draw.integers(-300, 300, size=(rows, 1)) + draw.integers(-40, 40, size=(rows, width))
    return draw.normal(size=(rows, width)) * 2.0 ** np.where(draw.random((rows, 1)) < 0.1, 3 * sizes, sizes)


KINDS: list[Callable[[np.random.Generator, int, int], Floats]] = [normal, short, cancelling, scattered]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_block_of_any_width_equals_its_rows_alone(kind: Callable[..., Floats]) -> None:
    draw = np.random.default_rng(7)
    for width in range(301):
        rows = kind(draw, 12, width)
        coefficients = [1.0] * width if kind is cancelling else kind(draw, 1, width)[0].tolist()
        for intercept in (0.0, 0.5):
            assert together(coefficients, intercept, rows) == alone(coefficients, intercept, rows.tolist()), width


@pytest.mark.parametrize("width", [1, 100])
def test_block_of_any_number_of_slices_equals_its_rows_alone(width: int) -> None:
    draw = np.random.default_rng(3)
    coefficients = draw.normal(size=width).tolist()
    with slices_of(5 * width, 17):
        for count in range(64):
            block = short(draw, count, width)
            assert together(coefficients, 0.1, block) == alone(coefficients, 0.1, block.tolist()), count
    edge = blocks.SLICE_PRODUCTS // 100
    step = blocks.GROUP_ROWS // edge * edge
    block = normal(draw, step + 1, 100)
    coefficients = draw.normal(size=100).tolist()
    expected = [predict(coefficients, 0.1, row) for row in block.tolist()]
    for count in (edge - 1, edge, edge + 1, len(block) - 1, len(block)):
        assert together(coefficients, 0.1, block[:count]) == bits(expected[:count])


@given(st.lists(NUMBERS, min_size=24, max_size=24))
def test_block_may_have_any_strides(numbers: list[float]) -> None:
    block = np.array(numbers).reshape(6, 4)
    wide = np.array([numbers, numbers]).T.copy().reshape(6, 8)
    same = [np.asfortranarray(block), wide[:, ::2], block[::-1, ::-1][::-1, ::-1]]
    coefficients = [0.1, -3.0, 1.0, 1e16]
    for other in same:
        assert together(coefficients, -0.0, other) == together(coefficients, -0.0, block)
    assert together(coefficients, 1.0, np.broadcast_to(block[0], (5, 4))) == alone(
        coefficients, 1.0, [block[0].tolist()] * 5
    )


def test_error_names_the_first_row_that_is_not_finite() -> None:
    block = np.ones((100, 3))
    block[70], block[41], block[99] = math.nan, HUGE, math.inf
    with slices_of(6, 2), pytest.raises(RowError, match=r"^the prediction of row 41 is not a finite number$") as error:
        predict_block([1.0, 2.0, 3.0], 1.0, block)
    assert error.value.row == 41


def test_block_of_another_width_is_refused() -> None:
    for block in (np.ones((2, 3)), np.ones((2, 0)), np.ones(2)):
        with pytest.raises(ValueError, match="one column for each coefficient"):
            predict_block([1.0, 2.0], 0.0, block)


@given(models_with_rows())
def test_rows_of_plain_numbers_equal_the_block(model: tuple[list[float], float, Floats]) -> None:
    coefficients, intercept, block = model
    try:
        values: bytes | int = bits(predict_rows(coefficients, intercept, [tuple(row) for row in block.tolist()]))
    except RowError as error:
        values = error.row
    assert values == together(coefficients, intercept, block)


def test_rows_that_differ_in_length_are_refused() -> None:
    with pytest.raises(ValueError, match="one value for each coefficient"):
        predict_rows([1.0, 2.0], 0.0, [[1.0, 2.0, 3.0], [1.0]])


def test_ordinary_rows_and_ties_are_settled_as_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row of another size takes the digits of the others in its slice; they are summed again. No row goes alone."""
    draw = np.random.default_rng(5)
    block = normal(draw, 4000, 10)
    block[7] *= 1e100
    block[::3] = np.round(block[::3] * 64) / 64
    block[1::3, 2:] = 0.0
    coefficients = [1.0, HALF, *draw.normal(size=8).tolist()]
    expected = alone(coefficients, 1.0, block.tolist())

    def refuse(*_: object) -> float:
        raise AssertionError("a row went alone")

    monkeypatch.setattr(blocks, "predict", refuse)
    assert together(coefficients, 1.0, block) == expected


def near_the_middle(draw: np.random.Generator, count: int) -> Floats:
    """Rows whose sum is in the middle of two numbers, but for a term of 2**-70 to 2**-200 of the first."""
    first = 1.0 + 2 * HALF * draw.integers(0, 1000, size=count)
    least = draw.choice([-1.0, 1.0], size=count) * 2.0 ** -draw.integers(70, 200, size=count)
    return np.column_stack((first, np.full(count, HALF), least))


def test_sums_next_to_the_middle_of_two_numbers_need_the_slack(monkeypatch: pytest.MonkeyPatch) -> None:
    block = near_the_middle(np.random.default_rng(2), 500)
    ones = [1.0, 1.0, 1.0]
    exact = [sum(map(Fraction, row), Fraction(0)) for row in block.tolist()]
    assert together(ones, 0.0, block) == bits([float(number) for number in exact])  # Fraction rounds once, half to even
    monkeypatch.setattr(blocks, "UNIT_ROUNDOFF", 0.0)
    assert together(ones, 0.0, block) != alone(ones, 0.0, block.tolist())


def many_small_terms(draw: random.Random, count: int, digits: int) -> Floats:
    """Rows of 1 and 99 terms below 2**-45, which the first split leaves as they are, of so many binary digits each.

    Their sum is within one of the last digit of the middle of two numbers.
    """
    least, top = -45 - digits, 1 << (digits - 1)
    middle = 1 << (-53 - least)
    rows = []
    for _ in range(count):
        terms = [draw.getrandbits(digits) | top | 1 for _ in range(98)]
        last = top + (middle - sum(terms) - top + draw.randrange(-1, 2)) % (2 * middle)
        rows.append([1.0, *(math.ldexp(term, least) for term in (*terms, last))])
    return np.array(rows)


@pytest.mark.parametrize("digits", [44, 45, 46, 47, 48, 49, 52])
def test_sums_of_many_small_terms_next_to_the_middle_of_two_numbers(digits: int) -> None:
    block = many_small_terms(random.Random(digits), 300, digits)
    assert together([1.0] * 100, 0.0, block) == alone([1.0] * 100, 0.0, block.tolist())


def test_only_blocks_imports_numpy() -> None:
    code = """
import importlib, pkgutil, sys, linplane_api
for module in pkgutil.walk_packages(linplane_api.__path__, "linplane_api."):
    if module.name != "linplane_api.blocks":
        importlib.import_module(module.name)
import linplane_server.main, linplane_server.cluster.environment
print("numpy" in sys.modules)
import linplane_api.blocks
print("numpy" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["False", "True"]
