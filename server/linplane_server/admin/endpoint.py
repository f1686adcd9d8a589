"""Admin calls over HTTP: checks access, then the parameters, then makes the call; each call is one line of the audit
log.
"""

import logging
import re
from collections.abc import Callable
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ..errors import AdminRefusal, NotFound, Refused
from ..problems import CONTENT_TYPE, refusal_problem
from ..state.snapshot_store import SnapshotStore
from . import calls
from .access import Access
from .backend import AdminBackend
from .names import is_route, is_version

Connect = Callable[[str | None], AdminBackend]
"""Returns a caller's backend, by its Authorization header. Raises AdminRefusal."""

_CALLS = {"switch_model": calls.switch, "freeze": calls.freeze, "unfreeze": calls.unfreeze}

LISTED = 20
"""Maximum number of routes in a message."""

_is_tags = re.compile(r'(W/)?"[!#-~]{1,64}"([ \t]*,[ \t]*(W/)?"[!#-~]{1,64}"){0,15}').fullmatch
_strong = re.compile(r'(?<!W/)"([!#-~]+)"').findall

_audit = logging.getLogger("linplane_server.audit")


class AdminEndpoint:
    """Answers admin calls. `connect` None: admin calls are off."""

    def __init__(
        self, access: Access, connect: Connect | None, store: SnapshotStore, timeout: float = calls.TIMEOUT
    ) -> None:
        """`store` has the loaded routes; a call waits `timeout` seconds for its effect."""
        self._timeout = timeout
        self._access = access
        self._connect = connect
        self._store = store

    async def __call__(self, name: str, request: Request) -> Response:
        """Returns the response to one call."""
        peer = request.client.host if request.client else ""
        line: dict[str, object] = {"action": name, "peer": peer}
        try:
            self._admit(peer, request)
            response = await self._act(name, request, line)
        except AdminRefusal as refusal:
            line["reason"] = refusal.reason
            response = _response(refusal)
        if response.status_code != 429:
            _audit.info("admin call", extra=line | {"status": response.status_code})
        return response

    def _admit(self, peer: str, request: Request) -> None:
        denied = self._access.check(peer, request.scope["headers"])
        if denied is not None:
            raise denied

    async def _act(self, name: str, request: Request, line: dict[str, object]) -> Response:
        if self._connect is None:
            raise NotFound("Off", "admin calls are off: this server was started without resources to change")
        route, version = self._parameters(request.scope["query_string"])
        line |= {"route": route, "version": version}
        match = resource_versions(request.headers.getlist("if-match"))
        backend = self._connect(request.headers.get("authorization"))
        try:
            features, timeout = self._store.features, self._timeout
            outcome = await _CALLS[name](calls.Call(backend, route, version, features, match, timeout))
        finally:
            await backend.close()
        body = msgspec.to_builtins(outcome.body)
        line |= {key: body[key] for key in ("from", "to", "frozen") if key in body}
        line |= outcome.audit
        return Response(msgspec.json.encode(outcome.body), 200 if outcome.done else 202, media_type="application/json")

    def _parameters(self, query: bytes) -> tuple[str, str]:
        """Returns route and version, validated before any use."""
        pairs = (
            parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=10)
            if query.count(b"&") < 9
            else []
        )
        values = dict(pairs)
        if len(values) != len(pairs) or set(values) - {"route", "version"}:
            raise Refused("Parameter", "route and version are the parameters, each at most once")
        if not is_version(values.get("version", "")):
            raise Refused(
                "Parameter",
                "version is needed, such as v2, not its object's name: lower-case letters, digits, dots, at most 32",
            )
        single = self._store.snapshot.single
        route = values.get("route") or (single.name if single else "")
        if not route:
            raise Refused("Parameter", _which_route(sorted(self._store.snapshot.routes)))
        if not is_route(route):
            raise Refused("Parameter", "route must be a DNS label")
        return route, values["version"]


def _which_route(routes: list[str]) -> str:
    """Returns the detail for a call without a route; it names the first LISTED routes."""
    more = f" and {len(routes) - LISTED} more" if len(routes) > LISTED else ""
    return f"say which route: {', '.join(routes[:LISTED])}{more}" if routes else "no route is loaded"


def resource_versions(fields: list[str]) -> frozenset[str] | None:
    """Parses `If-Match` (RFC 9110), whose entity tags are resourceVersions; None: any. Weak tags match nothing. Raises
    Refused.
    """
    tags = ",".join(fields).strip()
    if not fields or tags == "*":
        return None
    if not _is_tags(tags):
        raise Refused("Parameter", 'If-Match is a resourceVersion in quotes, as "12345", or *')
    return frozenset(strong for strong in _strong(tags) if strong)


def _response(refusal: AdminRefusal) -> Response:
    status, more, body = refusal_problem(refusal)
    headers = {name.decode(): value.decode() for name, value in more}
    return Response(body, status, headers, media_type=CONTENT_TYPE)
