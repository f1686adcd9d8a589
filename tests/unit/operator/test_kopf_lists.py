"""Intercepted LISTs: items go to the informer, Kopf gets the rest, missing objects are confirmed."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import kopf
import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from linplane_api.api_access import UnavailableError, collection_path
from linplane_api.kinds import CONFIG_MAP, LINEAR_MODEL, Kind
from linplane_operator.compile.objects import name_of
from linplane_operator.kube.kopf import lists
from linplane_operator.kube.kopf.lists import HANDED_SECONDS, Confirm, ListInterceptor
from linplane_operator.observe.cache import ObjectCache

EVERYWHERE = collection_path(LINEAR_MODEL, None)
EMPTY = {"kind": "LinearModelList", "metadata": {"resourceVersion": "7"}, "items": []}


def model(name: str, namespace: str = "n", uid: str = "") -> dict[str, Any]:
    metadata = {"namespace": namespace, "name": name, "uid": uid or f"u-{namespace}-{name}"}
    return {"apiVersion": "linplane.dev/v1alpha1", "kind": "LinearModel", "metadata": metadata, "spec": {"model": "m"}}


def part(*names: str, further: str = "", namespace: str = "n") -> dict[str, Any]:
    """Of a list; its items say no kind."""
    items = [{k: v for k, v in model(n, namespace).items() if k not in ("apiVersion", "kind")} for n in names]
    return {**EMPTY, "metadata": {"resourceVersion": "7", **({"continue": further} if further else {})}, "items": items}


class Listing:
    """Two models are known."""

    def __init__(self, *scopes: str | None) -> None:
        self.cache = ObjectCache()
        self.seen: list[tuple[Kind, dict[str, Any]]] = []
        for body in (model("a"), model("b")):
            self.cache.put(LINEAR_MODEL, body)
        self.now = 0.0
        self.interceptor = ListInterceptor(
            self.cache,
            (LINEAR_MODEL, CONFIG_MAP),
            scopes or (None,),
            lambda kind, body: self.seen.append((kind, body)),
            lambda: self.now,
        )

    def missing(self) -> list[str] | None:
        """The items by name; None until a list has ended."""
        found = self.interceptor.missing()
        return sorted(name_of(body) for bodies in found.values() for body in bodies) if found else None


def test_missing_objects_are_known_once_a_list_is_complete() -> None:
    listing = Listing()
    assert listing.missing() is None, "no list has begun"
    listing.interceptor.list_started(EVERYWHERE)
    listing.interceptor.filter_page(EVERYWHERE, part("c", further="x"))
    assert listing.missing() is None, "its next part is slow"
    listing.interceptor.filter_page(EVERYWHERE, part("a"))
    assert listing.missing() == ["b"]


def test_list_items_go_to_the_informer_and_kopf_gets_the_version() -> None:
    listing = Listing()
    listing.interceptor.list_started(EVERYWHERE)
    assert listing.interceptor.filter_page(EVERYWHERE, part("a", further="x")) == part(further="x")
    assert listing.interceptor.filter_page(EVERYWHERE, part("c")) == EMPTY
    assert listing.seen == [(LINEAR_MODEL, model("a")), (LINEAR_MODEL, model("c"))]


def test_missing_objects_of_an_empty_list_are_all() -> None:
    listing = Listing()
    listing.interceptor.list_started(EVERYWHERE)
    listing.interceptor.filter_page(EVERYWHERE, part())
    assert listing.missing() == ["a", "b"]


def test_missing_objects_exclude_changes_during_the_list() -> None:
    """A new object by its own event; a recreated object has another UID."""
    listing = Listing()
    listing.interceptor.list_started(EVERYWHERE)
    listing.interceptor.filter_page(EVERYWHERE, part())
    listing.cache.drop(LINEAR_MODEL, "n", "a")
    listing.cache.put(LINEAR_MODEL, model("b", uid="u-new"))
    listing.cache.put(LINEAR_MODEL, model("c"))
    assert listing.missing() == []


def test_missing_objects_of_one_namespace_exclude_others() -> None:
    listing = Listing("n", "m")
    listing.cache.put(LINEAR_MODEL, model("a", "m"))
    listing.interceptor.list_started(collection_path(LINEAR_MODEL, "m"))
    listing.interceptor.filter_page(collection_path(LINEAR_MODEL, "m"), part("a", namespace="m"))
    assert listing.missing() == []


def test_other_answers_reach_kopf_unchanged() -> None:
    listing = Listing()
    for path in ("/apis/apps/v1/deployments", "/api"):
        listing.interceptor.list_started(path)
        assert listing.interceptor.filter_page(path, part("a")) == part("a")
    assert listing.missing() is None
    assert not listing.seen


@asynccontextmanager
async def answering(answer: dict[str, Any], listing: Listing) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    """A server under a path of its own that says `answer["status"]` and `answer["body"]`, and Kopf's session."""

    async def handle(_request: web.BaseRequest) -> web.StreamResponse:
        return web.json_response(answer["body"], status=answer["status"])

    async with RawTestServer(handle) as server:
        base = f"http://127.0.0.1:{server.port}/base"
        info = kopf.ConnectionInfo(server=base + "/", token="t")
        async with listing.interceptor.session(info).aiohttp_session as session:
            yield f"{base}{EVERYWHERE}", session


