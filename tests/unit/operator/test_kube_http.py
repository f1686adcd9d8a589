"""Malformed answers of the API server."""

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer
from kubernetes.aio.client import ApiClient, Configuration

from linplane_api.api_access import UnavailableError
from linplane_api.kinds import SERVICE
from linplane_operator.kube.http import HttpClient


@pytest.mark.parametrize("answer", [b"<html>", b"", b"[]", b"null", b'{"a":"\xff"}', b'{"a":' + b"[" * 100_000])
async def test_answer_that_is_no_json_object_raises_unavailable(answer: bytes) -> None:
    """The call is retried, and no part of the operator ends."""

    async def handle(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=answer)

    async with (
        RawTestServer(handle) as server,
        ApiClient(Configuration(host=f"http://127.0.0.1:{server.port}")) as api,
    ):
        with pytest.raises(UnavailableError, match="answered 200 without an object"):
            await HttpClient(api).get(SERVICE, "n", "s")
