"""The effect of a new routing map on the loaded routes."""

import ast
import inspect
import json

import pytest

import later
from linplane_api.canonical import canonical_bytes, digest_of
from linplane_api.report import Report
from linplane_api.routing import RoutingMap, make_entry
from linplane_server.routing.compile import Loaded, advance, changed_routes, load_route, report_of, snapshot_of
from linplane_server.state.counters import Counters
from linplane_server.state.readiness import Readiness
from linplane_server.state.snapshot import Route, Snapshot
from linplane_server.state.snapshot_store import SnapshotStore
from unit.server.builders import document, later_format, routing


def apply(loaded: Loaded, new: RoutingMap) -> tuple[Loaded, list[str]]:
    """The next state, and what was parsed for it."""
    names = changed_routes(loaded, new)
    return advance(loaded, new, {name: load_route(name, new.routes[name], Counters()) for name in names}), names


def good(route: str, **fields: object) -> str:
    return make_entry(document(route, **fields), 1).to_bytes().decode()  # type: ignore[arg-type]


def damaged(text: str, change: str) -> str:
    """Ways to damage a document."""
    body = json.loads(text)
    match change:
        case "cut":
            return text[: len(text) // 2]
        case "empty":
            return ""
        case "revision":
            body["revision"] = "sha256:" + "0" * 64
        case "format":
            body["document"]["format"] = later.FORMAT
        case "weights":
            body["document"]["versions"]["v1"]["coefficients"][0] = 77.0
        case "field":
            body["document"]["surprise"] = 1
        case "NaN":
            return text.replace("2.0", "NaN", 1).replace("[2,", "[NaN,", 1)
        case "deep":
            return "[" * 100_000
        case "other":
            return good("other")
    return json.dumps(body)


CHANGES = ["cut", "empty", "revision", "format", "weights", "field", "NaN", "deep", "other"]


def test_keys_are_parsed_only_if_they_changed() -> None:
    loaded, names = apply(Loaded(), routing(document("a"), document("b")))
    assert names == ["a", "b"]
    again, names = apply(loaded, routing(document("a"), document("b"), sequence=1))
    assert names == []
    assert again.routes == loaded.routes
    after, names = apply(loaded, routing(document("a"), document("b", current="v2"), sequence=1))
    assert names == ["b"]
    assert after.routes["a"] is loaded.routes["a"]


@pytest.mark.parametrize("change", CHANGES)
def test_key_that_is_damaged_keeps_the_last_good_document_of_its_route_alone(change: str) -> None:
    loaded, _ = apply(Loaded(), routing(document("a"), document("b")))
    bad = damaged(good("a"), change)
    after, names = apply(loaded, routing(document("b", current="v2"), sequence=2, a=bad))
    assert names == ["a", "b"]
    assert after.routes["a"] is loaded.routes["a"]
    assert after.routes["b"].current_name == "v2"
    assert list(after.rejected) == ["a"]
    assert 0 < len(after.rejected["a"]) <= 256
    unchanged, names = apply(after, routing(document("b", current="v2"), sequence=2, a=bad))
    assert names == []
    assert unchanged.rejected == after.rejected


def test_key_that_is_repaired_is_applied_and_no_longer_rejected() -> None:
    loaded, _ = apply(Loaded(), routing(document("a"), sequence=1))
    broken, _ = apply(loaded, routing(sequence=2, a="{"))
    repaired, _ = apply(broken, routing(document("a", current="v2"), sequence=3))
    assert repaired.routes["a"].current_name == "v2"
    assert not repaired.rejected


def test_key_that_was_never_good_is_rejected_and_not_served() -> None:
    loaded, _ = apply(Loaded(), routing(document("b"), a="{"))
    assert set(loaded.routes) == {"b"}
    assert set(loaded.rejected) == {"a"}


def test_route_without_a_key_is_removed_even_if_rejected() -> None:
    loaded, _ = apply(Loaded(), routing(document("a"), document("b"), c="{"))
    after, _ = apply(loaded, routing(document("b")))
    assert set(after.routes) == {"b"}
    assert not after.rejected


def test_features_that_are_duplicates_are_rejected() -> None:
    body = json.loads(good("a", versions={"v1": {"x": 1.0, "y": 2.0}}))
    features = ["x", "x"]
    body["document"]["versions"]["v1"]["features"] = body["document"]["named"]["v1"] = features
    from linplane_api.canonical import canonical_bytes, digest_of

    body["revision"] = digest_of(canonical_bytes(body["document"]))
    assert not isinstance(load_route("a", json.dumps(body), Counters()), Route)


def test_report_has_the_loaded_routes_and_the_first_rejected() -> None:
    broken = {f"r{i}": "{" for i in range(10)}
    new = routing(document("a"), sequence=7, uid="u7", **broken)
    loaded, _ = apply(Loaded(), new)
    report = report_of(snapshot_of(loaded, new), [], "default", "pod-uid", "2026-01-01T00:00:00Z")
    assert (report.config_map_uid, report.sequence, report.routes) == ("u7", 7, 1)
    assert (report.rejected_count, [r.route for r in report.rejected]) == (10, [f"r{i}" for i in range(8)])
    assert (report.server_name, report.pod_uid, report.started_at) == ("default", "pod-uid", "2026-01-01T00:00:00Z")


def test_report_of_gives_every_field_of_the_report() -> None:
    calls = [node for node in ast.walk(ast.parse(inspect.getsource(report_of))) if isinstance(node, ast.Call)]
    (call,) = [node for node in calls if ast.unparse(node.func) == "Report"]
    assert {keyword.arg for keyword in call.keywords} == set(Report.__struct_fields__)


def test_snapshot_is_immutable() -> None:
    snapshot = Snapshot("u", 1, {}, {})
    with pytest.raises(TypeError):
        snapshot.routes["a"] = None  # type: ignore[index]


def with_unknown_fields(route: str) -> str:
    """An entry of a later release, of a format that this one supports."""
    body = json.loads(good(route))
    body["document"][later.FIELD] = "v2"
    body["document"]["versions"]["v1"]["units"] = "m"
    return json.dumps({**body, "revision": digest_of(canonical_bytes(body["document"]))})


def test_unknown_fields_are_accepted() -> None:
    loaded, _ = apply(Loaded(), routing(a=with_unknown_fields("a")))
    assert loaded.routes["a"].revision == json.loads(with_unknown_fields("a"))["revision"]
    assert (loaded.rejected, loaded.unread) == ({}, frozenset())


def test_later_format_is_rejected_and_the_document_before_stays_in_force() -> None:
    loaded, _ = apply(Loaded(), routing(document("a"), document("b")))
    after, _ = apply(loaded, routing(a=later_format("a"), b=good("b"), c=later_format("c")))
    assert after.routes == {"a": loaded.routes["a"], "b": after.routes["b"]}
    reason = later.not_supported("document")
    assert after.rejected == {"a": reason, "c": reason}
    assert after.unread == {"c"}
    again, parsed = apply(after, routing(a=later_format("a"), b=good("b"), c=later_format("c"), sequence=9))
    assert (parsed, again.unread) == ([], {"c"})
    gone, _ = apply(again, routing(a=later_format("a"), b=good("b"), sequence=10))
    assert gone.unread == frozenset()


def test_damaged_entry_does_not_keep_a_server_from_joining() -> None:
    loaded, _ = apply(Loaded(), routing(a="{"))
    assert (list(loaded.rejected), loaded.unread) == (["a"], frozenset())


def test_damage_in_between_does_not_let_a_server_join() -> None:
    loaded, _ = apply(Loaded(), routing(c=later_format("c")))
    loaded, _ = apply(loaded, routing(c="{", sequence=2))
    assert loaded.unread == {"c"}
    loaded, _ = apply(loaded, routing(c=good("c"), sequence=3))
    assert loaded.unread == frozenset()


def test_server_that_joins_is_ready_once_it_reads_every_format() -> None:
    """One that was ready stays so, as its other routes still need it."""
    store = SnapshotStore()
    readiness = Readiness(store)

    def swap(map_: RoutingMap) -> str | None:
        loaded, _ = apply(Loaded(), map_)
        store.swap(snapshot_of(loaded, map_), 0.0)
        return readiness.unready()

    assert swap(routing(document("a"), c=later_format("c"))) == (f"route c: {later.not_supported('document')}")
    assert swap(routing(document("a"))) is None
    assert swap(routing(document("a"), c=later_format("c"))) is None