async def test_session_intercepts_the_lists_of_kopf() -> None:
    """Whatever path the API server is under. A refusal is no part of a list, and Kopf's own to read."""
    listing, answer = Listing(), {"status": 503, "body": {"kind": "Status", "items": [1]}}
    async with answering(answer, listing) as (url, session):
        assert session.headers["Authorization"] == "Bearer t"
        async with session.get(f"{url}?limit=500") as refused:
            assert await refused.json() == answer["body"]
        assert listing.missing() is None
        answer |= {"status": 200, "body": part("a", further="x")}
        async with session.get(f"{url}?limit=500") as first:
            assert await first.json() == part(further="x")
        assert listing.missing() is None
        answer["body"] = part("c")
        async with session.get(f"{url}?limit=500&continue=x") as last:
            assert await last.json() == EMPTY
        assert listing.missing() == ["b"]
        assert [name_of(body) for _, body in listing.seen] == ["a", "c"]


def test_list_restarted_half_way_counts_from_its_restart() -> None:
    listing = Listing()
    listing.interceptor.list_started(EVERYWHERE)
    listing.interceptor.filter_page(EVERYWHERE, part("a", further="x"))
    listing.interceptor.list_started(EVERYWHERE)
    assert listing.missing() is None
    listing.interceptor.filter_page(EVERYWHERE, part("b"))
    assert listing.missing() == ["a"], "it went between the two"


def test_unlisted_kinds_since_the_start_of_kopf() -> None:
    listing = Listing()
    assert listing.interceptor.unlisted() == set(), "it has not begun"
    for _ in range(2):
        listing.interceptor.reset()
        listing.interceptor.list_started(EVERYWHERE)
        listing.interceptor.filter_page(EVERYWHERE, part("a", further="x"))
        assert listing.interceptor.unlisted() == {LINEAR_MODEL, CONFIG_MAP}, "half of it is none"
        listing.interceptor.filter_page(EVERYWHERE, part("b"))
        assert listing.interceptor.unlisted() == {CONFIG_MAP}


def test_handed_over_version_is_used_once() -> None:
    """It gets no items, and requests no further page."""
    listing = Listing()
    listing.interceptor.hand_over(LINEAR_MODEL, None, "5")
    listing.interceptor.reset()
    listing.interceptor.list_started(EVERYWHERE)
    handed = {**EMPTY, "metadata": {"resourceVersion": "5"}}
    assert listing.interceptor.filter_page(EVERYWHERE, part("c", further="x")) == handed
    assert (listing.seen, listing.missing(), listing.interceptor.unlisted()) == ([], None, {CONFIG_MAP})
    listing.interceptor.list_started(EVERYWHERE)
    assert listing.interceptor.filter_page(EVERYWHERE, part("a")) == EMPTY
    assert listing.missing() == ["b"]


def test_handed_over_version_expires() -> None:
    listing = Listing()
    listing.interceptor.hand_over(LINEAR_MODEL, None, "5")
    listing.now = HANDED_SECONDS + 1
    listing.interceptor.reset()
    listing.interceptor.list_started(EVERYWHERE)
    assert listing.interceptor.filter_page(EVERYWHERE, part("a")) == EMPTY
    assert listing.missing() == ["b"]


