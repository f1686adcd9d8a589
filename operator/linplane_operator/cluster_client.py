"""The interface to all I/O: what the reconcilers ask of the cache. A Kubernetes API or a folder of manifests stands
behind it.
"""

from collections.abc import Mapping
from typing import Protocol

from linplane_api.kinds import Kind

from .compile.adoption import taken_text
from .compile.objects import Object


class ConflictError(Exception):
    """A write met something else than it expected: a newer state, or an object where none was."""


class NameTakenError(Exception):
    """Objects that are not ours have the names of children: they were not touched, and waiting may not help."""

    def __init__(self, owner: str, *taken: str) -> None:
        """`owner`: whose children (`ModelRoute homes`), empty if nothing controls them. `taken`: `Service homes`."""
        super().__init__(taken_text(owner, taken))
        self.owner = owner
        self.taken = taken


class RefusedError(Exception):
    """The API server does not take an object as it is asked for (a rule, a quota, a right): in its words. Waiting may
    not help.
    """


class ContestedError(Exception):
    """Another process of this operator has written back what this one wrote: the write waits for some `seconds`."""

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(f"{what} is written by another operator, too; the next write waits {seconds:g} s")
        self.seconds = seconds


class NamespaceTerminatingError(Exception):
    """The namespace is being deleted: nothing can be made in it any more, and what is in it goes by itself."""


class ClusterClient(Protocol):
    """All writes, and the one read that decides (a live GET before something is taken away).

    Every write that succeeds is in the ObjectCache when it returns or soon after, and what is there already costs
    nothing; each raises OSError where the other side is away.
    """

    async def read(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """The object as it is now, not as it was last seen."""

    async def refusals(self, namespace: str) -> Mapping[str, str]:
        """By UID of each Job that was refused a pod: in which words, the last time."""

    async def create(self, body: Object) -> Object:
        """Makes an object. Raises ConflictError where one of that name exists, RefusedError as `apply`."""

    async def apply(self, body: Object) -> Object:
        """Makes the object, or sets these fields if its controller is the same, by UID, or if it has lost its owner
        (see `compile.adoption`). Raises NameTakenError if it belongs to another, RefusedError if it is not taken.
        """

    async def check(self, body: Object) -> None:
        """Raises NameTakenError as `apply` would; changes nothing."""

    async def replace(self, body: Object, seen: Object, cause: str = "") -> Object:
        """Sets the object if it is still `seen`, by UID and resourceVersion. `cause`: what it was made of; of the same
        cause it is not written again and again. Raises ConflictError else, RefusedError as `apply`, ContestedError.
        """

    async def write_status(self, kind: Kind, seen: Object, status: Object) -> None:
        """Sets the whole status of an object, if it is still the same one by UID; one that is gone is no error. Raises
        ContestedError.
        """

    async def delete(self, kind: Kind, seen: Object, *, unchanged: bool = False) -> None:
        """Deletes that very object, by UID, and with `unchanged` only if it still has the resourceVersion of `seen`;
        one that is gone already is no error. Raises ConflictError if it has changed.
        """

    def event(self, about: Object, *, warning: bool, reason: str, message: str) -> None:
        """Tells people of a change. Never fails."""

    def url_of(self, route: Object) -> str:
        """Where a route answers, empty where that is not known."""
