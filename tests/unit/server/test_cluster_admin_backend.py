"""Admin calls in a cluster: the API server's refusals are passed on, by status, and it alone decides."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from linplane_api.logs import JsonFormatter
from linplane_server.admin.access import Access
from linplane_server.admin.endpoint import AdminEndpoint
from linplane_server.cluster.admin_backend import NOT_LOCAL, ClusterBackends
from unit.server.builders import Clock, document, serving
from unit.server.fake_api import MODELS, ROUTES, FakeApi, Received, Reply, failure, fake_api

CANARY = "c4n4ry-t0ken"
ROUTE, V1, V2 = f"{ROUTES}/homes", f"{MODELS}/homes-v1", f"{MODELS}/homes-v2"


class Seconds:
    """A clock in seconds that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class World:
    """One replica's admin endpoint, with an API server with a route and two versions that are Ready."""

    def __init__(self, api: FakeApi, endpoint: AdminEndpoint, clock: Seconds) -> None:
        self.api = api
        self.endpoint = endpoint
        self.clock = clock

    async def call(
        self, name: str, query: str = "version=v2&route=homes", token: str | None = CANARY, peer: str = "127.0.0.1",
        **headers: str,
    ) -> Response:  # fmt: skip
        fields = {"host": "localhost:8081", **headers} | ({"authorization": f"Bearer {token}"} if token else {})
        scope: dict[str, Any] = {
            "type": "http", "method": "POST", "path": f"/{name}", "query_string": query.encode(), "client": (peer, 5),
            "headers": [(k.encode(), v.encode()) for k, v in fields.items()],
        }  # fmt: skip
        return await self.endpoint(name, Request(scope))

    def converge(self) -> None:
        """Puts the spec of every object into effect."""
        for path, kinds in ((ROUTE, ("Accepted", "Converged")), (V1, ("Ready",)), (V2, ("Ready",))):
            found = self.api.objects[path]
            generation = found["metadata"]["generation"]
            frozen = found["spec"].get("frozen") is True
            held = [*((kind, not frozen or path == ROUTE) for kind in kinds), ("Withdrawn", frozen)]
            conditions = [
                {"type": kind, "status": str(value), "reason": "R", "message": "", "observedGeneration": generation}
                for kind, value in held
            ]
            self.api.put(path, status={"observedGeneration": generation, "conditions": conditions})

    def spec(self, path: str) -> Any:
        return self.api.objects[path]["spec"]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with fake_api() as api:
        api.put(ROUTE, spec={"model": "homes", "version": "v1"})
        api.put(V1, spec={"model": "homes", "version": "v1"})
        api.put(V2, spec={"model": "homes", "version": "v2"})
        store = (await serving(document())).store
        clock = Seconds()
        access, callers = Access(None, Clock(), NOT_LOCAL), ClusterBackends(api.access, store, clock)
        endpoint = AdminEndpoint(access, callers, store, timeout=0.3)
        result = World(api, endpoint, clock)
        result.converge()
        yield result


def said(response: Response) -> Any:
    return json.loads(bytes(response.body))


@pytest.fixture
def audited(caplog: pytest.LogCaptureFixture) -> Any:
    """The audit lines, as they are printed. No line contains the canary."""
    caplog.set_level(logging.DEBUG)

    def lines() -> list[dict[str, Any]]:
        printed = [JsonFormatter().format(record) for record in caplog.records]
        assert CANARY not in "".join(printed)
        return [line for line in map(json.loads, printed) if line["logger"] == "linplane_server.audit"]

    return lines


async def test_switch_is_a_patch_with_the_callers_token_and_done_once_converged(world: World, audited: Any) -> None:
    version = world.api.objects[ROUTE]["metadata"]["resourceVersion"]
    calling = asyncio.create_task(world.call("switch_model"))
    while world.spec(ROUTE)["version"] != "v2":
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.1)
    assert not calling.done()
    world.converge()
    response = await calling
    assert (response.status_code, said(response)) == (
        200, {"route": "homes", "from": "v1", "to": "v2", "converged": True},
    )  # fmt: skip
    patch = next(request for request in world.api.received if request.method == "PATCH")
    assert json.loads(patch.body) == {"spec": {"version": "v2"}, "metadata": {"resourceVersion": version}}
    assert (patch.path, patch.headers["content-type"]) == (ROUTE, "application/merge-patch+json")
    assert patch.query == {"fieldManager": "linplane-admin"}
    assert {request.headers["authorization"] for request in world.api.received} == {f"Bearer {CANARY}"}
    (line,) = audited()
    written = {key: line[key] for key in ("action", "peer", "route", "version", "from", "to", "status")}
    assert written == {
        "action": "switch_model", "peer": "127.0.0.1", "route": "homes", "version": "v2", "from": "v1", "to": "v2",
        "status": 200,
    }  # fmt: skip
    assert line["auditID"] == f"audit-{line['resourceVersion']}"
    assert line["fieldManager"] == "linplane-admin"