async def test_handed_over_version_survives_a_refused_list() -> None:
    listing, answer = Listing(), {"status": 503, "body": {"kind": "Status"}}
    listing.interceptor.hand_over(LINEAR_MODEL, None, "5")
    async with answering(answer, listing) as (url, session):
        async with session.get(f"{url}?limit=500") as refused:
            assert await refused.json() == answer["body"]
        answer |= {"status": 200, "body": part("a", further="x")}
        async with session.get(f"{url}?limit=500") as first:
            assert await first.json() == {**EMPTY, "metadata": {"resourceVersion": "5"}}
    assert (listing.seen, listing.missing()) == ([], None)


@pytest.mark.parametrize("version", ["", "0", "none"])
def test_handed_over_version_must_be_a_number(version: str) -> None:
    listing = Listing()
    listing.interceptor.hand_over(LINEAR_MODEL, None, version)
    listing.interceptor.list_started(EVERYWHERE)
    assert listing.interceptor.filter_page(EVERYWHERE, part("a")) == EMPTY
    assert listing.missing() == ["b"]


def test_handed_over_version_is_of_one_namespace() -> None:
    listing = Listing("n", "m")
    listing.interceptor.hand_over(LINEAR_MODEL, "m", "5")
    listing.interceptor.list_started(collection_path(LINEAR_MODEL, "n"))
    listing.interceptor.filter_page(collection_path(LINEAR_MODEL, "n"), part("a"))
    assert listing.missing() == ["b"]


@asynccontextmanager
async def running(listing: Listing, confirm: Confirm, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    monkeypatch.setattr(lists, "CONFIRM_SECONDS", 0.01)
    task = asyncio.ensure_future(listing.interceptor.run(confirm))
    try:
        async with asyncio.timeout(10):
            yield
    finally:
        task.cancel()


async def test_confirm_keeps_a_list_that_starts_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listing = Listing()
    confirmed, go_on = asyncio.Queue[list[str]](), asyncio.Event()

    async def confirm(_kind: Kind, bodies: Iterable[dict[str, Any]]) -> None:
        confirmed.put_nowait([name_of(body) for body in bodies])
        await go_on.wait()

    async with running(listing, confirm, monkeypatch):
        listing.interceptor.list_started(EVERYWHERE)
        listing.interceptor.filter_page(EVERYWHERE, part("b"))
        assert await confirmed.get() == ["a"]
        listing.interceptor.list_started(EVERYWHERE)
        listing.interceptor.filter_page(EVERYWHERE, part("a"))
        go_on.set()
        assert await confirmed.get() == ["b"]
    assert confirmed.empty(), "each list was settled once"


async def test_confirm_is_retried_and_its_failure_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    listing, tries, done = Listing(), [0], asyncio.Event()

    async def confirm(*_: Any) -> None:
        tries[0] += 1
        if tries[0] < 5:
            raise UnavailableError(503, "x", "x")
        done.set()

    async with running(listing, confirm, monkeypatch):
        listing.interceptor.list_started(EVERYWHERE)
        listing.interceptor.filter_page(EVERYWHERE, part())
        await done.wait()
    assert [record.getMessage() for record in caplog.records] == [
        "objects missing from a list of linearmodels not confirmed: 503 x: x; retrying"
    ]
    assert listing.missing() is None


async def test_watch_request_starts_no_list() -> None:
    listing, answer = Listing(), {"status": 200, "body": part()}
    async with answering(answer, listing) as (url, session):
        async with session.get(f"{url}?watch=true&resourceVersion=7") as stream:
            await stream.read()
        assert listing.missing() is None


async def test_answer_that_is_no_object_raises() -> None:
    listing, answer = Listing(), {"status": 200, "body": ["no object"]}
    async with answering(answer, listing) as (url, session), session.get(f"{url}?limit=500") as strange:
        with pytest.raises(ValueError, match="Expected `object`"):
            await strange.json()
    assert listing.missing() is None


async def test_session_uses_the_proxy_of_the_kubeconfig() -> None:
    asked = []

    async def proxy(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request.headers["Host"])
        return web.json_response(part("a"))

    async with RawTestServer(proxy) as server:
        info = kopf.ConnectionInfo(server="http://api.invalid", proxy_url=f"http://127.0.0.1:{server.port}")
        async with (
            Listing().interceptor.session(info).aiohttp_session as session,
            session.get(f"http://api.invalid{EVERYWHERE}?limit=500") as answer,
        ):
            assert await answer.json() == EMPTY
        assert asked == ["api.invalid"]
