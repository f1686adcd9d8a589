"""What a list of Kopf's own lacks, on a clock of the test's own."""

import asyncio
from typing import Any

import kopf
from aiohttp import web

from linplane_api.kinds import CONFIG_MAP, LINEAR_MODEL
from linplane_operator.compile.objects import name_of
from linplane_operator.kube.client import path_of
from linplane_operator.kube.relists import QUIET_SECONDS, Relists
from linplane_operator.world import World

EVERYWHERE = path_of(LINEAR_MODEL, None)
LAST = b'{"kind": "List", "metadata": {"resourceVersion": "7"}, "items": [{"metadata": {"name": "a"}}]}'


def model(name: str, namespace: str = "n", uid: str = "") -> dict[str, Any]:
    metadata = {"namespace": namespace, "name": name, "uid": uid or f"u-{namespace}-{name}"}
    return {"apiVersion": "linplane.dev/v1alpha1", "kind": "LinearModel", "metadata": metadata, "spec": {"model": "m"}}


class Listing:
    """Two models are known."""

    def __init__(self, *scopes: str | None) -> None:
        self.now = 100.0
        self.world = World()
        for body in (model("a"), model("b")):
            self.world.put(LINEAR_MODEL, body)
        self.relists = Relists(self.world, (LINEAR_MODEL, CONFIG_MAP), scopes or (None,), lambda: self.now)

    def missing(self, after: float = QUIET_SECONDS) -> list[str] | None:
        """By name; None while no list is over."""
        self.now += after
        found = self.relists.missing()
        return sorted(name_of(body) for bodies in found.values() for body in bodies) if found else None


def test_what_a_list_does_not_tell_of_is_missing_once_it_is_over() -> None:
    listing = Listing()
    assert listing.missing() is None, "no list has begun"
    listing.relists.asked(EVERYWHERE)
    listing.relists.answered(EVERYWHERE, b'{"metadata": {"continue": "x"}, "items": []}')
    listing.relists.told(LINEAR_MODEL, model("a"))
    assert listing.missing(60) is None, "its next part is slow"
    listing.relists.answered(EVERYWHERE, b"<html>")
    assert listing.missing(60) is None, "an answer that is none"
    listing.relists.answered(EVERYWHERE, LAST)
    assert listing.missing(QUIET_SECONDS / 2) is None, "what it tells may be on its way"
    listing.relists.told(LINEAR_MODEL, model("a"))
    assert listing.missing(QUIET_SECONDS / 2) is None
    assert listing.missing() == ["b"]


def test_a_list_that_tells_of_nothing_lacks_everything() -> None:
    listing = Listing()
    listing.relists.asked(EVERYWHERE)
    listing.relists.answered(EVERYWHERE, LAST)
    assert listing.missing() == ["a", "b"]


def test_what_came_or_went_since_is_not_missing() -> None:
    """A newcomer by its own event; what was deleted and made anew is not what was known."""
    listing = Listing()
    listing.relists.asked(EVERYWHERE)
    listing.relists.answered(EVERYWHERE, LAST)
    listing.world.drop(LINEAR_MODEL, "n", "a")
    listing.world.put(LINEAR_MODEL, model("b", uid="u-new"))
    listing.world.put(LINEAR_MODEL, model("c"))
    assert listing.missing() == []


def test_a_list_of_one_namespace_says_nothing_of_others() -> None:
    listing = Listing("n", "m")
    listing.world.put(LINEAR_MODEL, model("a", "m"))
    listing.relists.asked(path_of(LINEAR_MODEL, "m"))
    listing.relists.answered(path_of(LINEAR_MODEL, "m"), LAST)
    listing.relists.told(LINEAR_MODEL, model("a", "m"))
    assert listing.missing() == []


def test_what_is_no_list_of_ours_begins_nothing() -> None:
    listing = Listing()
    for path in ("/apis/apps/v1/deployments", "/api"):
        listing.relists.asked(path)
        listing.relists.answered(path, LAST)
    assert listing.missing() is None


async def test_kopf_is_given_a_connection_that_is_watched() -> None:
    """Lists alone count, whatever path the API server is under; a refusal is no part of one."""
    listing, status = Listing(), 503

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.sleep(0.05)
        return web.Response(body=LAST, status=status)

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}/base"
    session = listing.relists.session(kopf.ConnectionInfo(server=base + "/", token="t"))

    async def ask(query: str) -> None:
        async with session.aiohttp_session.get(f"{base}{EVERYWHERE}{query}") as answer:
            await answer.read()

    try:
        assert session.aiohttp_session.headers["Authorization"] == "Bearer t"
        for query in ("?watch=true", "?limit=500", "?limit=500&continue=x"):
            await ask(query)
            assert listing.missing() is None
        status = 200
        await ask("?watch=true")
        assert listing.missing() is None
        await ask("?limit=500&continue=x")
        assert listing.missing() == ["a", "b"]
    finally:
        await session.aiohttp_session.close()
        await runner.cleanup()
