"""KubeClient: the ClusterClient over a Kubernetes API server."""

import logging
import time
from collections.abc import Callable
from typing import Any

from linplane_api import names
from linplane_api.api_access import MERGE_PATCH, ApiError, object_path
from linplane_api.kinds import Kind, kind_of

from ..cluster_client import ConflictError, ContestedError, NameTakenError
from ..compile.adoption import APPLIED_OVER, is_orphan, owner_of
from ..compile.objects import Object, controller_uid, label_of, meta, name_of, uid_of
from ..observe.cache import ObjectCache, key_of
from ..runtime.write_log import log_write
from .drift import difference, merge_patch, stamped
from .event_recorder import failed_creates
from .http import HttpClient
from .informer import Informer
from .live_objects import LiveObjects, WriteRefusedError
from .watched_kinds import UNWATCHED
from .write_conflicts import WriteConflicts

log = logging.getLogger(__name__)

LEFT_SECONDS = 300.0
"""How long a difference is left alone that a write did not remove, for example because an admission webhook sets the
field.
"""

RecordEvent = Callable[[Object, bool, str, str], None]
"""Records an Event: about, warning, reason, message."""


class KubeClient:
    """`ClusterClient` for Kubernetes. The answer to a write is in the cache at once, so the next reconcile sees it."""

    def __init__(  # noqa: PLR0913 - its collaborators
        self,
        client: HttpClient,
        cache: ObjectCache,
        record_event: RecordEvent,
        informer: Informer,
        clock: Callable[[], float] = time.monotonic,
        *,
        conflicts: WriteConflicts | None = None,
        requeue_after: Callable[[Object, float], None] = lambda *_: None,
    ) -> None:
        """`informer` puts the answers into the cache; `clock` is monotonic, in seconds; `requeue_after` is called with
        a child whose write has to wait, and the seconds.
        """
        self._client = client
        self._cache = cache
        self._record_event = record_event
        self._live = LiveObjects(client, cache, informer)
        self._clock = clock
        self._conflicts = conflicts or WriteConflicts(clock)
        self._requeue_after = requeue_after
        self._left: dict[str, tuple[float, Object]] = {}  # by UID: since when, and the patch that had no effect

    async def read(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """A live GET; the result is put into the cache."""
        return await self._live.read(kind, namespace, name)

    async def pod_failures(self, namespace: str) -> dict[str, str]:
        """From the FailedCreate Events of the Job controller."""
        return await failed_creates(self._client, namespace)

    async def create(self, body: Object) -> Object:
        """Raises ConflictError if it exists."""
        return await self._create(kind_of(body), body)

    async def apply(self, body: Object) -> Object:
        """Server-side apply, if the object differs. Raises NameTakenError if the object has another controller, and
        RefusedError if the API server refuses it.
        """
        kind, desired = kind_of(body), stamped(body)
        namespace, name = key_of(body)
        found = self._cache.get(kind, namespace, name)
        if found is None and kind in UNWATCHED:
            found = await self._live.read(kind, namespace, name)
        if found is None:
            try:
                return await self._create(kind, desired)
            except ConflictError:
                found = await self._live.read(kind, namespace, name)
                if found is None:
                    raise
        if not _is_ours(found, body):
            return await self._claim(body)
        if found.get("immutable"):
            return found
        missing = difference(desired, found)
        if not missing or self._is_left(uid_of(found), missing):
            return found
        return await self._repair_in_turn(kind, desired, found)

    async def _repair_in_turn(self, kind: Kind, desired: Object, found: Object) -> Object:
        try:
            await self._wait_for_turn(kind, found, "", desired)
            return await self._repair(kind, desired, found)
        except ContestedError as error:  # the rest of the reconcile goes on
            self._requeue_after(found, error.seconds)
            return found
        except ConflictError:  # changed or deleted meanwhile; some kinds have no watch
            if await self._live.read(kind, *key_of(desired)) is None:
                return await self._create(kind, desired)
            raise

    async def _wait_for_turn(self, kind: Kind, seen: Object, part: str, desired: Any) -> None:
        """Raises ContestedError; see `write_conflicts`."""
        what = uid_of(seen), part
        if not self._conflicts.is_write_back(what, desired, seen):
            return
        wait = self._conflicts.pending(what)
        if wait is None:
            live = await self._live.read(kind, *key_of(seen))
            wait = self._conflicts.check(what, live) if live is not None and uid_of(live) == uid_of(seen) else 0.0
            if wait:
                log.warning("%s", ContestedError(f"{kind.kind} {name_of(seen)}", wait))
        if wait:
            raise ContestedError(f"{kind.kind} {name_of(seen)}", wait)

    async def _claim(self, body: Object) -> Object:
        """Reads the object live: the cached one is not ours, and no watch reports the deletion of a foreign object."""
        kind, desired = kind_of(body), stamped(body)
        found = await self._live.read(kind, *key_of(body))
        if found is None:
            return await self._create(kind, desired)
        if _is_ours(found, body):
            return await self.apply(body)
        if not await self._may_adopt(found, body):
            raise NameTakenError(owner_of(body), f"{kind.kind} {name_of(body)}")
        return await self._repair(kind, desired, found, resourceVersion=meta(found)["resourceVersion"])

    async def _create(self, kind: Kind, body: Object) -> Object:
        answer = await self._live.create(kind, body)
        self._conflicts.wrote((uid_of(answer), ""), body, answer)
        return answer

    async def check(self, body: Object) -> None:
        """Reads the object live, unless the cached one is ours."""
        kind = kind_of(body)
        found = self._cache.get(kind, *key_of(body))
        if found is None or not _is_ours(found, body):
            found = await self._live.read(kind, *key_of(body))
        if found is not None and not _is_ours(found, body) and not await self._may_adopt(found, body):
            raise NameTakenError(owner_of(body), f"{kind.kind} {name_of(body)}")

    async def _may_adopt(self, found: Object, body: Object) -> bool:
        """True for an orphan whose desired owner exists and is not being deleted."""
        return kind_of(body) in APPLIED_OVER and is_orphan(found, body) and await self._live.has_owner(body)

    async def _repair(self, kind: Kind, desired: Object, found: Object, **same: str) -> Object:
        """Applies; a merge patch then removes the fields that other clients added, which an apply keeps. A difference
        that remains is left alone for LEFT_SECONDS. `same`: more metadata that the object must still have. Its UID
        makes the apply a conflict if the object is gone; without it, the apply would create it.
        """
        uid, path = uid_of(found), object_path(kind, *key_of(desired))
        try:
            answer = await self._live.write(kind, path, {**desired, "metadata": {**meta(desired), "uid": uid, **same}})
        except WriteRefusedError as error:  # may be invalid only together with the fields of other clients
            if error.status != 422:
                raise
            answer = found
        if rest := difference(desired, answer):
            same = {key: meta(answer)[key] for key in ("uid", "resourceVersion")}
            patch = {**rest, "metadata": {**(rest.get("metadata") or {}), **same}}
            answer = await self._live.write(kind, path, patch, MERGE_PATCH)
            rest = difference(desired, answer)
        self._remember(uid, rest)
        self._conflicts.wrote((uid, ""), desired, answer)
        return answer

    def _is_left(self, what: str, missing: Object) -> bool:
        """True if the same patch had no effect less than LEFT_SECONDS ago."""
        since, left = self._left.get(what, (0.0, {}))
        return left == missing and self._clock() - since < LEFT_SECONDS

    def _remember(self, what: str, left: Object) -> None:
        now = self._clock()
        self._left = {k: entry for k, entry in self._left.items() if k != what and now - entry[0] < LEFT_SECONDS}
        if left:
            self._left[what] = now, left

    async def replace(self, body: Object, seen: Object, cause: str = "") -> Object:
        """Compare and swap by UID and resourceVersion. Raises ConflictError if the object is not `seen` any more."""
        kind, desired = kind_of(body), cause or [body.get("data"), body.get("immutable")]
        await self._wait_for_turn(kind, seen, "", desired)
        patch = merge_patch(body, seen, ("data", "immutable"))
        patch["metadata"] = {key: meta(seen)[key] for key in ("uid", "resourceVersion")}
        patch["metadata"] |= merge_patch(meta(body), meta(seen), ("ownerReferences",))
        try:
            answer = await self._live.write(kind, object_path(kind, *key_of(body)), patch, MERGE_PATCH)
        except ConflictError:
            await self._live.read(kind, *key_of(body))  # so that the retry starts from the current object
            raise
        self._conflicts.wrote((uid_of(seen), ""), desired, answer)
        return answer

    async def write_status(self, kind: Kind, seen: Object, status: Object) -> None:
        """Sets the whole status by server-side apply, which removes fields of ours that are left out; a merge patch
        removes fields of other clients.
        """
        namespace, name = key_of(seen)
        body = {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "metadata": {"name": name, "namespace": namespace, "uid": uid_of(seen)},
            "status": status,
        }
        path, left = object_path(kind, namespace, name, "status"), f"{uid_of(seen)}/status"
        await self._wait_for_turn(kind, seen, "status", status)
        try:
            answer = await self._live.write(kind, path, body)
            added = merge_patch(body, answer, ("status",))
            if added and not self._is_left(left, added):
                same = {key: meta(answer)[key] for key in ("uid", "resourceVersion")}
                answer = await self._live.write(kind, path, {**added, "metadata": same}, MERGE_PATCH)
                self._remember(left, merge_patch(body, answer, ("status",)))
            self._conflicts.wrote((uid_of(seen), "status"), status, answer)
        except ApiError as error:
            if error.status != 404:
                raise
        except ConflictError:
            if await self._live.is_still(kind, seen):
                raise

    async def delete(self, kind: Kind, seen: Object, *, unchanged: bool = False) -> None:
        """Deletes the object of that UID; the garbage collector deletes what it owns."""
        same = ("uid", "resourceVersion") if unchanged else ("uid",)
        options = {"propagationPolicy": "Background", "preconditions": {key: meta(seen)[key] for key in same}}
        try:
            await self._client.call("DELETE", object_path(kind, *key_of(seen)), body=options)
            log_write("delete", kind, seen, seen)
        except ApiError as error:
            if error.status == 409 and await self._live.is_still(kind, seen):
                raise ConflictError(f"{kind.kind} {name_of(seen)}: {error.message}") from error
            if error.status not in (404, 409):
                raise

    def event(self, about: Object, *, warning: bool, reason: str, message: str) -> None:
        """Queues an Event."""
        self._record_event(about, warning, reason, message)

    def url_of(self, route: Object) -> str:
        """The route's Service."""
        namespace, name = key_of(route)
        return f"http://{name}.{namespace}"

    def forget_unwatched(self) -> None:
        """Drops unwatched kinds from the cache, so their next use reads them live."""
        for kind in UNWATCHED:
            for body in self._cache.all(kind):
                self._cache.drop(kind, *key_of(body))


def _is_ours(found: Object, body: Object) -> bool:
    """True if the controller is the same; children without a controller are identified by the managed-by label."""
    if controller_uid(found) != controller_uid(body):
        return False
    return bool(controller_uid(body)) or label_of(found, names.LABEL_MANAGED_BY) == names.APP
