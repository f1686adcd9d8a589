"""The backend of admin calls in a cluster: patches objects on the API server with the caller's own token, as
`kubectl patch` would.

The API server authorises and validates, its audit log names the caller, and its response is passed on. A token is held
only during the call, sent only to the API server, and never logged.
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec

from linplane_api.api_access import MERGE_PATCH, ApiAccess, ApiError, object_path
from linplane_api.kinds import LINEAR_MODEL, MODEL_ROUTE, Kind
from linplane_api.names import model_object_name
from linplane_api.timing import TokenBucket

from ..admin.backend import ObjectState
from ..admin.names import is_model, is_route, is_version
from ..admin.object_view import parse_object, state_of
from ..errors import (
    AdminRefusal,
    BackendUnavailable,
    Conflict,
    Forbidden,
    NotFound,
    PreconditionFailed,
    Refused,
    Throttled,
    Unauthenticated,
)
from ..state.snapshot_store import SnapshotStore
from .connection import Request, Response, Session

NOT_LOCAL = (
    "admin calls are accepted on loopback only, so that no token crosses the network in the clear: "
    "use kubectl port-forward, or kubectl patch"
)
FIELD_MANAGER = "linplane-admin"
FAILURES = 5
"""Calls per second whose token the API server refused, or did not answer for; further calls are refused unsent."""
REQUEST_SECONDS = 5.0
"""Timeout of one request."""
ATTEMPTS = 5
"""Maximum number of patches, if others keep changing the object's status or metadata."""

_is_bearer = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +[A-Za-z0-9._~+/-]{1,8192}=*").fullmatch


class ClusterBackends:
    """Makes the backend of each caller, from its Authorization header. `clock` is monotonic, in seconds."""

    def __init__(self, access: ApiAccess, store: SnapshotStore, clock: Callable[[], float]) -> None:
        """`store` gives the model of a route that the caller may change but not read."""
        self._access = access
        self._store = store
        self._bucket = TokenBucket(FAILURES, FAILURES, clock)

    def __call__(self, authorization: str | None) -> "ClusterBackend":
        """Raises Unauthenticated or Throttled, without a request to the API server."""
        if authorization is None or not _is_bearer(authorization):
            raise Unauthenticated("NoToken", "a bearer token is needed, as `kubectl create token` creates one")
        wait = self._bucket.acquire()
        if wait:
            raise Throttled("TooManyFailures", "too many calls failed; try again later", max(1, round(wait)))
        return ClusterBackend(self._access, authorization, self._store, self._bucket.give_back)


class _Written:
    """A change that the API server has validated and stored."""

    def __init__(self, response: Response, resource_version: str) -> None:
        self.audit = {"fieldManager": FIELD_MANAGER, "resourceVersion": resource_version}
        if "audit-id" in response.headers:
            self.audit["auditID"] = response.headers["audit-id"]

    async def refusal(self) -> None:
        """Returns None: see the class."""
        return


class ClusterBackend:
    """The `AdminBackend` of one call. `admitted` is called once, when the API server has accepted the token."""

    interval = 0.05

    def __init__(
        self, access: ApiAccess, authorization: str, store: SnapshotStore, admitted: Callable[[], None]
    ) -> None:
        """Connects on the first request."""
        self._access = access
        self._authorization = authorization
        self._store = store
        self._admitted: Callable[[], None] | None = admitted
        self._session = Session(access)

    async def route(self, name: str) -> ObjectState:
        """See `AdminBackend`. A route that the caller may not read is taken from the snapshot in force."""
        try:
            return await self._get(MODEL_ROUTE, name)
        except Forbidden:
            served = self._store.snapshot.routes.get(name)
            if served is None:
                raise
            return ObjectState(name, served.model, served.current_name or "", 0, -1, (), readable=False)

    async def version(self, model: str, version: str) -> ObjectState:
        """See `AdminBackend`."""
        if not (is_model(model) and is_version(version)):
            raise NotFound("NotFound", "there is no such version")
        return await self._get(LINEAR_MODEL, model_object_name(model, version))

    async def switch(self, route: ObjectState, version: str) -> _Written:
        """See `AdminBackend`. The patch contains the whole split, as a merge patch replaces a list."""
        spec: dict[str, Any] = {"version": version}
        rest = [candidate for candidate in route.split if candidate.get("version") != version]
        if len(rest) < len(route.split):
            spec["split"] = rest or None
        return await self._change(MODEL_ROUTE, route, spec)

    async def freeze(self, version: ObjectState, *, frozen: bool) -> _Written:
        """See `AdminBackend`."""
        return await self._change(LINEAR_MODEL, version, {"frozen": frozen})

    async def close(self) -> None:
        """See `AdminBackend`."""
        self._authorization = ""
        self._session.close()

    async def _change(self, kind: Kind, read: ObjectState, spec: dict[str, Any]) -> _Written:
        """Patches the object as it was read. If only its status or metadata changed since, it is read and patched
        again, unless it is to be `exact`.
        """
        now = read
        for _ in range(ATTEMPTS):
            try:
                return await self._patch(kind, now, spec)
            except Conflict as error:
                if read.exact:
                    raise PreconditionFailed("Changed", f"{read.name} was changed meanwhile") from error
                if not read.readable:
                    raise
            now = await self._get(kind, read.name)
            if (now.uid, now.generation) != (read.uid, read.generation):
                break
        raise Conflict("Conflict", f"{read.name} was changed meanwhile; try again")

    async def _patch(self, kind: Kind, read: ObjectState, spec: dict[str, Any]) -> _Written:
        body: dict[str, Any] = {"spec": spec}
        if read.readable:
            body["metadata"] = {"resourceVersion": read.resource_version}
        target = f"{self._path(kind, read.name)}?fieldManager={FIELD_MANAGER}"
        request = Request("PATCH", target, self._authorization, msgspec.json.encode(body), MERGE_PATCH)
        try:
            response = await self._send(request)
        except BackendUnavailable as error:
            raise BackendUnavailable(error.reason, f"{error.detail}; the change may have been made") from error
        return _Written(response, _parsed(response).resource_version)

    async def _get(self, kind: Kind, name: str) -> ObjectState:
        return _parsed(await self._send(Request("GET", self._path(kind, name), self._authorization)))

    def _path(self, kind: Kind, name: str) -> str:
        if kind is MODEL_ROUTE and not is_route(name):
            raise NotFound("NotFound", "there is no such route")
        return object_path(kind, self._access.namespace, name)

    async def _send(self, request: Request) -> Response:
        try:
            response = await self._session.send(request, REQUEST_SECONDS)
        except ApiError as error:
            if error.status not in {0, 401}:
                self._admit()
            raise _refusal_of(error) from error
        self._admit()
        return response

    def _admit(self) -> None:
        if self._admitted is not None:
            self._admitted()
            self._admitted = None


def _parsed(response: Response) -> ObjectState:
    try:
        return state_of(parse_object(response.body))
    except msgspec.MsgspecError as error:
        raise BackendUnavailable("ApiServer", "the API server's response cannot be decoded") from error


_REFUSALS: dict[int, type[AdminRefusal]] = {
    400: Refused,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    422: Refused,
}


def _refusal_of(error: ApiError) -> AdminRefusal:
    """Returns the refusal that passes on the API server's response."""
    if error.status == 429:
        return Throttled(error.reason, error.message, max(1, error.retry_after))
    return _REFUSALS.get(error.status, BackendUnavailable)(error.reason, error.message)
