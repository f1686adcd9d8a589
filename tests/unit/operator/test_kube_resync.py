"""Lists of everything, of which one kind's may be refused."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from linplane_api.api_access import ApiError, UnavailableError
from linplane_api.kinds import CONFIG_MAP, LINEAR_MODEL, ROLE, SERVICE, Kind
from linplane_operator.compile.objects import Object
from linplane_operator.kube import resync as module
from linplane_operator.kube.http import HttpClient
from linplane_operator.kube.informer import Informer
from linplane_operator.kube.resync import OLDER_LISTS, Resync, WentBackError
from linplane_operator.kube.watch_lag import Lag, WatchLag
from linplane_operator.kube.watched_kinds import WATCHED
from linplane_operator.observe.cache import ObjectCache

OWNED = {"ownerReferences": [{"controller": True, "uid": "u-owner"}]}


def service(uid: str, version: int = 5) -> Object:
    metadata = {"namespace": "n", "name": "s", "uid": uid, "resourceVersion": str(version)}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata}


class Api(HttpClient):
    """One Service; these kinds cannot be listed."""

    def __init__(self, refused: dict[Kind, Exception]) -> None:
        self.refused = refused
        self.rounds = 0

    async def list(self, kind: Kind, *_: Any, **__: Any) -> AsyncIterator[Object]:
        self.rounds += kind is SERVICE
        if kind in self.refused:
            raise self.refused[kind]
        if kind is SERVICE:
            yield service("u-1")


@pytest.mark.parametrize("error", [ApiError(403, "Forbidden", "no"), UnavailableError(500, "x", "x")])
@pytest.mark.parametrize("refused", [CONFIG_MAP, LINEAR_MODEL])
async def test_resync_lists_other_kinds_after_an_error(
    refused: Kind, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.01)
    cache, now = ObjectCache(), [0.0]
    informer, api = Informer(cache, lambda _: None), Api({refused: error})
    resync = Resync(api, cache, informer, WatchLag(WATCHED, (), lambda: now[0]), clock=lambda: now[0])
    for kind in (SERVICE, CONFIG_MAP):
        informer.deleted(kind, {**service("u-0"), "kind": kind.kind})
    now[0] = 9.0
    task = asyncio.ensure_future(resync.run(lambda: None))
    async with asyncio.timeout(10):
        while api.rounds < 2:
            await asyncio.sleep(0.01)
        found = cache.get(SERVICE, "n", "s")
        assert found
        assert found["metadata"]["uid"] == "u-1"
        assert resync.age == 9.0, "not complete"
        informer.seen(SERVICE, service("u-0", 99))
        informer.seen(CONFIG_MAP, {**service("u-0", 99), "kind": "ConfigMap"})
        forgotten = cache.get(SERVICE, "n", "s") == service("u-0", 99)
        assert forgotten == (refused is not LINEAR_MODEL), "what owns it could not be listed"
        assert cache.get(CONFIG_MAP, "n", "s") is None
        api.refused.clear()
        while resync.age:
            await asyncio.sleep(0.01)
    task.cancel()


async def test_resync_lists_other_namespaces_after_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.01)

    class Split(Api):
        """The first namespace is refused, in each kind."""

        async def list(self, kind: Kind, *of: Any, **__: Any) -> AsyncIterator[Object]:
            if of[0] == "refused":
                self.rounds += kind is SERVICE
                raise UnavailableError(500, "x", "x")
            if kind is SERVICE:
                yield service("u-1")

    cache, now = ObjectCache(), [0.0]
    informer, api = Informer(cache, lambda _: None), Split({})
    watch_lag = WatchLag(WATCHED, ("refused", "n"), lambda: now[0])
    resync = Resync(api, cache, informer, watch_lag, clock=lambda: now[0])
    informer.deleted(SERVICE, service("u-0"))
    now[0] = 9.0
    task = asyncio.ensure_future(resync.run(lambda: None))
    async with asyncio.timeout(10):
        while api.rounds < 2:
            await asyncio.sleep(0.01)
    task.cancel()
    assert cache.get(SERVICE, "n", "s") == service("u-1")
    assert resync.age == 9.0, "not complete"
    informer.seen(SERVICE, service("u-0", 99))
    assert cache.get(SERVICE, "n", "s") == service("u-1"), "its end is remembered until it was listed everywhere"


async def test_deletions_of_unlisted_kinds_are_forgotten_once_owners_were_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.01)
    cache = ObjectCache()
    informer = Informer(cache, lambda _: None)
    resync = Resync(Api({}), cache, informer, WatchLag(WATCHED, (), lambda: 0.0), clock=lambda: 0.0)
    role = {"apiVersion": ROLE.api_version, "kind": "Role", "metadata": {**service("u-0")["metadata"], **OWNED}}
    informer.deleted(ROLE, role)
    assert informer.was_deleted(ROLE, ("n", "s"))
    task = asyncio.ensure_future(resync.run(lambda: None))
    async with asyncio.timeout(10):
        while informer.was_deleted(ROLE, ("n", "s")):
            await asyncio.sleep(0.01)
    task.cancel()
    informer.seen(ROLE, role)
    assert cache.get(ROLE, "n", "s"), "nothing is remembered of it"


class Dated(Api):
    """One Service at its resourceVersion, in lists that are as old as they say; they are of one round each."""

    def __init__(self, *rounds: tuple[str, int]) -> None:
        super().__init__({})
        self.left = list(rounds)

    async def list(self, kind: Kind, *_: Any, **given: Any) -> AsyncIterator[Object]:
        if kind is SERVICE:
            self.rounds += 1
            date, version = self.left.pop(0) if len(self.left) > 1 else self.left[0]
            given["dated"](date)
            yield service("u-1", version)


def listing(monkeypatch: pytest.MonkeyPatch, *rounds: tuple[str, int]) -> tuple[ObjectCache, Dated, asyncio.Task[None]]:
    """These lists come, the last again and again; the Service is known already, as the newest of them says."""
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.01)
    cache, api = ObjectCache(), Dated(*rounds)
    informer = Informer(cache, lambda _: None)
    informer.seen(SERVICE, service("u-1", max(version for _, version in rounds)))
    resync = Resync(api, cache, informer, WatchLag(WATCHED, (), lambda: 0.0), clock=lambda: 0.0)
    return cache, api, asyncio.ensure_future(resync.run(lambda: None))


@pytest.mark.parametrize(
    ("known", "after"),
    [
        (1000, ("500", 400)),
        (400, ("500", 400)),  # it has not changed; but the watches wait for what is to come
        (1000, ("1200", 400)),  # as many writes came since: that object stays as it is all the same
    ],
)
async def test_etcd_restore_ends_the_operator_and_a_new_one_starts_fresh(
    known: int, after: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, api, running = listing(monkeypatch, ("1000", known), after)
    with pytest.raises(WentBackError, match="services"):
        await asyncio.wait_for(running, 10)
    assert api.rounds == 1 + OLDER_LISTS
    api.rounds = 0
    cache = ObjectCache()
    informer = Informer(cache, lambda _: None)
    fresh = Resync(api, cache, informer, WatchLag(WATCHED, (), lambda: 0.0), clock=lambda: 0.0)
    await fresh.first_list(SERVICE, lambda *_: None)
    assert cache.get(SERVICE, "n", "s") == service("u-1", after[1])
    again = asyncio.ensure_future(fresh.run(lambda: None))
    await rounds(api, 3 * OLDER_LISTS)
    assert not again.done()
    again.cancel()


async def test_first_list_is_handed_over_and_its_watch_has_no_lag() -> None:
    cache, api, watch_lag = ObjectCache(), Dated(("1000", 400)), WatchLag(WATCHED, (), lambda: 0.0)
    resync = Resync(api, cache, Informer(cache, lambda _: None), watch_lag, clock=lambda: 0.0)
    handed = []
    await resync.first_list(SERVICE, lambda *of: handed.append(of))
    assert handed == [(SERVICE, None, "1000")]
    watch_lag.listed(SERVICE, None, 400)
    assert watch_lag.lagging() == {}
    for _ in range(2):
        watch_lag.listed(SERVICE, None, 401)
    assert watch_lag.lagging() == {"Service": Lag(0.0, 1)}, "but what came since"


@pytest.mark.parametrize("date", ["500", "", "none"])
async def test_stale_list_is_ignored(date: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor do several, if not one after the other."""
    stale = [(date, 400)] * (OLDER_LISTS - 1)
    cache, api, running = listing(monkeypatch, *stale, ("1000", 1000), *stale, ("1001", 1000))
    await rounds(api, 3 * OLDER_LISTS)
    assert cache.get(SERVICE, "n", "s") == service("u-1", 1000)
    assert not running.done()
    running.cancel()


async def rounds(api: Api, count: int) -> None:
    async with asyncio.timeout(10):
        while api.rounds < count:
            await asyncio.sleep(0.01)
