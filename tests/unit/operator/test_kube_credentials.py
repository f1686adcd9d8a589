"""Kopf reaches the API server like our own calls, and stops if its credentials are rejected."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import kopf
import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import RawTestServer
from kubernetes.aio.client import ApiClient, Configuration

from linplane_api.kinds import OURS
from linplane_operator.kube.credentials import KubeconfigError, read_kubeconfig, refresh
from linplane_operator.kube.kopf.login import SOON_SECONDS, Login, connection_of
from linplane_operator.kube.operator import Operator
from linplane_operator.kube.options import Options


def write(path: Path, user: dict[str, Any], server: str = "https://a:6443", **cluster: Any) -> Path:
    """A kubeconfig, of which `c` is the current context."""
    whole = {
        "clusters": [{"name": "k", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "u", "user": user}, {"name": "other", "user": {"token": "of-another"}}],
        "contexts": [
            {"name": "c", "context": {"cluster": "k", "user": "u"}},
            {"name": "d", "context": {"cluster": "k", "user": "other"}},
        ],
        "current-context": "c",
    }
    path.write_text(yaml.safe_dump(whole), encoding="utf-8")
    return path


async def test_kopf_connection_has_all_settings_of_the_kubeconfig(tmp_path: Path) -> None:
    more: dict[str, Any] = {"insecure-skip-tls-verify": True, "proxy-url": "http://p:3128"}
    files = {f"client-{name}": str(tmp_path / name) for name in ("certificate", "key")}
    for name in files.values():
        Path(name).touch()
    path = write(tmp_path / "config", {"token": "t", **files}, **more)
    configuration, context = await read_kubeconfig(path, None)
    assert context == "c"
    assert connection_of(configuration) == kopf.ConnectionInfo(
        server="https://a:6443",
        insecure=True,
        scheme="Bearer",
        token="t",
        certificate_path=files["client-certificate"],
        private_key_path=files["client-key"],
        proxy_url="http://p:3128",
    )


@pytest.mark.parametrize(
    ("user", "header"),
    [
        ({"token": "t"}, {"Authorization": "Bearer t"}),
        ({"username": "me", "password": "x"}, {"Authorization": "Basic bWU6eA=="}),
        ({}, {}),
    ],
)
async def test_kopf_authenticates_with_the_same_header(
    user: dict[str, Any], header: dict[str, str], tmp_path: Path
) -> None:
    configuration, _ = await read_kubeconfig(write(tmp_path / "config", user), None)
    assert connection_of(configuration).as_http_headers() == header


async def test_kubeconfig_with_tls_server_name_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match="tls-server-name"):
        await read_kubeconfig(write(tmp_path / "config", {"token": "t"}, **{"tls-server-name": "b"}), None)


async def test_refresh_updates_the_token_of_kopf_and_of_our_own_calls(tmp_path: Path) -> None:
    """Of the context of the start, whatever is the current one now."""
    plugin = tmp_path / "plugin.py"
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable, "args": [str(plugin)]}}
    path = write(tmp_path / "config", user)

    def give(token: str) -> None:
        credential = {"apiVersion": user["exec"]["apiVersion"], "kind": "ExecCredential", "status": {"token": token}}
        plugin.write_text(f"import json; print(json.dumps({credential}))", encoding="utf-8")

    give("first")
    known, context = await read_kubeconfig(path, None)
    assert connection_of(known).token == "first"
    give("second")
    path.write_text(path.read_text(encoding="utf-8").replace("current-context: c", "current-context: d"))
    assert connection_of(await refresh(known, path, context)).token == "second"
    assert known.api_key["BearerToken"] == "Bearer second"
    plugin.unlink()
    with pytest.raises(KubeconfigError, match="no token"):
        await refresh(known, path, context)
    assert known.api_key["BearerToken"] == "Bearer second"


async def test_refresh_refuses_another_api_server(tmp_path: Path) -> None:
    path = write(tmp_path / "config", {"token": "t"})
    known, context = await read_kubeconfig(path, None)
    write(path, {"token": "stranger"}, "https://b:6443")
    with pytest.raises(KubeconfigError, match="https://b:6443"):
        await refresh(known, path, context)
    assert known.api_key["BearerToken"] == "Bearer t"


async def test_login_returns_none_if_credentials_are_rejected_at_once() -> None:
    now = [0.0]
    sessions: list[kopf.AiohttpSession] = []

    async def connect(**_: Any) -> kopf.ConnectionInfo:
        return kopf.ConnectionInfo(server="https://a")

    def session(info: kopf.ConnectionInfo) -> kopf.AiohttpSession:
        sessions.append(kopf.AiohttpSession(server=info.server, aiohttp_session=Mock()))
        return sessions[-1]

    login = Login(connect, session, lambda: now[0])
    assert await login.login() is sessions[0]
    now[0] += SOON_SECONDS
    assert await login.login() is sessions[1], "it was good for a while: one 401 is no end"
    assert await login.login() is None
    assert len(sessions) == 2, "none is left open"


async def test_login_stops_kopf_at_persistent_401_without_a_storm(tmp_path: Path) -> None:
    calls = []

    async def refuse(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/apis/linplane.dev/v1alpha1":
            return web.json_response({"resources": [{"name": kind.plural} for kind in OURS]})
        calls.append(request.path)
        return web.json_response({"kind": "Status", "code": 401, "reason": "Unauthorized"}, status=401)

    stop = asyncio.Event()
    try:
        async with RawTestServer(refuse) as server:
            host = f"http://127.0.0.1:{server.port}"
            path = write(tmp_path / "config", {"token": "t"}, host)
            async with ApiClient(Configuration(host=host)) as api:
                operator = Operator(api, Options(kubeconfig=path), lambda: datetime.now(UTC))
                operator.synced = True
                watching = asyncio.ensure_future(operator._supervisor.run(stop))
                async with asyncio.timeout(20):
                    while "LoginError" not in operator.unready():
                        await asyncio.sleep(0.01)
                assert len(calls) < 10
                stop.set()
                await watching
    finally:
        asyncio.get_running_loop().set_task_factory(None)
