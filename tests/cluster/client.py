"""A small client of the API server: one connection, objects as dicts, refusals as exceptions."""

import http.client
import json
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from linplane_api.kinds import Kind

from .kinds import KINDS

Object = dict[str, Any]

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

_IDLE_SECONDS = 20.0  # a connection idle for longer is replaced


class ApiError(Exception):
    """A refusal by the API server, with its Status."""

    def __init__(self, code: int, body: Any) -> None:
        """`body` is the answer: a Status, or whatever came instead."""
        self.code = code
        self.status: Object = body if isinstance(body, dict) else {"message": str(body)}
        self.reason: str = self.status.get("reason", "")
        self.message: str = self.status.get("message", "")
        super().__init__(f"{code} {self.reason}: {self.message}")

    @property
    def causes(self) -> list[tuple[str, str]]:
        """Each field with its error."""
        found = (self.status.get("details") or {}).get("causes") or ()
        return [(cause.get("field", ""), cause.get("message", "")) for cause in found]


class Client:
    """Calls as one user. `warnings` are those of the last answer. Threads may share it; their calls are serialized."""

    def __init__(
        self, server: str, certificate_authority: str, token: str, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        """`certificate_authority` is a file; `headers` go with every request."""
        self.server = server
        self.token = token
        self.warnings: list[str] = []
        self._authority = certificate_authority
        self._headers = [("Authorization", f"Bearer {token}"), ("User-Agent", "linplane-tests"), *headers]
        self._context = ssl.create_default_context(cafile=certificate_authority)
        self._others: list[Client] = []
        self._lock = threading.Lock()
        self._connection: http.client.HTTPSConnection | None = None
        self._used = 0.0

    def impersonating(self, user: str, groups: Sequence[str] = (), extra: Mapping[str, str] | None = None) -> "Client":
        """A client that impersonates another user, which this client's user must be allowed to."""
        headers = [("Impersonate-User", user), *(("Impersonate-Group", group) for group in groups)]
        headers += [(f"Impersonate-Extra-{quote(key, safe='')}", value) for key, value in (extra or {}).items()]
        self._others.append(Client(self.server, self._authority, self.token, headers))
        return self._others[-1]

    def close(self) -> None:
        """Ends the connection, and those of the clients made of this one; the next call makes another."""
        with self._lock:
            self._drop()
        for other in self._others:
            other.close()

    # ---- objects ----

    def create(self, body: Mapping[str, Any], namespace: str | None = None, **query: str) -> Object:
        """Creates an object, and returns it as stored."""
        kind, namespace, _ = _whose(body, namespace)
        return self._object("POST", path(kind, namespace), body, **_strict(query))

    def replace(
        self, body: Mapping[str, Any], namespace: str | None = None, subresource: str = "", **query: str
    ) -> Object:
        """A PUT: fields left out are gone; with a resourceVersion it holds only for that one."""
        kind, namespace, name = _whose(body, namespace)
        return self._object("PUT", path(kind, namespace, name, subresource), body, **_strict(query))

    def apply(
        self,
        body: Mapping[str, Any],
        namespace: str | None = None,
        manager: str = "tests",
        *,
        force: bool = False,
        subresource: str = "",
        **query: str,
    ) -> Object:
        """Server-side apply."""
        kind, namespace, name = _whose(body, namespace)
        query = {"fieldManager": manager, "force": str(force).lower(), **query}
        return self._object("PATCH", path(kind, namespace, name, subresource), body, APPLY_PATCH, **query)

    def patch(
        self,
        kind: Kind,
        name: str,
        change: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        namespace: str | None = None,
        subresource: str = "",
        **query: str,
    ) -> Object:
        """A merge patch if `change` is an object, a JSON patch if it is a list."""
        media = MERGE_PATCH if isinstance(change, Mapping) else JSON_PATCH
        return self._object("PATCH", path(kind, namespace, name, subresource), change, media, **_strict(query))

    def get(self, kind: Kind, name: str, namespace: str | None = None) -> Object:
        """Raises ApiError with code 404 if it is absent."""
        return self._object("GET", path(kind, namespace, name))

    def find(self, kind: Kind, name: str, namespace: str | None = None) -> Object | None:
        """None if it is absent."""
        try:
            return self.get(kind, name, namespace)
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def list(self, kind: Kind, namespace: str | None = None, **query: str) -> list[Object]:
        """The items, of all namespaces without one; each with its apiVersion and kind."""
        items = self.call("GET", path(kind, namespace), **query)["items"]
        return [{"apiVersion": kind.api_version, "kind": kind.kind, **item} for item in items]

    def delete(
        self,
        kind: Kind,
        name: str,
        namespace: str | None = None,
        propagation: str | None = None,
        **query: str,
    ) -> Object:
        """`propagation`: Background, Foreground or Orphan; the kind's own if None."""
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
        return self._object("DELETE", path(kind, namespace, name), options if propagation else None, **query)

    def delete_all(self, kind: Kind, namespace: str, **query: str) -> None:
        """A deletecollection."""
        self.call("DELETE", path(kind, namespace), **query)

    # ---- any call ----

    def call(self, method: str, where: str, body: object = None, media: str = "application/json", **query: str) -> Any:
        """The decoded answer (text, if it isn't JSON). Raises ApiError for a refusal, OSError without an answer."""
        data = None if body is None else json.dumps(body).encode()
        target = f"{where}?{urlencode(query)}" if query else where
        with self._lock:
            status, headers, answer = self._exchange(method, target, data, media)
        self.warnings = [_warning_text(value) for value in headers.get_all("Warning", [])]
        is_json = headers.get_content_type() == "application/json"
        decoded = json.loads(answer) if is_json else answer.decode("utf-8", "replace")
        if status >= 400:
            raise ApiError(status, decoded)
        return decoded

    def _object(self, *arguments: Any, **query: str) -> Object:
        answer = self.call(*arguments, **query)
        assert isinstance(answer, dict), answer
        return answer

    def _exchange(
        self, method: str, target: str, data: bytes | None, media: str
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        if time.monotonic() - self._used > _IDLE_SECONDS:
            self._drop()
        if self._connection is None:
            where = urlsplit(self.server)
            assert where.hostname
            self._connection = http.client.HTTPSConnection(
                where.hostname, where.port, context=self._context, timeout=60
            )
        try:
            self._connection.putrequest(method, target)
            for name, value in self._headers:  # not a dict: a group may be named several times
                self._connection.putheader(name, value)
            if data is not None:
                self._connection.putheader("Content-Type", media)
                self._connection.putheader("Content-Length", str(len(data)))
            self._connection.endheaders(data)
            response = self._connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._drop()
            raise error if isinstance(error, OSError) else ConnectionError(repr(error)) from error
        self._used = time.monotonic()
        return response.status, response.headers, answer

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def path(kind: Kind, namespace: str | None = None, name: str = "", subresource: str = "") -> str:
    """The path of a resource, of its objects in a namespace, of one of them, or of a subresource of that."""
    root = f"/apis/{kind.api_version}" if "/" in kind.api_version else f"/api/{kind.api_version}"
    within = ("namespaces", namespace) if namespace else ()
    return "/".join([root, *within, kind.plural, *filter(None, (name, subresource))])


def _whose(body: Mapping[str, Any], namespace: str | None) -> tuple[Kind, str | None, str]:
    metadata = body.get("metadata", {})
    kind = KINDS[body["apiVersion"], body["kind"]]
    return kind, namespace or metadata.get("namespace"), metadata.get("name", "")


def _strict(query: dict[str, str]) -> dict[str, str]:
    """Strict validation as in kubectl: an unknown field is refused."""
    return {"fieldValidation": "Strict", **query}


def _warning_text(header: str) -> str:
    """`299 - "text"`, with what is quoted in it."""
    text = header.split(" ", 2)[2].strip()
    return text[1:-1].replace('\\"', '"').replace("\\\\", "\\")
