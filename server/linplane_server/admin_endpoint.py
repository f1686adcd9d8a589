"""Admin calls over HTTP: access first, then the parameters, then the call; each makes one line of the audit log."""

import logging
from collections.abc import Callable
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from . import admin_calls
from .access import Access
from .labels import is_route, is_version
from .problems import CONTENT_TYPE, problem
from .registry import Registry
from .resources import AdminRefusal, Resources

Connect = Callable[[str | None], Resources]
"""A caller's access to the resources, by its Authorization header. Raises AdminRefusal."""

_STATUSES = {
    "unauthenticated": 401,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "refused": 422,
    "throttled": 429,
    "unavailable": 503,
}
_TITLES = {
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    409: "Conflict",
    422: "Refused",
    429: "Too many requests",
    503: "No answer from the API server",
}
_CALLS = {"switch_model": admin_calls.switch, "freeze": admin_calls.freeze, "unfreeze": admin_calls.unfreeze}

_audit = logging.getLogger("linplane_server.audit")


class _Answer(Exception):  # noqa: N818 - an early answer
    def __init__(self, status: int, reason: str, detail: str, retry_after: int = 0) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.detail = detail
        self.retry_after = retry_after


class AdminEndpoint:
    """See the module. `connect` None: this process has nothing that admin calls could act on."""

    def __init__(self, access: Access, connect: Connect | None, registry: Registry) -> None:
        """`registry` says which route is meant where there is just one."""
        self._access = access
        self._connect = connect
        self._registry = registry

    async def __call__(self, name: str, request: Request) -> Response:
        """The answer of one call."""
        peer = request.client.host if request.client else ""
        line: dict[str, object] = {"action": name, "peer": peer}
        try:
            self._admit(peer, request)
            response = await self._act(name, request, line)
        except _Answer as answer:
            line["reason"] = answer.reason
            response = _problem(answer.status, answer.reason, answer.detail, answer.retry_after)
        except AdminRefusal as refusal:
            line["reason"] = refusal.reason
            response = _problem(_STATUSES[refusal.kind], refusal.reason, refusal.detail, refusal.retry_after)
        if response.status_code != 429:
            _audit.info("admin call", extra=line | {"status": response.status_code})
        return response

    def _admit(self, peer: str, request: Request) -> None:
        denied = self._access.judge(peer, request.scope["headers"])
        if denied is not None:
            raise _Answer(denied.status, "Denied", denied.detail, denied.retry_after)

    async def _act(self, name: str, request: Request, line: dict[str, object]) -> Response:
        if self._connect is None:
            raise _Answer(404, "Off", "admin calls are off: this server was started without resources to change")
        route, version = self._parameters(request.scope["query_string"])
        line |= {"route": route, "version": version}
        resources = self._connect(request.headers.get("authorization"))
        try:
            outcome = await _CALLS[name](resources, route, version)
        finally:
            await resources.close()
        line |= {key: outcome.body[key] for key in ("from", "to", "frozen") if key in outcome.body}
        line |= outcome.audit
        return Response(msgspec.json.encode(outcome.body), 200 if outcome.done else 202, media_type="application/json")

    def _parameters(self, query: bytes) -> tuple[str, str]:
        """Route and version, checked as labels before anything is made of them."""
        pairs = (
            parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=10)
            if query.count(b"&") < 9
            else []
        )
        given = dict(pairs)
        if len(given) != len(pairs) or set(given) - {"route", "version"}:
            raise _Answer(422, "Parameter", "route and version are the parameters, each at most once")
        if not is_version(given.get("version", "")):
            raise _Answer(422, "Parameter", "version is needed: lower-case letters, digits and dots, at most 32")
        single = self._registry.snapshot.single
        route = given.get("route") or (single.name if single else "")
        if not route:
            raise _Answer(422, "Parameter", f"route is needed: {len(self._registry.snapshot.routes)} are loaded")
        if not is_route(route):
            raise _Answer(422, "Parameter", "route must be a DNS label")
        return route, given["version"]


def _problem(status: int, reason: str, detail: str, retry_after: int) -> Response:
    headers = {"retry-after": str(retry_after)} if retry_after else {}
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    body = problem(status, "admin", _TITLES[status], detail, reason=reason)
    return Response(body, status, headers, media_type=CONTENT_TYPE)
