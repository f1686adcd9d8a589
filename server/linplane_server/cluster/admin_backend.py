"""Admin calls in a cluster: `kubectl patch` for people with curl, with the caller's own token.

The API server judges, its audit log names the caller, and its answer is handed on. A token is held as long as the
call lasts, goes to the API server alone, and is never shown.
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
from .connection import Answer, Request, Session

ELSEWHERE = (
    "admin calls are taken on loopback only, so that no token crosses the network in the clear: "
    "use kubectl port-forward, or kubectl patch"
)
FIELD_MANAGER = "linplane-admin"
FAILURES = 5
"""Tokens that the API server refused, or gave no answer about, in a second; with more it is not asked."""
SECONDS = 5.0
"""For one request."""
ATTEMPTS = 5
"""Patches, where only somebody else's part of the object changed meanwhile."""

_is_bearer = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +[A-Za-z0-9._~+/-]{1,8192}=*").fullmatch


class ClusterBackends:
    """Makes each caller's access out of its Authorization header. `clock` gives seconds that never go back."""

    def __init__(self, access: ApiAccess, store: SnapshotStore, clock: Callable[[], float]) -> None:
        """`store` knows the model of a route that the caller may change but not read."""
        self._access = access
        self._store = store
        self._bucket = TokenBucket(FAILURES, FAILURES, clock)

    def __call__(self, authorization: str | None) -> "ClusterBackend":
        """Raises Unauthenticated or Throttled; the API server is not asked for either."""
        if authorization is None or not _is_bearer(authorization):
            raise Unauthenticated("NoToken", "a bearer token is needed, as `kubectl create token` makes one")
        wait = self._bucket.take()
        if wait:
            raise Throttled("TooManyFailures", "too many calls failed; try again later", max(1, round(wait)))
        return ClusterBackend(self._access, authorization, self._store, self._bucket.give_back)


class _Written:
    """A change that the API server has taken: it was judged before."""

    def __init__(self, answer: Answer, resource_version: str) -> None:
        self.audit = {"fieldManager": FIELD_MANAGER, "resourceVersion": resource_version}
        if "audit-id" in answer.headers:
            self.audit["auditID"] = answer.headers["audit-id"]

    async def refusal(self) -> None:
        """See `Change`."""
        return


class ClusterBackend:
    """One call's access; see `AdminBackend`. `admitted` is called once, when the API server has let the token in."""

    interval = 0.05

    def __init__(
        self, access: ApiAccess, authorization: str, store: SnapshotStore, admitted: Callable[[], None]
    ) -> None:
        """Connects with the first request."""
        self._access = access
        self._authorization = authorization
        self._store = store
        self._admitted: Callable[[], None] | None = admitted
        self._session = Session(access)

    async def route(self, name: str) -> ObjectState:
        """See `AdminBackend`. One that the caller may not read is known from what this server serves."""
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
        """See `AdminBackend`. A merge patch replaces a list as a whole."""
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
        """Patches the object as it was read. Where its status alone has changed since, it is read and patched again,
        unless it was to be exactly that.
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
            answer = await self._ask(request)
        except BackendUnavailable as error:
            raise BackendUnavailable(error.reason, f"{error.detail}; the change may have been made") from error
        return _Written(answer, _parsed(answer).resource_version)

    async def _get(self, kind: Kind, name: str) -> ObjectState:
        return _parsed(await self._ask(Request("GET", self._path(kind, name), self._authorization)))

    def _path(self, kind: Kind, name: str) -> str:
        if kind is MODEL_ROUTE and not is_route(name):
            raise NotFound("NotFound", "there is no such route")
        return object_path(kind, self._access.namespace, name)

    async def _ask(self, request: Request) -> Answer:
        try:
            answer = await self._session.send(request, SECONDS)
        except ApiError as error:
            if error.status not in {0, 401}:
                self._let_in()
            raise _refusal_of(error) from error
        self._let_in()
        return answer

    def _let_in(self) -> None:
        if self._admitted is not None:
            self._admitted()
            self._admitted = None


def _parsed(answer: Answer) -> ObjectState:
    try:
        return state_of(parse_object(answer.body))
    except msgspec.MsgspecError as error:
        raise BackendUnavailable("ApiServer", "the API server sent what is not understood") from error


_REFUSALS: dict[int, type[AdminRefusal]] = {
    400: Refused,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    422: Refused,
}


def _refusal_of(error: ApiError) -> AdminRefusal:
    """The API server's answer, as it is handed on."""
    if error.status == 429:
        return Throttled(error.reason, error.message, max(1, error.retry_after))
    return _REFUSALS.get(error.status, BackendUnavailable)(error.reason, error.message)
