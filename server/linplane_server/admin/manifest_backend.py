"""Local mode's backend: reads the objects that local mode writes to its state folder, and changes their manifests.

`STATE/objects/linearmodels/NAME.json` and `STATE/objects/modelroutes/NAME.json` are objects as in Kubernetes, replaced
atomically; an annotation names the manifest of each. `STATE/problems.json` lists the parts of manifests that were not
accepted.
"""

import asyncio
import contextlib
import errno
from collections.abc import Callable
from pathlib import Path

import msgspec

from linplane_api.manifests.manifest import Edit, ManifestError, RemoveItem, SetField, edit_object
from linplane_api.names import ANNOTATION_MANIFEST, model_object_name

from ..errors import Conflict, Forbidden, NotFound, PreconditionFailed, Refused
from .backend import ObjectState
from .names import is_model, is_route, is_version
from .object_view import Object, parse_object, state_of

_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


class _Problem(msgspec.Struct, frozen=True):
    file: str
    message: str
    line: int | None = None
    field: str | None = None


class _FileChange:
    """A change of a manifest. A problem that the file did not have before refuses the change, which is then reverted:
    the file must not be left in a state that local mode does not accept.
    """

    def __init__(
        self, folder: "ManifestBackend", manifest: Path, before: set[_Problem], undo: Callable[[], None]
    ) -> None:
        self._folder = folder
        self._manifest = manifest
        self._before = before
        self._undo = undo
        self.audit = {"manifest": manifest.name}

    async def refusal(self) -> str | None:
        """See `Change`."""
        new = self._folder.problems(self._manifest) - self._before
        if new:
            with contextlib.suppress(OSError, ManifestError):  # a person may have edited it since
                await asyncio.to_thread(self._undo)
        return min((problem.message for problem in new), default=None)


class ManifestBackend:
    """An `AdminBackend` over files. It makes one change at a time."""

    interval = 0.02

    def __init__(self, state: Path) -> None:
        """`state` is the state folder of local mode."""
        self._state = state
        self._lock = asyncio.Lock()

    async def route(self, name: str) -> ObjectState:
        """See `AdminBackend`."""
        return state_of(self._read("modelroutes", name, f"there is no route {name}"))

    async def version(self, model: str, version: str) -> ObjectState:
        """See `AdminBackend`."""
        if not (is_model(model) and is_version(version)):
            raise NotFound("NotFound", "there is no such version")
        name = model_object_name(model, version)
        return state_of(self._read("linearmodels", name, f"there is no version {name}"))

    async def switch(self, route: ObjectState, version: str) -> _FileChange:
        """See `AdminBackend`."""
        switched = SetField(("spec", "version"), version), RemoveItem(("spec", "split"), "version", version)
        return await self._change("modelroutes", "ModelRoute", route, *switched)

    async def freeze(self, version: ObjectState, *, frozen: bool) -> _FileChange:
        """See `AdminBackend`."""
        return await self._change("linearmodels", "LinearModel", version, SetField(("spec", "frozen"), frozen))

    async def close(self) -> None:
        """Does nothing: no connection is open."""

    def problems(self, manifest: Path) -> set[_Problem]:
        """Returns the current problems of this manifest."""
        try:
            listed = msgspec.json.decode((self._state / "problems.json").read_bytes(), type=list[_Problem])
        except (OSError, msgspec.MsgspecError):
            return set()
        return {problem for problem in listed if _is_of(problem, manifest)}

    async def _change(self, folder: str, kind: str, read: ObjectState, *edits: Edit) -> _FileChange:
        async with self._lock:
            found = self._read(folder, read.name, f"{read.name} is gone")
            if read.exact and found.metadata.resource_version != read.resource_version:
                raise PreconditionFailed("Changed", f"{read.name} was changed meanwhile")
            if found.metadata.generation != read.generation:
                raise Conflict("Conflict", f"{read.name} was changed meanwhile; try again")
            manifest = Path(found.metadata.annotations.get(ANNOTATION_MANIFEST, ""))
            if not manifest.is_absolute():
                raise Conflict("NoManifest", f"{read.name} was not read from a manifest")
            before = self.problems(manifest)
            try:
                undo = await asyncio.to_thread(edit_object, manifest, kind, read.name, *edits)
            except OSError as error:
                raise _unwritable(manifest, error) from error
            except ManifestError as error:
                raise Refused("Manifest", str(error)) from error
            return _FileChange(self, manifest, before, undo)

    def _read(self, folder: str, name: str, absent: str) -> Object:
        if not is_route(name) and folder == "modelroutes":
            raise NotFound("NotFound", "there is no such route")
        try:
            return parse_object((self._state / "objects" / folder / f"{name}.json").read_bytes())
        except FileNotFoundError as error:
            raise NotFound("NotFound", absent) from error
        except (OSError, msgspec.MsgspecError) as error:
            raise Conflict("Unreadable", f"the state of {name} cannot be read: {type(error).__name__}") from error


def _is_of(problem: _Problem, manifest: Path) -> bool:
    """Matches a problem's file, which is relative to the folder of manifests."""
    parts = Path(problem.file).parts
    return bool(parts) and manifest.parts[-len(parts) :] == parts


def _unwritable(manifest: Path, error: OSError) -> Forbidden | Conflict:
    detail = f"{manifest.name} cannot be changed: {error.strerror or type(error).__name__}"
    return Forbidden("ReadOnly", detail) if error.errno in _DENIED else Conflict("NotWritten", detail)
