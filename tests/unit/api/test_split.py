"""The split: stable for a user, of the size that was set, and moving no user without need."""

import json
import math
import os
import subprocess
import sys
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_api.resources import SplitEntry
from linplane_api.split import WHOLE, Splitter, feature_key, point

VECTORS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("split_vectors.json").read_text())
SHARES = st.tuples(st.integers(0, WHOLE), st.integers(0, WHOLE)).filter(lambda pair: sum(pair) <= WHOLE)
KEYS = [f"user-{number}" for number in range(1_000_000)]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["point"])
def test_golden_vector_never_changes(vector: dict[str, Any]) -> None:
    assert f"{point(vector['salt'], vector['key']):016x}" == vector["point"]
    assert Splitter(vector["salt"], tuple(vector["shares"])).pick(vector["key"]) == vector["candidate"]


def test_vectors_reach_every_answer() -> None:
    assert len(VECTORS) >= 50
    assert {vector["candidate"] for vector in VECTORS} == {None, 0, 1}
    assert {"", "🐧", "\ud800"} <= {vector["key"] for vector in VECTORS}


def test_split_is_the_same_in_another_process() -> None:
    code = (
        "import json, sys\n"
        "from linplane_api.split import Splitter\n"
        "print([Splitter(v['salt'], tuple(v['shares'])).pick(v['key']) for v in json.load(sys.stdin)])\n"
    )
    expected = str([vector["candidate"] for vector in VECTORS])
    for seed in ("0", "1", "4242"):
        command = [sys.executable, "-c", code]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        told = subprocess.check_output(command, input=json.dumps(VECTORS), text=True, env=environment)
        assert told.strip() == expected


@pytest.fixture(scope="module")
def points() -> list[int]:
    return [point("penguin-mass", key) for key in KEYS]


def _picks(points: list[int], monkeypatch: pytest.MonkeyPatch, shares: tuple[int, ...]) -> list[int | None]:
    """The picks of a Splitter for each key; all Splitters have the same points, so these are computed once."""
    found = iter(points)
    monkeypatch.setattr("linplane_api.split._digest", lambda salted, key: next(found).to_bytes(8, "big") + bytes(24))
    splitter = Splitter("penguin-mass", shares)
    return [splitter.pick(key) for key in KEYS]


def test_split_gives_a_million_users_the_shares_of_the_spec(points: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each share within the 99.9 % band of the binomial distribution; 0 % is no user, 100 % is every user."""
    for shares in [(1000, 2000), (1, 3333), (5000, 5000), (0, 25), (10_000,), (0, 0), ()]:
        counted = Counter(_picks(points, monkeypatch, shares))
        rest = WHOLE - sum(shares)
        for candidate, share in [*enumerate(shares), (None, rest)]:
            chance = share / WHOLE
            band = 3.2905 * math.sqrt(len(KEYS) * chance * (1 - chance))
            assert abs(counted[candidate] - len(KEYS) * chance) <= band, (shares, candidate)


def test_growing_a_candidate_takes_no_user_from_either(points: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    before = _picks(points, monkeypatch, (1000, 2000))
    for changed, grown in ((0, (1500, 2000)), (1, (1000, 2600))):
        after = _picks(points, monkeypatch, grown)
        moved = Counter((a, b) for a, b in zip(before, after, strict=True) if a != b)
        assert set(moved) == {(None, changed)}


def test_taking_one_candidate_away_moves_its_users_alone(points: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    before = _picks(points, monkeypatch, (1000, 2000))
    for gone, left in ((0, (0, 2000)), (1, (1000, 0))):
        after = _picks(points, monkeypatch, left)
        assert {(a, b) for a, b in zip(before, after, strict=True) if a != b} == {(gone, None)}


@given(SHARES, st.integers(0, (1 << 64) - 1))
def test_thresholds_are_exact(shares: tuple[int, int], anywhere: int) -> None:
    """Everywhere, and above all next to the thresholds."""
    first, second = (Fraction(share, WHOLE) for share in shares)
    edges = [math.ceil(edge * (1 << 64)) for edge in (first, 1 - second)]
    for place in {anywhere, *edges, *(edge - 1 for edge in edges)}:
        if 0 <= place < 1 << 64:
            where = Fraction(place, 1 << 64)
            expected = 0 if where < first else 1 if where >= 1 - second else None
            for rest in (bytes(24), b"\xff" * 24):
                digest = place.to_bytes(8, "big") + rest
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr("linplane_api.split._digest", lambda salted, key, found=digest: found)
                    assert Splitter("", shares).pick("") == expected


@pytest.mark.parametrize("shares", [(1, 2, 3), (-1,), (10_001,), (5001, 5000)])
def test_shares_that_are_impossible_are_refused(shares: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="hundredths"):
        Splitter("", shares)


@pytest.mark.parametrize(
    ("percent", "share"), [(0, 0), (100, 10_000), ("0.25", 25), ("61.88", 6188), ("38.1", 3810), ("7", 700)]
)
def test_percent_is_hundredths_exactly(percent: int | str, share: int) -> None:
    assert SplitEntry("v2", percent).share == share


def test_percents_of_two_decimals_are_exact() -> None:
    assert all(SplitEntry("v", f"{n // 100}.{n % 100:02}").share == n for n in range(10_001))


def test_salt_and_key_do_not_run_together() -> None:
    assert point("ab", "c") != point("a", "bc")


def key_of(rows: list[dict[str, float]]) -> str:
    """The key of rows by name."""
    return feature_key((tuple(row), [row.values()]) for row in rows)


FINITE = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -0.0, 1e16, 9.999e15, 1e-4, 9.999e-5])
NAMES = st.text(max_size=5) | st.sampled_from(["a", "%", "%s", '"', "\\"])


def by_definition(rows: list[dict[str, float]]) -> str:
    """What `feature_key` returns, written row by row."""
    plain = [{name: float(row[name]) for name in sorted(row)} for row in rows]
    return json.dumps(plain, separators=(",", ":"), ensure_ascii=False)


@given(st.lists(FINITE))
def test_key_has_numbers_as_python_writes_them(numbers: list[float]) -> None:
    rows = [{"a": number} for number in numbers]
    assert feature_key([(("a",), [[number] for number in numbers])] if rows else []) == by_definition(rows)


@given(st.lists(st.dictionaries(NAMES, FINITE, max_size=4), min_size=1), st.lists(st.integers(0, 9), max_size=3))
def test_pick_by_rows_in_blocks_is_that_by_the_key_of_all(rows: list[dict[str, float]], cuts: list[int]) -> None:
    splitter = Splitter("salt", (3333, 3333))
    picking, ends = splitter.picking(), sorted(cut for cut in cuts if cut < len(rows))
    for begin, end in zip([0, *ends], [*ends, len(rows)], strict=True):
        picking.add((tuple(row), [row.values()]) for row in rows[begin:end])
    assert picking.pick() == splitter.pick(key_of(rows))


@given(st.lists(st.dictionaries(NAMES, FINITE, max_size=4)))
def test_key_by_values_is_that_of_the_definition(rows: list[dict[str, float]]) -> None:
    assert key_of(rows) == by_definition(rows)


def test_key_of_features_is_that_of_the_values_and_not_of_their_order() -> None:
    assert key_of([{"b": 2, "a": 1.0}]) == key_of([{"a": 1, "b": 2.0}]) == '[{"a":1.0,"b":2.0}]'
    assert key_of([{"ä": 0.1}]) == '[{"ä":0.1}]'
    assert key_of([{"a": 1}, {"a": 2}]) != key_of([{"a": 2}, {"a": 1}])
