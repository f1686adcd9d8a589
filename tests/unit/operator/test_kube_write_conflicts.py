"""Two operators with different desired states: a write-back waits, a user's change never does."""

from typing import Any

import pytest

from linplane_api.kinds import MODEL_SERVER, SERVICE
from linplane_api.names import ANNOTATION_APPLIED as ANNOTATION
from linplane_operator.cluster_client import ContestedError
from linplane_operator.compile.objects import Object, meta
from linplane_operator.kube.cluster import KubeClient
from linplane_operator.kube.drift import stamped
from linplane_operator.kube.informer import Informer
from linplane_operator.kube.write_conflicts import WriteConflicts
from linplane_operator.observe.cache import ObjectCache
from unit.operator.apply_server import OWNER, Api, made

WHAT = ("u", "")


class Server:
    """One object, with `managedFields` as an API server keeps them: times in whole seconds. After each write another
    process writes another part, so the version alone says nothing.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.version = 1
        self.holds = ""
        self.entries: dict[tuple[str, str], Object] = {}
        self.writes: list[float] = []

    def write(self, holds: str = "theirs", manager: str = "linplane", fields: str = "f:a", part: str = "") -> Object:
        """An operator writes the child that it wants; the answer is of that moment."""
        self.holds = self.holds if part else holds
        answer = self._written(manager, fields, part)
        self._written("kube-controller-manager", "f:status", "status")
        return answer

    def edit(self, manager: str, fields: str) -> None:
        """A user writes the same part."""
        self._written(manager, fields, "")

    def _written(self, manager: str, fields: str, part: str) -> Object:
        self.version += 1
        time = f"2026-03-01T12:{int(self.now) // 60:02}:{int(self.now) % 60:02}Z"
        entry = {"manager": manager, "operation": "Apply", "fieldsV1": {fields: {}}, "time": time}
        self.entries[manager, part] = {**entry, **({"subresource": part} if part else {})}
        return self.body()

    def body(self) -> Object:
        metadata = {"uid": "u", "resourceVersion": str(self.version), "managedFields": list(self.entries.values())}
        return {"metadata": {**metadata, "annotations": {ANNOTATION: self.holds}}}


def writes_back(contests: WriteConflicts, server: Server, asked: Any = "ours") -> float:
    """Writes, if it need not wait; returns the seconds to wait."""
    live = server.body()
    if contests.is_write_back(WHAT, asked, live):
        wait = contests.pending(WHAT)
        if wait is None:
            wait = contests.check(WHAT, live)
        if wait:
            return wait
    contests.wrote(WHAT, asked, server.write(asked))
    server.writes.append(server.now)
    return 0.0


@pytest.mark.parametrize("late", [0.01, 1.5])
def test_write_back_waits_twice_as_long_each_time(late: float) -> None:
    """Up to five minutes, whether the other writes back in the same second or later."""
    server = Server()
    contests = WriteConflicts(lambda: server.now)
    assert writes_back(contests, server) == 0
    waits = []
    for _ in range(12):
        server.now += late
        server.write()  # the other
        server.now += late
        waits.append(writes_back(contests, server))
        assert writes_back(contests, server) == pytest.approx(waits[-1]), "it is not to begin again"
        server.now += waits[-1]
        assert writes_back(contests, server) == 0
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]


def test_two_operators_write_less_and_less() -> None:
    """In an hour, of what would be thousands of writes."""
    server = Server()
    both = [WriteConflicts(lambda: server.now), WriteConflicts(lambda: server.now)]
    state, due = -1, [0.0, 0.0]
    while server.now < 3600:
        for who, contests in enumerate(both):
            if state == who or server.now < due[who]:
                continue
            if wait := writes_back(contests, server, f"wish {who}"):
                due[who] = server.now + wait
            else:
                state = who
        server.now += 0.02
    assert len(server.writes) < 120
    assert sum(time > 60 for time in server.writes) < 40


def test_edit_by_a_user_is_repaired_at_once() -> None:
    """Fields of their own, by their own name; or fields that they take away, by which they own none."""
    server = Server()
    contests = WriteConflicts(lambda: server.now)
    writes_back(contests, server)
    for fields in ("f:b", "f:c"):
        server.now += 2
        server.edit("kubectl", fields)
        assert writes_back(contests, server) == 0
    server.entries["linplane", ""] = {**server.entries["linplane", ""], "fieldsV1": {}}
    server.version += 1
    assert writes_back(contests, server) == 0


def test_new_desired_state_never_waits() -> None:
    """A user has changed something: it is no write-back, however much there was before."""
    server = Server()
    contests = WriteConflicts(lambda: server.now)
    writes_back(contests, server)
    server.now += 2
    server.write()
    assert writes_back(contests, server) == 1
    assert writes_back(contests, server, "another") == 0


def test_uncontested_write_never_waits() -> None:
    """A user's spec alternates, while a controller writes the status and a user annotates."""
    server = Server()
    contests = WriteConflicts(lambda: server.now)
    for number in range(20):
        server.now += 0.3
        assert writes_back(contests, server, f"state {number % 2}") == 0
        if number % 3 == 0:
            server.edit("kubectl", "f:theirs")


