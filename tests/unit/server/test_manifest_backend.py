"""Local mode's backend: objects are read from the state folder, changed in the manifest."""

import errno
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from linplane_api.conditions import ConditionType
from linplane_api.manifests.manifest import ManifestError
from linplane_server.admin import manifest_backend
from linplane_server.admin.manifest_backend import ManifestBackend
from linplane_server.errors import Conflict, Forbidden, NotFound, PreconditionFailed, Refused

MANIFEST = """\
# ours
apiVersion: linplane.dev/v1alpha1
kind: ModelRoute
metadata: {name: r}
spec:
  model: homes   # the
  version: v1
  split:
  # a tenth
  - {version: v2, percent: 10}
  - {version: v3, percent: 5}
---
kind: LinearModel
metadata: {name: homes-v1}
spec: {frozen: true, model: homes, version: v1}
"""


class State:
    """A state folder with one route and one version, both from one manifest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = folder / "homes.yaml"
        self.manifest.write_text(MANIFEST)
        self.write("modelroutes", "r", {"model": "homes", "version": "v1"})
        self.write("linearmodels", "homes-v1", {"model": "homes", "version": "v1", "frozen": True})

    def write(self, folder: str, name: str, spec: dict[str, Any], generation: int = 3, **more: Any) -> None:
        metadata = {
            "name": name,
            "generation": generation,
            "annotations": {"linplane.dev/manifest": str(self.manifest)},
        }
        condition = {"type": "Ready", "status": "True", "reason": "Ready", "observedGeneration": generation}
        status = {"observedGeneration": generation, "conditions": [condition], "sequence": 7}
        body = {"apiVersion": "linplane.dev/v1alpha1", "metadata": metadata, "spec": spec, "status": status} | more
        path = self.folder / "objects" / folder / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(body))

    def problems(self, *messages: str, file: Path | None = None) -> None:
        listed = [
            {"file": str(file or self.manifest.relative_to(self.folder)), "line": 3, "field": "spec", "message": m}
            for m in messages
        ]
        (self.folder / "problems.json").write_text(json.dumps(listed))

    def resources(self) -> ManifestBackend:
        return ManifestBackend(self.folder)

    def unchanged(self) -> bool:
        return self.manifest.read_text() == MANIFEST


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path)


async def test_objects_are_read_as_they_are(state: State) -> None:
    route = await state.resources().route("r")
    assert (route.name, route.model, route.version, route.generation, route.frozen) == ("r", "homes", "v1", 3, False)
    assert route.holds(ConditionType.READY)
    version = await state.resources().version("homes", "v1")
    assert (version.name, version.frozen) == ("homes-v1", True)


@pytest.mark.parametrize("name", ["absent", "../linearmodels/homes-v1", "", "R", "a\n"])
async def test_route_with_an_invalid_or_unknown_name_is_not_found(state: State, name: str) -> None:
    with pytest.raises(NotFound):
        await state.resources().route(name)


@pytest.mark.parametrize(("model", "version"), [("homes", "v9"), ("..", "v1"), ("homes", "../v1"), ("a/b", "v1")])
async def test_version_with_an_invalid_or_unknown_name_is_not_found(state: State, model: str, version: str) -> None:
    with pytest.raises(NotFound):
        await state.resources().version(model, version)


async def test_manifest_is_changed_in_one_field(state: State) -> None:
    resources = state.resources()
    await resources.switch(await resources.route("r"), "v4")
    await resources.freeze(await resources.version("homes", "v1"), frozen=False)
    expected = MANIFEST.replace("  version: v1\n", "  version: v4\n").replace("frozen: true", "frozen: false")
    assert state.manifest.read_text() == expected


async def test_candidate_that_is_switched_to_leaves_the_split_by_the_same_write(state: State) -> None:
    await state.resources().switch(await state.resources().route("r"), "v2")
    promoted = MANIFEST.replace("  version: v1\n", "  version: v2\n").replace("  - {version: v2, percent: 10}\n", "")
    assert state.manifest.read_text() == promoted


async def test_change_that_is_refused_is_reverted_as_a_whole(state: State) -> None:
    change = await state.resources().switch(await state.resources().route("r"), "v2")
    state.problems("spec: is not allowed on Sundays")
    assert await change.refusal() == "spec: is not allowed on Sundays"
    assert state.unchanged()


async def test_object_that_changed_meanwhile_is_a_conflict(state: State) -> None:
    resources = state.resources()
    route = await resources.route("r")
    state.write("modelroutes", "r", {"model": "homes", "version": "v1"}, generation=4)
    with pytest.raises(Conflict, match="changed meanwhile"):
        await resources.switch(route, "v2")
    assert state.unchanged()


async def test_if_match_changes_the_state_that_was_read_or_none(state: State) -> None:
    """Even a status that was written meanwhile is another state."""
    resources = state.resources()
    found = await resources.route("r")
    route = msgspec.structs.replace(found, exact=True, resource_version="11")
    with pytest.raises(PreconditionFailed):
        await resources.switch(route, "v2")
    assert state.unchanged()
    await resources.switch(msgspec.structs.replace(found, exact=True), "v2")
    assert not state.unchanged()


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (
            PermissionError(errno.EACCES, "Permission denied"),
            Forbidden,
            "homes.yaml cannot be changed: Permission denied",
        ),
        (OSError(errno.EROFS, "Read-only file system"), Forbidden, "Read-only file system"),
        (OSError(errno.ENOSPC, "No space left on device"), Conflict, "No space left on device"),
        (ManifestError("edit the file by hand", 3), Refused, "edit the file by hand"),
    ],
)
async def test_manifest_that_cannot_be_changed_has_a_reason(
    state: State, error: Exception, kind: type[Exception], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*edits: object) -> None:
        raise error

    monkeypatch.setattr(manifest_backend, "edit_object", fail)
    resources = state.resources()
    with pytest.raises(kind, match=text):
        await resources.switch(await resources.route("r"), "v2")


async def test_object_without_a_manifest_is_a_conflict(state: State) -> None:
    state.write("modelroutes", "r", {"model": "homes", "version": "v1"}, metadata={"name": "r", "generation": 1})
    resources = state.resources()
    with pytest.raises(Conflict, match="manifest"):
        await resources.switch(await resources.route("r"), "v2")


async def test_problem_refuses_a_change_only_if_it_is_new_and_of_that_file(state: State) -> None:
    state.problems("an old one")
    resources = state.resources()
    change = await resources.switch(await resources.route("r"), "v2")
    assert await change.refusal() is None
    state.problems("a new one", file=Path("other.yaml"))
    assert await change.refusal() is None
    state.problems("an old one", "spec.version: no such version")
    assert await change.refusal() == "spec.version: no such version"
    (state.folder / "problems.json").write_text("{")
    assert await change.refusal() is None


async def test_object_that_is_damaged_is_a_conflict(state: State) -> None:
    (state.folder / "objects/modelroutes/r.json").write_text("{")
    with pytest.raises(Conflict, match="cannot be read"):
        await state.resources().route("r")
