"""The cache and its index, against the plainest model of them."""

from hypothesis import given, settings
from hypothesis import strategies as st

from linplane_api import names
from linplane_api.kinds import CONFIG_MAP, JOB, LINEAR_MODEL, MODEL_ROUTE, POD
from linplane_operator.compile.observed import Job, Pod, observe
from linplane_operator.observe.cache import ObjectCache, index_terms, key_of

SPACES, NAMES, WORDS = st.sampled_from(["a", "b"]), st.sampled_from(["x", "y", "z"]), st.sampled_from(["m", "n"])
TRUE = st.booleans().map(lambda yes: [{"type": t, "status": str(yes)} for t in ("Converged", "Withdrawn")])


@st.composite
def objects(draw):
    """Any object of any kind, with the fields that the index reads."""
    kind = draw(st.sampled_from([LINEAR_MODEL, MODEL_ROUTE, POD, CONFIG_MAP, JOB]))
    labels = {names.LABEL_SERVER: draw(WORDS), "batch.kubernetes.io/job-name": draw(WORDS)}
    owner = {"uid": draw(WORDS), "controller": draw(st.booleans())}
    spec = {"model": draw(WORDS), "version": "v1", "frozen": draw(st.booleans())}
    if draw(st.booleans()):
        spec["serverName"] = draw(WORDS)
    source = {"configMapKeyRef": {"name": draw(WORDS), "key": "k"}}
    spec |= draw(st.sampled_from([{"weights": source}, {"training": {"data": source}}, {}]))
    metadata = {"namespace": draw(SPACES), "name": draw(NAMES), "labels": labels, "ownerReferences": [owner]}
    return kind, {"metadata": metadata, "spec": spec, "status": {"conditions": draw(TRUE)}}


STEPS = st.lists(st.tuples(st.booleans(), objects()), max_size=40)
TERMS = [
    *("owner=m", "owner=n", "model=m", "model=n", "source=m", "source=n", "server=m", "server=n", "server=default"),
    *("waiting", "waiting=m", "waiting=n", "waiting=default", "job=m", "serves", "nothing"),
]


@settings(max_examples=80, deadline=None, derandomize=True)
@given(STEPS)
def test_put_drop_and_find_agree_with_a_plain_search(steps):
    """After any history: each term finds exactly the objects that have it now, in the order of their names."""
    cache, plain = ObjectCache(), {}
    for adds, (kind, body) in steps:
        key = (kind, *key_of(body))
        if adds:
            assert cache.put(kind, body) is plain.get(key)
            plain[key] = body
        else:
            assert cache.drop(kind, *key_of(body)) is plain.pop(key, None)
    for kind in (LINEAR_MODEL, MODEL_ROUTE, POD, CONFIG_MAP, JOB):
        for space in ("a", "b"):
            mine = sorted((n, b) for (k, s, n), b in plain.items() if (k, s) == (kind, space))
            assert cache.all(kind, space) == [b for _, b in mine]
            for term in TERMS:
                assert cache.find(kind, space, term) == [b for _, b in mine if term in index_terms(kind, b)]
            for name in ("x", "y", "z"):
                assert cache.get(kind, space, name) is plain.get((kind, space, name))
        assert cache.namespaces([kind]) == {s for k, s, _ in plain if k == kind}
    for typed in (Pod, Job):
        for space in ("a", "b"):
            for term in TERMS:
                found = [observe(typed, body) for body in cache.find(typed.KIND, space, term)]
                assert cache.find_typed(typed, space, term) == found
            for name in ("x", "y", "z"):
                body = cache.get(typed.KIND, space, name)
                assert cache.typed(typed, space, name) == (body and observe(typed, body))
    assert len(cache.all(LINEAR_MODEL)) == sum(k == LINEAR_MODEL for k, _, _ in plain)


def test_index_keeps_nothing_of_deleted_objects():
    """Deleted objects leave nothing in memory."""
    cache = ObjectCache()
    body = {"metadata": {"namespace": "a", "name": "x"}, "spec": {"model": "m", "frozen": True}}
    cache.put(LINEAR_MODEL, body)
    cache.drop(LINEAR_MODEL, "a", "x")
    assert cache._index == {}


def test_object_is_decoded_once():
    """On insertion, not on each read."""
    cache = ObjectCache()
    cache.put(POD, {"metadata": {"namespace": "a", "name": "x", "labels": {names.LABEL_SERVER: "m"}}})
    assert cache.typed(Pod, "a", "x") is cache.find_typed(Pod, "a", "server=m")[0]
    cache.drop(POD, "a", "x")
    assert cache.typed(Pod, "a", "x") is None


def test_only_the_controller_is_an_owner():
    """An owner reference without `controller` finds nothing."""
    body = {"metadata": {"ownerReferences": [{"uid": "u"}, {"uid": "v", "controller": True}]}}
    assert index_terms(CONFIG_MAP, body) == {"owner=v"}


def test_version_is_found_by_the_config_map_that_it_reads():
    """Weights or training data; a spec that cannot be read names none."""
    source, spec = {"configMapKeyRef": {"name": "m", "key": "k"}}, {"model": "a", "version": "v1"}
    for named in ({**spec, "weights": source}, {**spec, "training": {"data": source}}):
        assert index_terms(LINEAR_MODEL, {"spec": named}) == {"model=a", "source=m"}
    for other in ({**spec, "training": {"data": {"uri": "m"}}}, {"model": "a", "weights": source}):
        assert index_terms(LINEAR_MODEL, {"spec": other}) == {"model=a"}


def test_waiting_keys_are_those_unconfirmed_by_replicas():
    """A route that is not Converged at its current generation, and a frozen version that is not Withdrawn."""
    route = {"metadata": {"generation": 3}, "spec": {"model": "m"}}
    model = {"metadata": {}, "spec": {"model": "m", "frozen": True}}
    done = {"conditions": [{"type": "Converged", "status": "True"}, {"type": "Withdrawn", "status": "True"}]}
    assert "waiting=default" in index_terms(MODEL_ROUTE, route)
    assert "waiting=default" not in index_terms(MODEL_ROUTE, {**route, "status": {**done, "observedGeneration": 3}})
    assert "waiting=default" in index_terms(MODEL_ROUTE, {**route, "status": {**done, "observedGeneration": 2}})
    assert "waiting" in index_terms(LINEAR_MODEL, model)
    assert "waiting" not in index_terms(LINEAR_MODEL, {**model, "status": done})
    assert "waiting" not in index_terms(LINEAR_MODEL, {**model, "spec": {"model": "m"}})