def test_status_that_alternates_never_waits() -> None:
    """A user annotates the object in between."""
    contests, what = WriteConflicts(lambda: 0.0), ("u", "status")
    entry = {"manager": "linplane", "subresource": "status", "time": "2026-03-01T12:00:00Z", "fieldsV1": {"f:a": {}}}
    metadata = {"uid": "u", "resourceVersion": "1", "managedFields": [entry]}
    for status in ({"a": 1}, {"a": 2}):
        contests.wrote(what, status, {"metadata": metadata, "status": status})
    annotated = {"metadata": {**metadata, "resourceVersion": "3", "annotations": {"theirs": "1"}}, "status": {"a": 2}}
    assert not contests.is_write_back(what, {"a": 1}, annotated)
    assert contests.check(what, annotated) == 0
    theirs = {"metadata": {**metadata, "resourceVersion": "4"}, "status": {"a": 3}}
    assert contests.is_write_back(what, {"a": 2}, theirs)
    assert contests.check(what, theirs) == 1


def test_backoff_is_reset_after_a_calm() -> None:
    server = Server()
    contests = WriteConflicts(lambda: server.now)
    writes_back(contests, server)
    for wait in (1, 2, 4):
        server.now += 2
        server.write()
        assert writes_back(contests, server) == wait
        server.now += wait
        assert writes_back(contests, server) == 0
    server.now += 60
    server.write()
    assert writes_back(contests, server) == 1


def test_write_that_differs_only_in_times_is_the_same() -> None:
    """A condition that went back and forth has a new time, and says the same."""
    contests = WriteConflicts(lambda: 0.0)
    status = {"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-03-01T12:00:00Z"}]}
    other = {"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-03-01T12:00:09Z"}]}
    contests.wrote(WHAT, status, Server().write())
    later = {"metadata": {"annotations": {ANNOTATION: "other"}}}
    assert contests.is_write_back(WHAT, other, later)
    assert not contests.is_write_back(WHAT, {"conditions": []}, later)


def test_writes_of_long_ago_are_forgotten() -> None:
    """Of thousands of objects."""
    now = [0.0]
    contests = WriteConflicts(lambda: now[0])
    for number in range(5000):
        contests.wrote((f"u{number}", ""), number, Server().body())
    now[0] = 10_000.0
    for number in range(5000, 9000):
        contests.wrote((f"u{number}", ""), number, Server().body())
    assert len(contests._records) < 5000


class Contested(Api):
    """An API server whose other operator has written back whatever is read."""

    async def call(self, method: str, path: str, **given: Any) -> Object:
        body = await super().call(method, path, **given)
        time = "2026-03-01T12:00:01Z" if method == "GET" else "2026-03-01T12:00:00Z"
        part = {"subresource": "status"} if path.endswith("/status") else {}
        entries = [{"manager": "linplane", "time": time, "fieldsV1": {}, **part}]
        entries += [{**entry, "subresource": "status"} for entry in entries if method == "GET"]
        return {**body, "metadata": {**meta(body), "managedFields": entries}}


def contested() -> tuple[Contested, KubeClient, ObjectCache, list[tuple[str, float]]]:
    api, cache, later = Contested(), ObjectCache(), []
    informer = Informer(cache, lambda _: None)
    cluster = KubeClient(
        api,
        cache,
        lambda *_: None,
        informer,
        lambda: 0.0,
        requeue_after=lambda body, seconds: later.append((body["metadata"]["name"], seconds)),
    )
    return api, cluster, cache, later


def other(api: Api, **fields: Any) -> Object:
    """The other operator's write."""
    (found,) = api.objects.values()
    api.put({**found, **fields})
    (found,) = api.objects.values()
    return found


async def test_contested_child_is_requeued() -> None:
    """The rest of the reconcile continues."""
    api, cluster, cache, later = contested()
    service = made(SERVICE, spec={"a": 1})
    await cluster.apply(service)
    theirs = stamped(made(SERVICE, spec={"a": 2}))["metadata"]["annotations"]
    (found,) = api.objects.values()
    cache.put(SERVICE, other(api, spec={"a": 2}, metadata={**meta(found), "annotations": theirs}))
    writes = api.calls.count("PATCH")
    await cluster.apply(service)
    assert (api.calls.count("PATCH"), later) == (writes, [(meta(service)["name"], 1.0)])
    await cluster.apply(made(SERVICE, spec={"a": 3}))
    assert api.calls.count("PATCH") > writes, "a user's change"


async def test_contested_status_waits() -> None:
    """Its reconcile is requeued after the wait."""
    api, cluster, cache, _ = contested()
    api.put({**OWNER, "status": {}})
    (seen,) = api.objects.values()
    await cluster.write_status(MODEL_SERVER, seen, {"routes": 1})
    cache.put(MODEL_SERVER, other(api, status={"routes": 2}))
    seen = other(api, status={"routes": 2})
    writes = api.calls.count("PATCH")
    with pytest.raises(ContestedError) as raised:
        await cluster.write_status(MODEL_SERVER, seen, {"routes": 1})
    assert raised.value.seconds == 1
    assert api.calls.count("PATCH") == writes