@pytest.mark.parametrize(
    ("split", "rest"),
    [
        ([{"version": "v2", "percent": 10}], None),
        (
            [{"version": "v2", "percent": 10}, {"version": "v3", "percent": "0.25"}],
            [{"version": "v3", "percent": "0.25"}],
        ),
        ([{"version": "v3", "percent": 5}, {"version": "v2", "percent": 10}], [{"version": "v3", "percent": 5}]),
    ],
)
async def test_candidate_that_is_switched_to_leaves_the_split_by_the_same_patch(
    world: World, split: list[Any], rest: list[Any] | None
) -> None:
    world.api.put(ROUTE, spec={"model": "homes", "version": "v1", "split": split})
    assert (await world.call("switch_model")).status_code == 202
    (patch,) = [request for request in world.api.received if request.method == "PATCH"]
    assert json.loads(patch.body)["spec"] == {"version": "v2", "split": rest}
    assert world.spec(ROUTE).get("split") == rest


async def test_switch_warns_of_features_that_the_new_version_also_needs(world: World) -> None:
    """By the loaded versions, else by the version's own status."""
    assert "warnings" not in said(await world.call("switch_model"))
    v3 = f"{MODELS}/homes-v3"
    world.api.put(v3, spec={"model": "homes", "version": "v3"})
    ready = {"type": "Ready", "status": "True", "observedGeneration": world.api.objects[v3]["metadata"]["generation"]}
    coefficients = [{"feature": name, "value": 1.0} for name in ("area", "floor\x1b", "age")]
    generation = world.api.objects[v3]["metadata"]["generation"]
    status = {"observedGeneration": generation, "conditions": [ready], "coefficients": coefficients}
    world.api.put(v3, status=status)
    response = await world.call("switch_model", "version=v3&route=homes")
    assert (response.status_code, said(response)["warnings"]) == (202, [r"v3 also needs floor\x1b and age"])


async def test_route_that_is_missing_is_requested_by_name(world: World) -> None:
    response = await world.call("switch_model", "version=v2")
    assert response.status_code == 202, "there is just one"
    store = (await serving(document("rent"), document("bad"), document("dev-rent"))).store
    world.endpoint._store = store
    response = await world.call("switch_model", "version=v2")
    assert (response.status_code, said(response)["detail"]) == (422, "say which route: bad, dev-rent, rent")
    world.endpoint._store = (await serving(*(document(f"r{number:02}") for number in range(30)))).store
    assert said(await world.call("freeze", "version=v2"))["detail"].endswith("r18, r19 and 10 more")
    world.endpoint._store = (await serving()).store
    assert said(await world.call("freeze", "version=v2"))["detail"] == "no route is loaded"


async def test_switch_that_takes_longer_is_pending(world: World) -> None:
    assert (await world.call("switch_model")).status_code == 202
    assert world.spec(ROUTE)["version"] == "v2"


async def test_freeze_and_unfreeze(world: World) -> None:
    response = await world.call("freeze")
    assert (response.status_code, world.spec(V2)["frozen"]) == (202, True)
    world.converge()
    assert (await world.call("freeze")).status_code == 200
    assert (await world.call("switch_model")).status_code == 409
    calling = asyncio.create_task(world.call("unfreeze"))
    while world.spec(V2)["frozen"]:
        await asyncio.sleep(0.001)
    world.converge()
    assert (await calling).status_code == 200


async def test_switch_to_a_missing_version_or_one_that_cannot_serve_changes_nothing(world: World) -> None:
    assert (await world.call("switch_model", "version=v9&route=homes")).status_code == 404
    assert (await world.call("switch_model", "version=v2&route=none")).status_code == 404
    world.api.put(V2, spec={"model": "homes", "version": "v2", "frozen": True})
    response = await world.call("switch_model")
    assert (response.status_code, said(response)["reason"]) == (409, "VersionFrozen")
    world.api.put(V2, spec={"model": "homes", "version": "v2"}, status={})
    response = await world.call("switch_model")
    assert (response.status_code, said(response)["reason"]) == (409, "VersionNotReady")
    assert not any(request.method == "PATCH" for request in world.api.received)


