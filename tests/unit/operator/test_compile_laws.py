"""Invariants of every route, for any history of its versions."""

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from linplane_api.conditions import Reason
from linplane_api.routing import RouteDocument, make_entry, parse_entry
from linplane_operator.compile.artifacts import Version
from linplane_operator.compile.routing import compile_document, named_versions
from unit.operator.builders import frozen, missed, pending, ready, route_spec, versions

NAMES = ("v1", "v2", "v3")
KINDS = {
    "ready": lambda name: ready(name, float(name[1])),
    "anew": lambda name: ready(name, 10.0 + float(name[1]), "rooms"),
    "frozen": lambda name: frozen(name, float(name[1])),
    "pending": pending,
    "missed": lambda name: missed(name, 20.0, "other"),
}
worlds = st.fixed_dictionaries({}, optional={name: st.sampled_from(sorted(KINDS)) for name in NAMES}).map(
    lambda kinds: versions(*(KINDS[kind](name) for name, kind in kinds.items()))
)


@st.composite
def specs(draw):
    """A route's spec: a current version and up to two candidates."""
    order = draw(st.permutations(NAMES))
    shares = draw(st.lists(st.integers(0, 50), max_size=2))
    limit = draw(st.sampled_from([{}, {"rateLimit": {"requestsPerSecond": 3, "per": "Route"}}]))
    return route_spec(order[0], list(zip(order[1:], shares, strict=False)), **limit)


steps = st.lists(st.tuples(specs(), worlds), min_size=1, max_size=6)
LAWS = settings(max_examples=80, deadline=None, derandomize=True)


def history(given_steps) -> list[tuple[RouteDocument | None, RouteDocument, Mapping[str, Version], object, Reason]]:
    """Returns for every step: the document before, the new one, the versions, the spec and the reason."""
    before: RouteDocument | None = None
    result = []
    for spec, there in given_steps:
        compiled = compile_document("homes", spec, there, before, 2)
        result.append((before, compiled.entry.document, there, spec, compiled.cause.reason))
        before = compiled.entry.document
    return result


@LAWS
@given(steps)
def test_compiling_twice_changes_nothing(given_steps):
    """The document that is in force compiles to itself, and to the same verdict."""
    for _, document, there, spec, reason in history(given_steps):
        again = compile_document("homes", spec, there, document, 2)
        assert (again.entry, again.cause.reason) == (make_entry(document), reason)


@LAWS
@given(steps)
def test_document_survives_encoding_and_compiles_to_itself(given_steps):
    """Its bytes decode to an equal document, which compiles to itself."""
    for _, document, there, spec, _ in history(given_steps):
        entry = make_entry(document, 3)
        assert parse_entry(entry.to_bytes()) == entry
        read = parse_entry(entry.to_bytes()).document
        assert compile_document("homes", spec, there, read, 2).entry.revision == make_entry(document).revision


@LAWS
@given(steps)
def test_weights_of_a_frozen_version_are_never_in_a_document(given_steps):
    """Neither as the current one, nor as a candidate, nor as a memory."""
    for _, document, there, _, _ in history(given_steps):
        assert not {name for name, version in there.items() if version.frozen} & set(document.versions)


@LAWS
@given(steps)
def test_answering_version_is_ready_or_was_served_before(given_steps):
    """Its weights are those of its digest."""
    for before, document, there, _, _ in history(given_steps):
        for name, served in document.versions.items():
            version = there.get(name)
            if version and version.verdict.artifact and version.verdict.file:
                assert served.digest == version.verdict.file.digest
            else:
                assert before is not None
                assert before.versions[name] == served


@LAWS
@given(steps)
def test_route_that_answers_continues_unless_its_version_is_frozen(given_steps):
    """No failed training, no deletion and no bad switch takes traffic away."""
    for before, document, there, _, _ in history(given_steps):
        if before and before.current in before.versions and document.unavailable:
            assert document.current is not None
            assert there[document.current].frozen


@LAWS
@given(steps)
def test_current_version_is_the_desired_or_the_last_one(given_steps):
    """The route never picks a version that the spec does not name; the split goes with it."""
    for before, document, _, spec, _ in history(given_steps):
        asked = (spec.version, tuple((c.version, c.share) for c in spec.split))
        kept = (before.current, tuple((c.version, c.share) for c in before.split)) if before else (None, ())
        assert (document.current, tuple((c.version, c.share) for c in document.split)) in (asked, kept)


@LAWS
@given(steps)
def test_accepted_says_that_the_spec_is_in_effect_and_nothing_else(given_steps):
    """True if and only if every desired version serves its share and is Ready."""
    for _, document, there, spec, reason in history(given_steps):
        asked = [spec.version, *(c.version for c in spec.split)]
        sound = all(n in there and not there[n].frozen and there[n].verdict.artifact for n in asked)
        assert (reason is Reason.ACCEPTED) == sound
        if sound:
            assert document.current == spec.version
            assert document.shares() == tuple(c.share for c in spec.split)


@LAWS
@given(spec=specs(), others=worlds, shares=st.lists(st.integers(0, 50), min_size=2, max_size=2))
def test_candidate_freeze_and_unfreeze_move_no_other_user(spec, others, shares):
    """Slots and numbers stay, so the other candidate keeps its users, and the thawed one gets its own back."""
    spec = route_spec("v1", [("v2", shares[0]), ("v3", shares[1])])
    whole = versions(ready("v1", 1.0), ready("v2", 2.0), ready("v3", 3.0))
    before = compile_document("homes", spec, whole, None, 2).entry.document
    cold = compile_document("homes", spec, {**whole, "v2": frozen("v2", 2.0)}, before, 2).entry.document
    assert cold.split == before.split
    assert cold.shares() == (0, before.shares()[1])
    assert compile_document("homes", spec, whole, cold, 2).entry.document == before


@LAWS
@given(steps)
def test_equal_inputs_give_equal_bytes(given_steps):
    """Whatever the order in which the versions are known."""
    for before, document, there, spec, _ in history(given_steps):
        turned = dict(reversed(list(there.items())))
        again = compile_document("homes", spec, turned, before, 2).entry.document
        assert make_entry(again, 1).to_bytes() == make_entry(document, 1).to_bytes()


@LAWS
@given(steps)
def test_unnamed_versions_do_not_matter(given_steps):
    """The operator need not judge their artifacts."""
    for before, document, there, spec, reason in history(given_steps):
        named = {name: there[name] for name in named_versions(spec, before) if name in there}
        again = compile_document("homes", spec, named, before, 2)
        assert (again.entry.document, again.cause.reason) == (document, reason)
