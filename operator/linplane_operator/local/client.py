"""LocalClient: the ClusterClient over the store of a state folder."""

from linplane_api.kinds import CONFIG_MAP, DEPLOYMENT, JOB, Kind, kind_of

from ..cluster_client import ConflictError, NameTakenError
from ..compile.adoption import APPLIED_OVER, is_orphan, owner_of
from ..compile.missing_features import MISSING_FEATURES
from ..compile.objects import Object, controller_uid, meta, name_of, uid_of
from ..runtime.write_log import log_write
from .console_events import Line, Notify
from .store import Store

STORED = (CONFIG_MAP, JOB, DEPLOYMENT)
"""The children that are stored; Services, ServiceAccounts, RBAC and PodDisruptionBudgets have no effect here."""


class LocalClient:
    """`ClusterClient` for local mode, with one namespace. No call waits."""

    def __init__(self, store: Store, url: str, notify: Notify) -> None:
        """`url` is the server's address."""
        self._store = store
        self._url = url
        self._notify = notify

    async def read(self, kind: Kind, namespace: str, name: str) -> Object | None:  # noqa: ARG002
        """The stored object."""
        return self._store.get(kind, name)

    async def pod_failures(self, namespace: str) -> dict[str, str]:  # noqa: ARG002
        """None, as no pods are created."""
        return {}

    async def create(self, body: Object) -> Object:
        """Raises ConflictError if it exists."""
        return self._create(kind_of(body), body)

    async def apply(self, body: Object) -> Object:
        """Creates or updates a child. Raises NameTakenError if it has another owner."""
        kind = kind_of(body)
        if kind not in STORED:
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
        """Checks the children that are stored."""
        kind = kind_of(body)
        before = self._store.get(kind, name_of(body)) if kind in STORED else None
        if before is None or controller_uid(before) == controller_uid(body):
            return
        if kind not in APPLIED_OVER or not is_orphan(before, body):
            raise NameTakenError(owner_of(body), f"{kind.kind} {name_of(body)}")

    async def replace(self, body: Object, seen: Object, cause: str = "") -> Object:  # noqa: ARG002
        """Compare and swap. Raises ConflictError if the object is not `seen` any more."""
        kind = kind_of(body)
        before = self._store.get(kind, name_of(body))
        same = ("uid", "resourceVersion")
        if before is None or any(meta(before)[key] != meta(seen)[key] for key in same):
            raise ConflictError(f"{kind.kind} {name_of(body)} has changed meanwhile")
        return self._update("patch", kind, before, body)

    async def write_status(self, kind: Kind, seen: Object, status: Object) -> None:
        """Sets the status of the object with that UID."""
        before = self._store.get(kind, name_of(seen))
        if before is not None and uid_of(before) == uid_of(seen):
            self._update("apply", kind, before, {**before, "status": status})

    async def delete(self, kind: Kind, seen: Object, *, unchanged: bool = False) -> None:
        """Deletes the object with that UID and what it owns. Raises ConflictError if it has changed."""
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
        """Prints missing features; `console_events` derives all other lines from the objects."""
        if reason == MISSING_FEATURES:
            self._notify(Line("warning", f"route {name_of(about)}: {message}", "warning"))

    def url_of(self, route: Object) -> str:
        """The route by its path, which needs no name resolution."""
        return f"{self._url}/routes/{name_of(route)}"