HANDED_ON = [(401, 401), (403, 403), (404, 404), (422, 422), (400, 422), (429, 429), (500, 503), (302, 503)]
ASKED = [f"GET {ROUTE}", f"GET {V2}", f"PATCH {ROUTE}"]


@pytest.mark.parametrize(
    ("path", "status", "answer"),
    [(path, *pair) for path in ASKED for pair in HANDED_ON if (path, pair[0]) != (ASKED[0], 403)],
)
async def test_api_servers_refusal_is_passed_on(world: World, path: str, status: int, answer: int) -> None:
    """Except for a route that the caller may not read: see below."""
    world.api.answers[path] = [failure(status, "Why", "because")]
    response = await world.call("switch_model")
    assert (response.status_code, said(response)["reason"]) == (answer, "Why")
    assert said(response)["detail"].startswith("because")
    assert response.headers.get("www-authenticate") == ("Bearer" if answer == 401 else None)
    assert response.headers.get("retry-after") == ("1" if answer == 429 else None)
    assert world.spec(ROUTE)["version"] == "v1"


async def test_api_server_that_is_unavailable_fails_the_call(world: World) -> None:
    world.api.answers[f"PATCH {ROUTE}"] = [Reply(raw=b"")]
    response = await world.call("switch_model")
    assert response.status_code == 503
    assert "may have been made" in said(response)["detail"]
    await world.api.stop()
    for call in ("switch_model", "freeze", "unfreeze"):
        assert (await world.call(call)).status_code == 503
    await world.api.start()


async def test_api_server_that_becomes_unavailable_after_the_change_leaves_it_pending(world: World) -> None:
    ended = failure(503)
    world.api.override = lambda request: (
        ended if request.method == "GET" and world.spec(ROUTE)["version"] == "v2" else None
    )
    assert (await world.call("switch_model")).status_code == 202


async def test_caller_who_may_change_a_route_but_not_read_it_changes_it(world: World) -> None:
    world.api.override = lambda request: (
        failure(403, "Forbidden") if request.method == "GET" and request.path == ROUTE else None
    )
    response = await world.call("switch_model")
    assert (response.status_code, said(response)["from"]) == (202, "v1")
    assert world.spec(ROUTE)["version"] == "v2"
    assert (await world.call("switch_model", "version=v2&route=unknown")).status_code in {403, 404}


async def test_caller_who_may_not_read_the_version_is_refused(world: World) -> None:
    world.api.override = lambda request: failure(403, "Forbidden") if request.path == V2 else None
    for call in ("switch_model", "freeze", "unfreeze"):
        assert (await world.call(call)).status_code == 403
    assert not any(request.method == "PATCH" for request in world.api.received)


async def test_status_written_meanwhile_is_no_conflict_and_a_spec_is(world: World) -> None:
    def writes_status(request: Received) -> None:
        if request.method == "PATCH" and world.api.count(f"PATCH {ROUTE}") < 3:
            world.api.put(ROUTE, status={})

    world.api.override = writes_status
    assert (await world.call("switch_model")).status_code == 202
    assert world.api.count(f"PATCH {ROUTE}") == 3

    def writes_spec(request: Received) -> None:
        if request.method == "PATCH" and world.spec(ROUTE)["version"] != "v3":
            generation = world.api.objects[ROUTE]["metadata"]["generation"] + 1
            world.api.put(ROUTE, spec={"model": "homes", "version": "v3"}, metadata={"generation": generation})

    world.api.override = writes_spec
    response = await world.call("switch_model", "version=v1&route=homes")
    assert (response.status_code, said(response)["reason"]) == (409, "Conflict")
    assert world.spec(ROUTE)["version"] == "v3"


def version_of(world: World, path: str) -> str:
    return str(world.api.objects[path]["metadata"]["resourceVersion"])


async def test_if_match_names_the_state_that_is_to_be_changed(world: World) -> None:
    """Of the route for a switch, of the version for a freeze; 412 changes nothing."""
    for call, path in (("switch_model", ROUTE), ("freeze", V2)):
        now = version_of(world, path)
        for stale in ('"1"', f'W/"{now}"', '"1", "2"'):
            response = await world.call(call, **{"if-match": stale})
            assert (response.status_code, said(response)["reason"]) == (412, "Changed")
            assert now in said(response)["detail"]
        assert version_of(world, path) == now
        response = await world.call(call, **{"if-match": f'"1", "{now}"'})
        assert response.status_code == 202
        assert version_of(world, path) != now
    assert (await world.call("unfreeze", **{"if-match": "*"})).status_code == 202


