"""The interface to all I/O of the reconcilers, and its errors. `kube.cluster` implements it for an API server,
`local.client` for a folder of manifests.
"""

from collections.abc import Mapping
from typing import Protocol

from linplane_api.kinds import Kind

from .compile.adoption import taken_text
from .compile.objects import Object


class ConflictError(Exception):
    """The object was newer than expected, or existed already."""


class NameTakenError(Exception):
    """Foreign objects have the names of children. They were not changed; a retry alone may not help."""

    def __init__(self, owner: str, *taken: str) -> None:
        """`owner` of the children, such as `ModelRoute homes`, empty without one. `taken`, such as `Service homes`."""
        super().__init__(taken_text(owner, taken))
        self.owner = owner
        self.taken = taken


class RefusedError(Exception):
    """The API server refused an object (validation, quota, permission). A retry alone may not help."""


class ContestedError(Exception):
    """Another operator process reverted the same write: the next one has to wait `seconds`."""

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(f"{what} is written by another operator as well; the next write waits {seconds:g} s")
        self.seconds = seconds


class NamespaceTerminatingError(Exception):
    """The namespace is being deleted: nothing can be created in it, and its objects are deleted by Kubernetes."""


class ClusterClient(Protocol):
    """All writes, and live reads before something is deleted.

    A successful write is in the ObjectCache when the call returns or soon after; one that would change nothing makes no
    call. Each method raises OSError if the API server cannot be reached or the disk fails.
    """

    async def read(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """The live object, None if it does not exist."""

    async def pod_failures(self, namespace: str) -> Mapping[str, str]:
        """By UID of each Job whose pod creation failed: the last message."""

    async def create(self, body: Object) -> Object:
        """Creates an object. Raises ConflictError if the name exists, RefusedError as `apply`."""

    async def apply(self, body: Object) -> Object:
        """Creates the object, or sets these fields if its controller has the same UID or it is an orphan (see
        `compile.adoption`). Raises NameTakenError if it has another owner, RefusedError if the API server refuses it.
        """

    async def check(self, body: Object) -> None:
        """Raises NameTakenError if `apply` would; changes nothing."""

    async def replace(self, body: Object, seen: Object, cause: str = "") -> Object:
        """Sets the object if UID and resourceVersion are still those of `seen`, else raises ConflictError. `cause`
        identifies the input of the write: a repeated write with the same cause may raise ContestedError. Raises
        RefusedError as `apply`.
        """

    async def write_status(self, kind: Kind, seen: Object, status: Object) -> None:
        """Sets the whole status of the object with the UID of `seen`, if it still exists. Raises ContestedError."""

    async def delete(self, kind: Kind, seen: Object, *, unchanged: bool = False) -> None:
        """Deletes the object with the UID of `seen`, if it still exists; with `unchanged`, raises ConflictError if its
        resourceVersion differs.
        """

    def event(self, about: Object, *, warning: bool, reason: str, message: str) -> None:
        """Records an Event for users. Never fails."""

    def url_of(self, route: Object) -> str:
        """The URL of a route, empty if it is not known."""
