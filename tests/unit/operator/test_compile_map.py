"""The routing ConfigMap as a whole: sequences, size limit, and the entries that stay."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linplane_api.routing import Entry, RoutingMap, make_entry, parse_entry, routing_map
from linplane_operator.compile import routing_map as routing_module
from linplane_operator.compile.routing_map import Wanted, compile_map, entry_size, has_room
from unit.operator.builders import document


def wanted(name: str = "homes", created: str = "2026", **fields) -> Wanted:
    """The desired document of a route."""
    doc = document(route=name, **fields)
    return Wanted(make_entry(doc), created)


def entries(state: RoutingMap) -> dict[str, Entry]:
    """The parsed ones."""
    return {name: parse_entry(text) for name, text in state.routes.items()}


def advance(state: RoutingMap | None, want: dict[str, Wanted], **fields):
    """One pass."""
    return compile_map(state, entries(state) if state else {}, want, **fields)


def test_first_state_has_sequence_one_even_without_routes():
    """A server without routes can become Ready."""
    state, full = advance(None, {})
    assert (state.sequence, state.routes, full) == (1, {}, frozenset())


def test_changed_entries_get_the_next_sequence_and_others_keep_theirs():
    """One write, however many routes it changes."""
    first, _ = advance(None, {"a": wanted("a"), "b": wanted("b")})
    second, _ = advance(first, {"a": wanted("a"), "b": wanted("b", weights={"v1": 3.0}), "c": wanted("c")})
    assert second.sequence == 2
    assert {name: entry.sequence for name, entry in entries(second).items()} == {"a": 1, "b": 2, "c": 2}
    assert second.routes["a"] == first.routes["a"]


def test_equal_documents_change_nothing():
    """Not even the object."""
    first, _ = advance(None, {"a": wanted("a")})
    assert advance(first, {"a": wanted("a")})[0] is first


def test_removed_route_raises_the_sequence():
    """Its removal has a sequence, for replicas to confirm."""
    first, _ = advance(None, {"a": wanted("a"), "b": wanted("b")})
    second, _ = advance(first, {"a": wanted("a")})
    assert (second.sequence, set(second.routes)) == (2, {"a"})


def test_kept_route_stays_byte_for_byte():
    """A kept route is one that may still exist, or that cannot be compiled now."""
    first, _ = advance(None, {"a": wanted("a"), "b": wanted("b")})
    assert advance(first, {"a": wanted("a")}, kept={"b"})[0] is first


def test_damaged_entry_is_repaired_unless_it_is_only_kept():
    """A desired entry is repaired; an entry that is only kept is not parsed."""
    state = RoutingMap("u", 4, {"a": "{", "b": "{"})
    after, _ = compile_map(state, {}, {"a": wanted("a")}, kept={"b"})
    assert after.routes["b"] == "{"
    assert parse_entry(after.routes["a"]).sequence == 5


def test_sequence_exceeds_every_confirmed_one():
    """Whatever was done to the ConfigMap, the next state is new to everybody."""
    state, _ = advance(RoutingMap("u", 2, {}), {"a": wanted("a")}, floor=50)
    assert (state.uid, state.sequence) == ("u", 51)


@pytest.mark.parametrize(
    ("sequence", "own", "after"), [(1, 6, 7), (6, 999, 1000), (6, 2**53 - 1, 7)], ids=["map", "entry", "absurd"]
)
def test_entry_above_the_sequence_gets_one_above_both(sequence, own, after):
    """A user edited either number: no replica could ever confirm it, and none confirms a number twice."""
    edited = RoutingMap(
        "u", sequence, {n: make_entry(document(route=n), s).to_bytes().decode() for n, s in (("a", own), ("b", 1))}
    )
    state, full = advance(edited, {"a": wanted("a"), "b": wanted("b")})
    assert (state.sequence, full) == (after, frozenset())
    assert {name: entry.sequence for name, entry in entries(state).items()} == {"a": after, "b": 1}
    assert advance(state, {"a": wanted("a"), "b": wanted("b")})[0] is state


@pytest.fixture
def little_room(monkeypatch):
    """Room for almost three entries."""
    size = entry_size("a", make_entry(document(route="a", padding=500), 1).to_bytes().decode())
    monkeypatch.setattr(routing_module, "ROOM", size * 27 // 10)


@pytest.mark.usefixtures("little_room")
def test_full_map_excludes_the_newest_route():
    """The older ones come in."""
    pad = 500
    want = {n: wanted(n, created=str(9 - i), padding=pad) for i, n in enumerate("abc")}
    state, full = advance(None, want)
    assert (set(state.routes), full) == ({"b", "c"}, {"a"})
    assert not has_room(state, "a", want["a"].entry)
    assert has_room(state, "b", want["b"].entry)


@pytest.mark.usefixtures("little_room")
def test_serving_route_is_never_evicted_even_for_an_older_one():
    """Existing routes stay, and a document that outgrows the room keeps its last form."""
    pad = 500
    first, _ = advance(None, {n: wanted(n, padding=pad) for n in "bc"})
    want = {
        "a": wanted("a", created="1", padding=pad),
        "b": wanted("b", padding=pad * 3),
        "c": wanted("c", padding=pad),
    }
    state, full = advance(first, want)
    assert state is first
    assert full == {"a", "b"}
    assert not has_room(state, "b", want["b"].entry)


@pytest.mark.usefixtures("little_room")
def test_room_freed_in_a_pass_is_used_in_it():
    """In one pass: one route shrinks or leaves, another comes in."""
    pad = 500
    first, _ = advance(None, {n: wanted(n, padding=pad) for n in "bc"})
    shrunk, full = advance(first, {"a": wanted("a", padding=pad), "b": wanted("b"), "c": wanted("c", padding=pad)})
    assert (set(shrunk.routes), full) == ({"a", "b", "c"}, frozenset())
    swapped, full = advance(first, {"b": wanted("b", padding=1500), "c": wanted("c")})
    assert (entries(swapped)["b"].sequence, entries(swapped)["c"].sequence, full) == (2, 2, frozenset())
    left, full = advance(first, {"a": wanted("a", padding=pad), "c": wanted("c", padding=pad)})
    assert (set(left.routes), full) == ({"a", "c"}, frozenset())


NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
WANTS = st.dictionaries(NAMES, st.tuples(st.integers(0, 900), st.sampled_from([1.0, 2.0]), st.integers(1, 9)))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(WANTS, min_size=1, max_size=5), st.integers(1500, 6000))
def test_map_keeps_its_laws_over_any_history(history, room):
    """The sequence rises by exactly one with each change and never else; an unchanged entry keeps its bytes; no entry
    is evicted; a second pass changes nothing; the API's limit holds; each entry that changed has the new sequence.
    """
    original = routing_module.ROOM
    routing_module.ROOM = room
    try:
        state: RoutingMap | None = None
        for step in history:
            want = {
                n: wanted(n, created=str(created), padding=pad, weights={"v1": slope})
                for n, (pad, slope, created) in step.items()
            }
            after, full = advance(state, want)
            assert after.sequence == (state.sequence if state else 0) + (0 if after is state else 1)
            before = state.routes if state else {}
            assert set(after.routes) == set(want) - (full - set(before))
            assert advance(after, want) == (after, full)
            assert routing_map(after.uid, after.to_data()) == after
            assert sum(entry_size(n, t) for n, t in after.routes.items()) <= room
            for name, text in after.routes.items():
                assert text == before.get(name) or parse_entry(text).sequence == after.sequence
                assert has_room(after, name, want[name].entry) == (name not in full)
            for name in full - set(after.routes):
                assert not has_room(after, name, want[name].entry)
            state = after
    finally:
        routing_module.ROOM = original


def test_room_is_below_the_limit_of_the_api():
    """A ConfigMap holds at most 1 MiB of values, and its metadata counts in etcd."""
    assert routing_module.ROOM < 1 << 20
    assert entry_size("é", "é") == 1 + 2 + 16
