"""HTTP calls of the API server over the official client's connection: JSON objects in and out, each failure an
ApiError.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import aiohttp
import msgspec
from kubernetes.aio.client import ApiClient

from linplane_api.api_access import (
    NOT_JSON,
    ApiError,
    UnavailableError,
    collection_path,
    connection_error,
    object_path,
    response_error,
)
from linplane_api.kinds import Kind

from ..compile.objects import Object

TIMEOUT_SECONDS = 15.0
CHUNK = 500  # objects of one LIST answer

JSON = "application/json"

Counted = Callable[[str, str, int], None]
"""Called after each call with method, resource and status (0: no answer)."""


class HttpClient:
    """Calls of one API server, on one event loop."""

    def __init__(self, api: ApiClient, counted: Counted = lambda *_: None) -> None:
        self._api = api
        self._counted = counted

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        content_type: str = JSON,
    ) -> Object:
        """One call. Raises ApiError."""
        headers = {"Accept": JSON, "Content-Type": content_type}
        resource = resource_of(path)
        try:
            _, url, headers, _, _ = await self._api.param_serialize(
                method,
                path,
                query_params=list((query or {}).items()),
                header_params=headers,
                auth_settings=["BearerToken"],
            )
            answer = await self._api.call_api(method, url, headers, body=body, _request_timeout=TIMEOUT_SECONDS)
            text: bytes = await answer.read()  # type: ignore[no-untyped-call]
        except (aiohttp.ClientError, TimeoutError) as error:
            self._counted(method, resource, 0)
            raise connection_error(error) from error
        self._counted(method, resource, answer.status)
        if 200 <= answer.status < 300:
            try:
                return msgspec.json.decode(text, type=dict[str, Any])
            except NOT_JSON as error:  # from a proxy
                message = f"the API server answered {answer.status} without an object"
                raise UnavailableError(0, "Malformed", message) from error
        raise response_error(answer.status, text, answer.headers.get("Retry-After", ""))

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """The object, None if it does not exist."""
        try:
            return typed(kind, await self.call("GET", object_path(kind, namespace, name)))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def list(
        self,
        kind: Kind,
        namespace: str | None,
        selector: str = "",
        fields: str = "",
        dated: Callable[[str], None] = lambda _: None,
    ) -> AsyncIterator[Object]:
        """Every object of a kind, from a consistent read, in pages. `dated` is called with the list's own
        resourceVersion.
        """
        query = {"limit": str(CHUNK), **({"labelSelector": selector} if selector else {})}
        query |= {"fieldSelector": fields} if fields else {}
        while True:
            answer = await self.call("GET", collection_path(kind, namespace), query=query)
            dated(str((answer.get("metadata") or {}).get("resourceVersion", "")))
            for item in answer.get("items") or ():
                yield typed(kind, item)
            token = (answer.get("metadata") or {}).get("continue")
            if not token:
                return
            query = {**query, "continue": token}


def typed(kind: Kind, body: Object) -> Object:
    """An item of a list with apiVersion and kind, which lists leave out."""
    return {**body, "apiVersion": kind.api_version, "kind": kind.kind}


def resource_of(path: str) -> str:
    """The resource and subresource of a path, as a metric label: never a name that a user chose."""
    parts = path.strip("/").split("/")[2 if path.startswith("/api/") else 3 :]
    if parts[:1] == ["namespaces"] and len(parts) > 2:
        parts = parts[2:]
    return "/".join(parts[:1] + parts[2:3]) or "discovery"
