"""Live reads and writes of single objects over HTTP; each answer goes into the cache."""

from linplane_api import names
from linplane_api.api_access import APPLY_PATCH, ApiError, object_path
from linplane_api.kinds import Kind, kind_of

from ..cluster_client import ConflictError, NamespaceTerminatingError, RefusedError
from ..compile.objects import Object, is_deleting, meta, name_of, owners_of, uid_of
from ..observe.cache import ObjectCache, key_of
from ..runtime.write_log import log_write
from .http import HttpClient
from .informer import Informer, slim

ABSENT = "1"
"""A resourceVersion that no object has any more: an apply with it can only create. A POST would not do: what it sets
stays, even if a later apply leaves it out.
"""

OURS = {"fieldManager": names.FIELD_MANAGER, "force": "true"}


class WriteRefusedError(ApiError, RefusedError):
    """The API server refused a write: 403 or 422."""

    def __str__(self) -> str:
        return self.message or self.reason


class LiveObjects:
    """Maps the API server's errors to those of `cluster_client`."""

    def __init__(self, client: HttpClient, cache: ObjectCache, informer: Informer) -> None:
        self._client = client
        self._cache = cache
        self._informer = informer

    async def read(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """A live GET; the cache is updated, also if the object is gone."""
        known = self._cache.get(kind, namespace, name)  # read before the GET: a newer object may arrive during it
        found = await self._client.get(kind, namespace, name)
        if found is not None:
            self._informer.seen(kind, found)
        elif known is not None:
            self._informer.deleted(kind, known)
        return found

    async def is_still(self, kind: Kind, seen: Object) -> bool:
        """True if the object with that UID still exists."""
        live = await self.read(kind, *key_of(seen))
        return live is not None and uid_of(live) == uid_of(seen)

    async def has_owner(self, body: Object) -> bool:
        """True if the controlling owner exists and is not being deleted, by a live GET: its deletion is reported by
        another watch than the child's, perhaps later.
        """
        for owner in owners_of(body):
            if owner.get("controller"):
                kind = kind_of(owner)
                live = await self._client.get(kind, key_of(body)[0], owner["name"])
                return live is not None and uid_of(live) == owner["uid"] and not is_deleting(live)
        return True

    async def create(self, kind: Kind, body: Object) -> Object:
        """Creates an object. Raises ConflictError if it exists, or was deleted together with its owner."""
        if self._informer.was_deleted(kind, key_of(body)) and not await self.has_owner(body):
            raise ConflictError(f"{kind.kind} {name_of(body)} was deleted with its owner")
        fresh = {**body, "metadata": {**meta(body), "resourceVersion": ABSENT}}
        return await self.write(kind, object_path(kind, *key_of(body)), fresh)

    async def write(self, kind: Kind, path: str, body: Object, content_type: str = APPLY_PATCH) -> Object:
        """Patches or applies. Raises ConflictError, NamespaceTerminatingError, WriteRefusedError, ApiError."""
        query = OURS if content_type == APPLY_PATCH else {"fieldManager": names.FIELD_MANAGER}
        try:
            answer = await self._client.call("PATCH", path, query=query, body=body, content_type=content_type)
        except ApiError as error:
            if error.status == 409:
                raise ConflictError(
                    f"{kind.kind} {name_of(body) or path.rsplit('/', 1)[-1]}: {error.message}"
                ) from error
            if "NamespaceTerminating" in error.causes:
                raise NamespaceTerminatingError(error.message) from error
            if error.status in (403, 422):
                raise WriteRefusedError(error.status, error.reason, error.message) from error
            raise
        is_new = meta(body).get("resourceVersion") == ABSENT
        verb = "create" if is_new else "apply" if content_type == APPLY_PATCH else "patch"
        log_write(verb, kind, self._cache.get(kind, *key_of(answer)), slim(kind, answer))
        self._informer.seen(kind, answer)
        return answer
