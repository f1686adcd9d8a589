"""Kopf itself, under the settings that it gets, against an API server that fails it."""

import asyncio
import gc
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import kopf
import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer

from linplane_api.api_access import collection_path
from linplane_api.kinds import CONFIG_MAP
from linplane_operator.kube.informer import Informer
from linplane_operator.kube.kopf.handlers import configure, group_version, register
from linplane_operator.kube.watch_lag import WatchLag
from linplane_operator.kube.watched_kinds import WATCHED
from linplane_operator.observe.cache import ObjectCache

FASTER = 20
"""Every time in the settings is shorter by that."""
BURST = 30
# what Kopf requests at its start, whatever is watched
ASKED_FOR = [
    ("", "v1", "namespaces"),
    ("", "v1", "events"),
    ("apiextensions.k8s.io", "v1", "customresourcedefinitions"),
]


class ApiServer:
    """Knows every kind that is watched, and lists no object. The first watch of ConfigMaps is cut amid a burst of
    events, the second gets 410; all others are silent until their timeout.
    """

    def __init__(self) -> None:
        self.watches: Counter[str] = Counter()  # started watches by path
        self._resources = [*ASKED_FOR, *((*group_version(kind), kind.plural) for kind in WATCHED)]

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if "watch" in request.query:
            return await self._watch(request)
        if request.path == "/api":
            return web.json_response({"versions": ["v1"]})
        if request.path == "/apis":
            pairs = {(group, version) for group, version, _ in self._resources if group}
            versions = [(group, {"version": version, "groupVersion": f"{group}/{version}"}) for group, version in pairs]
            groups = [{"name": group, "versions": [v], "preferredVersion": v} for group, v in versions]
            return web.json_response({"groups": groups})
        found = [r for r in self._resources if request.path in (f"/api/{r[1]}", f"/apis/{r[0]}/{r[1]}")]
        verbs = ["list", "watch", "patch"]
        resources = [{"name": n, "singularName": n, "kind": n, "namespaced": True, "verbs": verbs} for _, _, n in found]
        return web.json_response({"resources": resources, "items": [], "metadata": {"resourceVersion": "7"}})

    async def _watch(self, request: web.BaseRequest) -> web.StreamResponse:
        self.watches[request.path] += 1
        count = self.watches[request.path] if request.path == collection_path(CONFIG_MAP, None) else 0
        response = web.StreamResponse()
        await response.prepare(request)
        if count == 1:
            await response.write(b"".join(_line("ADDED", _object(number)) for number in range(BURST)))
            assert request.transport
            request.transport.abort()
        elif count == 2:
            await response.write(_line("ERROR", {"kind": "Status", "code": 410, "reason": "Expired"}))
        else:
            await asyncio.sleep(float(request.query["timeoutSeconds"]))
        return response


def _line(kind: str, body: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": body}).encode() + b"\n"


def _object(number: int) -> dict[str, Any]:
    return {"metadata": {"namespace": "n", "name": f"a{number}", "uid": f"u{number}", "resourceVersion": "8"}}


def settings() -> kopf.OperatorSettings:
    made = kopf.OperatorSettings()
    configure(made)
    watching = made.watching
    for name in ("server_timeout", "client_timeout", "inactivity_timeout", "reconnect_backoff"):
        setattr(watching, name, getattr(watching, name) / FASTER)
    return made


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Reference cycles are not collected for a long time, as in a process with many objects."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
async def test_watch_recovers_after_a_cut_connection_and_410() -> None:
    """On Python 3.13 the cut one's frames stay, and hold the other one: an inactivity timer started by it would
    end a later watch when it expires.
    """
    api, registry, stop = ApiServer(), kopf.OperatorRegistry(), asyncio.Event()
    register(registry, Informer(ObjectCache(), lambda _: None), WatchLag(WATCHED, (), asyncio.get_running_loop().time))
    async with RawTestServer(api.answer) as server:
        info = kopf.ConnectionInfo(server=f"http://127.0.0.1:{server.port}")
        kopf.on.login(registry=registry)(lambda **_: info)
        running = asyncio.ensure_future(
            kopf.operator(registry=registry, settings=settings(), standalone=True, clusterwide=True, stop_flag=stop)
        )
        try:
            async with asyncio.timeout(20):
                while api.watches[collection_path(CONFIG_MAP, None)] < 6:
                    await asyncio.sleep(0.05)
            assert min(api.watches[collection_path(kind, None)] for kind in WATCHED) >= 3
        finally:
            stop.set()
            await asyncio.wait_for(running, 10)


def test_kopf_settings_reconnect_within_seconds() -> None:
    """However long that was away, up to ten minutes; then the process ends, and a fresh one tries."""
    settings = kopf.OperatorSettings()
    configure(settings)
    pauses = list(settings.networking.error_backoffs)
    assert max(pauses) <= 5
    assert sum(pauses) >= 600
