"""JSON over the official client's connection: plain objects in and out, every failure one typed error."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec
from kubernetes.aio.client import ApiClient

from linplane_api.kinds import Kind

from ..compile.objects import Object

TIMEOUT_SECONDS = 15.0
CHUNK = 500  # objects of one LIST answer

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON = "application/json"

Counted = Callable[[str, str, int], None]
"""Told of each call: method, resource, status (0 where there was no answer)."""


class ApiError(Exception):
    """What the API server answered instead: an HTTP status, its own words, and the reasons of its causes."""

    def __init__(self, status: int, reason: str, message: str, causes: tuple[str, ...] = ()) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.causes = causes
        self.status = status
        self.reason = reason
        self.message = message


class AwayError(OSError):
    """There was no answer, or one that says to come again (429, 5xx)."""


def path_of(kind: Kind, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
    """The URL path of a resource or an object; names are quoted."""
    base = f"/api/{kind.api_version}" if "/" not in kind.api_version else f"/apis/{kind.api_version}"
    parts = [base]
    if namespace is not None:
        parts += ["namespaces", quote(namespace, safe="")]
    parts += [kind.plural, *(quote(part, safe="") for part in (name, subresource) if part)]
    return "/".join(parts)


class Client:
    """Calls of one API server. All of them belong to one event loop."""

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
        """One call. Raises ApiError for what the server refuses, AwayError where it is away."""
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
            raise AwayError(f"the API server did not answer: {type(error).__name__}") from error
        self._counted(method, resource, answer.status)
        if 200 <= answer.status < 300:
            try:
                return msgspec.json.decode(text, type=dict[str, Any])
            except msgspec.DecodeError as error:  # of a proxy in between
                raise AwayError(f"the API server answered {answer.status} without an object") from error
        raise _error(answer.status, text)

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """The object, None where there is none."""
        try:
            return typed(kind, await self.call("GET", path_of(kind, namespace, name)))
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
        """Every object of a kind, from a consistent read, in answers of bounded size. `dated` is told the list's own
        resourceVersion.
        """
        query = {"limit": str(CHUNK), **({"labelSelector": selector} if selector else {})}
        query |= {"fieldSelector": fields} if fields else {}
        while True:
            answer = await self.call("GET", path_of(kind, namespace), query=query)
            dated(str((answer.get("metadata") or {}).get("resourceVersion", "")))
            for item in answer.get("items") or ():
                yield typed(kind, item)
            token = (answer.get("metadata") or {}).get("continue")
            if not token:
                return
            query = {**query, "continue": token}


def typed(kind: Kind, body: Object) -> Object:
    """An item of a list says neither apiVersion nor kind."""
    return {**body, "apiVersion": kind.api_version, "kind": kind.kind}


def resource_of(path: str) -> str:
    """The resource and subresource a path is about, for the count of calls: never a name that a user chose."""
    parts = path.strip("/").split("/")[2 if path.startswith("/api/") else 3 :]
    if parts[:1] == ["namespaces"] and len(parts) > 2:
        parts = parts[2:]
    return "/".join(parts[:1] + parts[2:3]) or "discovery"


def _error(status: int, text: bytes) -> Exception:
    try:
        answer: Any = msgspec.json.decode(text)
        reason, message = str(answer.get("reason", "")), str(answer.get("message", ""))
        details = answer.get("details") or {}
        causes = tuple(str(cause.get("reason", "")) for cause in details.get("causes") or ())
    except (msgspec.DecodeError, AttributeError):
        reason, message, causes = "", "", ()
    if status == 429 or status >= 500:
        return AwayError(f"the API server answered {status} {reason}: {message}"[:500])
    return ApiError(status, reason, message, causes)
