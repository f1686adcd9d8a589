"""ClusterClient I/O over a state folder: the module in which local mode differs from the operator."""

from linplane_api.kinds import CONFIG_MAP, DEPLOYMENT, JOB, Kind, kind_of

from ..cluster_client import ConflictError, NameTakenError
from ..compile.adoption import APPLIED_OVER, is_orphan, owner_of
from ..compile.missing_features import MISSING_FEATURES
from ..compile.objects import Object, controller_uid, meta, name_of, uid_of
from ..runtime.write_log import log_write
from .console_events import Line, Notify
from .store import Store

KEPT = (CONFIG_MAP, JOB, DEPLOYMENT)
"""The children that mean something here; Services, accounts, roles and budgets do not."""


class LocalClient:
    """`ClusterClient` for local mode. Everything is at hand, so nothing here waits; there is one namespace."""

    def __init__(self, store: Store, url: str, notify: Notify) -> None:
        """`url` is where the server answers."""
        self._store = store
        self._url = url
        self._notify = notify

    async def read(self, kind: Kind, namespace: str, name: str) -> Object | None:  # noqa: ARG002
        """The object as it is."""
        return self._store.get(kind, name)

    async def refusals(self, namespace: str) -> dict[str, str]:  # noqa: ARG002
        """None: there are no pods."""
        return {}

    async def create(self, body: Object) -> Object:
        """Raises ConflictError where it exists."""
        return self._create(kind_of(body), body)

    async def apply(self, body: Object) -> Object:
        """Creates what is absent, sets what is ours. Raises NameTakenError for what is somebody else's."""
        kind = kind_of(body)
        if kind not in KEPT:
            return body
        before = self._store.get(kind, name_of(body))
        if before is None:
            return self._create(kind, body)
        await self.check(body)
        if before.get("immutable") or (kind is CONFIG_MAP and "data" in body and not body["data"]):
            return before
        status = {"status": before["status"]} if "status" in before else {}
        return self._update("apply", kind, before, {**body, **status})

    async def check(self, body: Object) -> None:
        """Of the children that mean something here."""
        kind = kind_of(body)
        before = self._store.get(kind, name_of(body)) if kind in KEPT else None
        if before is None or controller_uid(before) == controller_uid(body):
            return
        if kind not in APPLIED_OVER or not is_orphan(before, body):
            raise NameTakenError(owner_of(body), f"{kind.kind} {name_of(body)}")

    async def replace(self, body: Object, seen: Object, cause: str = "") -> Object:  # noqa: ARG002
        """Compare and swap. Raises ConflictError where it is not what was seen."""
        kind = kind_of(body)
        before = self._store.get(kind, name_of(body))
        same = ("uid", "resourceVersion")
        if before is None or any(meta(before)[key] != meta(seen)[key] for key in same):
            raise ConflictError(f"{kind.kind} {name_of(body)} has changed meanwhile")
        return self._update("patch", kind, before, body)

    async def write_status(self, kind: Kind, seen: Object, status: Object) -> None:
        """Sets the status of that very object."""
        before = self._store.get(kind, name_of(seen))
        if before is not None and uid_of(before) == uid_of(seen):
            self._update("apply", kind, before, {**before, "status": status})

    async def delete(self, kind: Kind, seen: Object, *, unchanged: bool = False) -> None:
        """Deletes that very object and what it owns. Raises ConflictError if it has changed."""
        before = self._store.get(kind, name_of(seen))
        if unchanged and before is not None and meta(before)["resourceVersion"] != meta(seen)["resourceVersion"]:
            raise ConflictError(f"{kind.kind} {name_of(seen)} has changed meanwhile")
        if before is not None and uid_of(before) == uid_of(seen):
            self._store.delete(kind, seen)
            log_write("delete", kind, before, before)

    def _create(self, kind: Kind, body: Object) -> Object:
        after = self._store.create(kind, body)
        log_write("create", kind, None, after)
        return after

    def _update(self, verb: str, kind: Kind, before: Object, body: Object) -> Object:
        after = self._store.update(kind, before, body)
        if after is not before:
            log_write(verb, kind, before, after)
        return after

    def event(self, about: Object, *, warning: bool, reason: str, message: str) -> None:  # noqa: ARG002
        """Of features that callers do not send; of all else `story` tells by the objects themselves."""
        if reason == MISSING_FEATURES:
            self._notify(Line("warning", f"route {name_of(about)}: {message}", "warning"))

    def url_of(self, route: Object) -> str:
        """The route by path, which needs no name resolution."""
        return f"{self._url}/routes/{name_of(route)}"