async def test_if_match_makes_a_status_written_meanwhile_a_conflict(world: World) -> None:
    now = version_of(world, ROUTE)

    def writes_status(request: Received) -> None:
        if request.method == "PATCH":
            world.api.put(ROUTE, status={})

    world.api.override = writes_status
    response = await world.call("switch_model", **{"if-match": f'"{now}"'})
    assert (response.status_code, world.spec(ROUTE)["version"]) == (412, "v1")
    assert world.api.count(f"PATCH {ROUTE}") == 1


async def test_if_match_is_checked_last_and_for_callers_who_may_read(world: World) -> None:
    for bad in ("17", '"', "'17'", '"a b"', ""):
        assert (await world.call("switch_model", **{"if-match": bad})).status_code == 422
    assert (await world.call("switch_model", "version=v9&route=homes", **{"if-match": '"1"'})).status_code == 404
    world.api.override = lambda request: (
        failure(403, "Forbidden") if request.method == "GET" and request.path == ROUTE else None
    )
    assert (await world.call("switch_model", **{"if-match": '"1"'})).status_code == 403
    assert world.spec(ROUTE)["version"] == "v1"


async def test_audit_line_of_a_freeze_has_the_previous_state(world: World, audited: Any) -> None:
    for call in ("freeze", "unfreeze"):
        await world.call(call)
    assert [(line["wasFrozen"], line["frozen"], bool(line["resourceVersion"])) for line in audited()] == [
        (False, True, True), (True, False, True),
    ]  # fmt: skip


async def test_conflicts_without_end_end_the_call(world: World) -> None:
    world.api.override = lambda request: failure(409, "Conflict") if request.method == "PATCH" else None
    assert (await world.call("switch_model")).status_code == 409
    assert world.api.count(f"PATCH {ROUTE}") == 5


async def test_call_without_a_token_sends_no_request(world: World) -> None:
    for headers in ({}, {"authorization": "Basic YTpi"}, {"authorization": "Bearer a b"}, {"authorization": "Bearer "}):
        response = await world.call("switch_model", token=None, **headers)
        assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
    assert not world.api.received


@pytest.mark.parametrize(
    ("peer", "headers"),
    [("10.1.2.3", {}), ("::ffff:10.1.2.3", {}), ("127.0.0.1", {"origin": "http://x"}), ("127.0.0.1", {"host": "x"})],
)
async def test_access_is_checked_before_the_token(world: World, peer: str, headers: dict[str, str]) -> None:
    for token in (CANARY, None):
        assert (await world.call("switch_model", token=token, peer=peer, **headers)).status_code == 403
    assert not world.api.received
    assert "port-forward" in said(await world.call("switch_model", peer="10.1.2.3"))["detail"]


@pytest.mark.parametrize("bad", ["../x", "%2e%2e", "a/b", "A", "", "a" * 64, "a\n", "a?b", "..", "v2#", "v-2", "v2%00"])
async def test_names_are_checked_before_a_url_is_made_of_them(world: World, bad: str) -> None:
    for query in (f"version={bad}&route=homes", f"version=v2&route={bad}", f"version={bad}"):
        if query in {"version=v2&route=", "version=v2&route=v-2"}:
            continue
        assert (await world.call("switch_model", query)).status_code == 422
    assert not world.api.received


async def test_model_that_is_not_a_label_is_not_made_a_url(world: World) -> None:
    world.api.put(ROUTE, spec={"model": "../../x", "version": "v1"})
    assert (await world.call("switch_model")).status_code == 404
    assert [request.path for request in world.api.received] == [ROUTE]


async def test_tokens_that_are_refused_are_limited_before_a_request_is_sent(world: World) -> None:
    """In any second at most ten of them reach it, however many come at once; good ones are not counted."""
    world.api.tokens = {"good"}
    answers = await asyncio.gather(*(world.call("switch_model", token=f"bad{n}") for n in range(200)))
    assert sorted({a.status_code for a in answers}) == [401, 429]
    assert len(world.api.received) == 5
    assert {a.headers.get("retry-after") for a in answers if a.status_code == 429} == {"1"}
    for _ in range(10):
        world.clock.now += 0.1
        await asyncio.gather(*(world.call("switch_model", token=f"bad{n}") for n in range(20)))
    assert len(world.api.received) == 10
    world.clock.now += 1
    world.api.received.clear()
    for _ in range(50):
        assert (await world.call("switch_model", "version=v9&route=homes", token="good")).status_code == 404


async def test_token_is_not_kept_after_the_call(world: World) -> None:
    callers = world.endpoint._connect
    assert isinstance(callers, ClusterBackends)
    resources = callers(f"Bearer {CANARY}")
    await resources.route("homes")
    await resources.close()
    assert CANARY not in repr(vars(resources))
