"""No mistake in a file or around the folder deletes what was accepted."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from linplane_api.kinds import LINEAR_MODEL, MODEL_ROUTE
from linplane_api.manifests.manifest import read_documents
from unit.local.builders import config_map, model, route
from unit.local.watching import Folder

ROUTE = """\
apiVersion: linplane.dev/v1alpha1
kind: ModelRoute
metadata:
  name: rent
spec:
  model: rent
  version: v1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder whose file `route.yaml` holds a route that was accepted."""
    one = Folder(tmp_path)
    one.write("route.yaml", ROUTE)
    assert one.names == ["rent"]
    return one


MISTAKES = {
    "a wrong letter in kind": ROUTE.replace("ModelRoute", "Modelroute"),
    "another kind of the group": ROUTE.replace("ModelRoute", "LinearModle"),
    "a key with a capital": ROUTE.replace("kind:", "Kind:"),
    "no kind": ROUTE.replace("kind: ModelRoute\n", ""),
    "no apiVersion": ROUTE.replace("apiVersion: linplane.dev/v1alpha1\n", ""),
    "another version": ROUTE.replace("v1alpha1", "v1"),
    "another group": ROUTE.replace("linplane.dev", "linplan.dev"),
    "no metadata": ROUTE.replace("metadata:\n  name: rent\n", ""),
    "metadata without a name": ROUTE.replace("  name:", "  Name:"),
    "a name that is a number": ROUTE.replace("name: rent", "name: 7"),
    "a name with a capital": ROUTE.replace("name: rent", "name: Rent"),
    "a name that is empty": ROUTE.replace("name: rent", "name:"),
    "a name that is written halfway": ROUTE[: ROUTE.index("nt\nspec")],
    "half of the file": ROUTE[: ROUTE.index("  version")],
    "an unknown field": ROUTE + "  colour: red\n",
    "a field that lacks": ROUTE.replace("  version: v1\n", ""),
    "a syntax error": ROUTE + "\t: [",
    "marks of a merge": f"<<<<<<< HEAD\n{ROUTE}=======\n{ROUTE}>>>>>>> main\n",
    "a key that stands twice": ROUTE + "spec: {}\n",
    "a list": f"- {ROUTE.strip()}".replace("\n", "\n  "),
    "text": "not a manifest",
    "bytes that are not UTF-8": ROUTE.encode() + b"\xff",
    "a kind of the core group that does not exist": "apiVersion: v1\nkind: Configmap\nmetadata: {name: rent}\n",
    "an object of another program without a name": "apiVersion: v1\nkind: Service\n",
    "a List without items": "apiVersion: v1\nkind: List\nmetadata: {name: rent}\n",
    "a List whose items are null": "apiVersion: v1\nkind: List\nmetadata: {name: rent}\nitems:\n",
    "a List whose items are misspelt": "apiVersion: v1\nkind: List\nmetadata: {name: rent}\nitmes: []\n",
    "a List in a List": "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: List, items: []}\n",
    "another kind of another group": ROUTE.replace("linplane.dev", "linplan.dev").replace("ModelRoute", "ModelRout"),
    "a kind like ours of another group": ROUTE.replace("linplane.dev", "example.com").replace("Route", "Rotue"),
    "another kind of a group like ours": ROUTE.replace("linplane.dev", "linplane.io").replace("ModelRoute", "Route"),
    "nothing": "",
    "a comment": "# nothing\n",
    "documents with nothing in them": "---\n---\n",
}


@pytest.mark.parametrize("text", MISTAKES.values(), ids=list(MISTAKES))
def test_mistake_in_a_file_deletes_nothing_and_is_reported(folder: Folder, text: str | bytes) -> None:
    before = folder.store.all(MODEL_ROUTE)[0]
    folder.write("route.yaml", text)
    assert folder.store.all(MODEL_ROUTE) == [before]
    assert folder.printed.words("deleted") == []
    assert any("route.yaml:" in printed for printed in folder.printed.words("refused")), folder.printed.words()
    assert "ModelRoute rent stays as accepted before" in folder.problems[0] or "spec" in folder.problems[0]
    folder.write("route.yaml", ROUTE)
    assert folder.problems == []
    assert folder.store.all(MODEL_ROUTE) == [before]


def test_file_accepted_without_the_object_deletes_it(folder: Folder) -> None:
    folder.write("route.yaml", ROUTE.replace("name: rent", "name: flat"))
    assert folder.printed.words("deleted") == ["ModelRoute rent"]
    assert folder.problems == []


@pytest.mark.parametrize("restarted", [False, True])
def test_empty_file_says_how_to_delete_its_objects(folder: Folder, tmp_path: Path, restarted: bool) -> None:
    (folder.path / "marker.yaml").write_text(yaml.safe_dump(route("flat")))
    if restarted:
        (folder.path / "route.yaml").write_text("")
        folder = Folder(tmp_path)
        folder.look()
    folder.write("route.yaml", "")
    text = "is empty: delete the file to delete what it held; ModelRoute rent stays as accepted before"
    assert folder.problems == [f"route.yaml:1: {text}"]
    folder.remove("route.yaml")
    folder.look(10)
    assert folder.printed.words("deleted") == ["ModelRoute rent"]
    assert folder.problems == []


def test_empty_file_whose_objects_moved_is_no_mistake(folder: Folder) -> None:
    folder.write("route.yaml", "")
    folder.write("moved.yaml", ROUTE)
    assert folder.problems == folder.printed.words("deleted") == []
    folder.write("new.yaml", "# nothing yet\n")
    assert folder.problems == []


@pytest.mark.parametrize("last", [config_map("homes-data"), route("homes-data")], ids=lambda one: one["kind"])
def test_file_that_ends_within_a_name_deletes_nothing(folder: Folder, last: dict[str, Any]) -> None:
    """The name is last if the keys are sorted, and in a ConfigMap whose data would follow."""
    ordered = {key: last[key] for key in sorted(last, key="metadata".__eq__)}
    text = yaml.safe_dump_all([route("flat"), ordered], sort_keys=False)
    folder.write("all.yaml", text)
    folder.write("all.yaml", text.removesuffix("ata\n"))
    assert folder.printed.words("deleted") == []
    line = text.count("\n")
    assert folder.problems[0].startswith(f"all.yaml:{line}: metadata.name: the file ends within this line, ")
    assert folder.problems[0].endswith(f"{last['kind']} homes-data stays as accepted before")
    folder.write("all.yaml", text)
    assert folder.problems == []
    assert folder.printed.words("deleted") == [f"{last['kind']} homes-d"]
    folder.write("all.yaml", text.replace("homes-data", "homes"))
    assert folder.printed.words("deleted")[1:] == [f"{last['kind']} homes-data"]


def test_object_is_kept_until_the_file_is_complete(folder: Folder) -> None:
    """As kubectl, which prunes nothing after an error."""
    folder.save("all.yaml", model("flat-v1"), route("flat"), route("house"))
    folder.write("all.yaml", yaml.safe_dump_all([route("flat"), {**route("house"), "spec": {}}]))
    assert "flat-v1" in folder.names
    assert folder.problems[0].endswith("LinearModel flat-v1 stays as accepted before")
    folder.write("all.yaml", yaml.safe_dump_all([route("flat"), route("house")]))
    assert folder.printed.words("deleted") == ["LinearModel flat-v1"]


def test_kept_objects_are_counted_if_many(folder: Folder) -> None:
    folder.save("all.yaml", *(route(f"r{number}") for number in range(9)))
    folder.write("all.yaml", "kind: [")
    assert folder.problems[0].endswith("ModelRoute r0, ModelRoute r1, ModelRoute r2, 6 more stay as accepted before")


def test_object_moved_out_of_a_broken_file_is_accepted(folder: Folder) -> None:
    folder.save("all.yaml", route("flat"))
    folder.write("all.yaml", "apiVersion: linplane.dev/v1alpha1\nkind: ModleRoute\nmetadata: {name: flat}\n")
    folder.write("flat.yaml", yaml.safe_dump(route("flat", version="v2")))
    (changed,) = [one for one in folder.store.all(MODEL_ROUTE) if one["metadata"]["name"] == "flat"]
    assert changed["spec"]["version"] == "v2"
    assert folder.printed.words("deleted") == []


def test_objects_of_other_programs_are_no_mistake(folder: Folder) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}
    (folder.path / "kustomization.yaml").write_text(
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
    )
    folder.save("a.yaml", service, route("flat"))
    folder.save("b.yaml", service)
    folder.write("a.yaml", yaml.safe_dump(service))
    assert folder.problems == []
    assert folder.printed.words("deleted") == ["ModelRoute flat"]


def test_artifact_files_get_a_hint_each(folder: Folder) -> None:
    for name in ("a", "b"):
        (folder.path / f"{name}.json").write_text(json.dumps({"coefficients": {"x": 1}, "intercept": 0}))
    folder.look()
    hint = "an artifact goes into a ConfigMap that spec.weights names"
    assert [text.partition("; ")[2] for text in folder.problems] == [hint, hint]


HELD = yaml.safe_dump_all([config_map(), model(), route()], sort_keys=False)
TEXTS = st.sampled_from(["", "x", "\n", "---\n", ": ", "  ", '"', "7", "{", "]", "A", "null", "#", "- ", "kind", "v1"])


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """The file with a few pieces replaced."""
    text = HELD
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        text = text[:start] + draw(TEXTS) + text[start + draw(st.sampled_from([0, 0, 1, 2, 9, 60, 10_000])) :]
    return text


@given(mutated())
@settings(max_examples=100, deadline=None)
def test_object_is_deleted_only_by_a_file_that_is_understood(tmp_path_factory, text: str) -> None:  # type: ignore[no-untyped-def]
    folder = Folder(tmp_path_factory.mktemp("mutated"))
    folder.write("all.yaml", HELD)
    folder.write("all.yaml", text)
    left = [
        key
        for key in (("ConfigMap", "rows"), ("LinearModel", "rent-v1"), ("ModelRoute", "rent"))
        if key[1] not in folder.names
    ]
    if left:
        documents = read_documents(text)  # or it raises, and the test fails
        named = [(d.body["kind"], d.body["metadata"]["name"]) for d in documents]
        assert not set(left) & set(named)
        assert all(isinstance(part, str) for key in named for part in key)
        assert folder.problems == []


# ---- the folder ----


def holds_everything(folder: Folder) -> bool:
    """After a while in which what is absent would leave."""
    folder.look()
    folder.look(10)
    return folder.names == ["rent"] and folder.printed.words("deleted") == []


def test_folder_replaced_by_an_empty_one_keeps_everything(folder: Folder, tmp_path: Path) -> None:
    """As when a volume is unmounted, or a program makes the folder again that was moved away."""
    folder.path.rename(tmp_path / "away")
    folder.path.mkdir()
    assert holds_everything(folder)
    text = "the folder is not the one from before, and no file in it holds an object; all of it stays as it was"
    assert folder.problems == [f"{folder.path}:1: {text}"]
    (folder.path / "route.yaml").write_text("kind: [")
    assert holds_everything(folder)
    (folder.path / "empty.yaml").write_text("# nothing\n")
    assert holds_everything(folder)
    folder.path.rename(tmp_path / "empty")
    (tmp_path / "away").rename(folder.path)
    assert holds_everything(folder)
    assert folder.problems == []


def test_folder_that_comes_back_empty_keeps_everything(folder: Folder) -> None:
    shutil.rmtree(folder.path)
    assert holds_everything(folder)
    folder.path.mkdir()
    assert holds_everything(folder)
    folder.write("other.yaml", yaml.safe_dump(route("flat")))
    assert folder.names == ["flat"]


def test_empty_folder_at_the_start_keeps_everything(folder: Folder, tmp_path: Path) -> None:
    (folder.path / "route.yaml").unlink()
    again = Folder(tmp_path)
    assert holds_everything(again)
    assert "no file in it holds an object" in again.problems[0]


def test_folder_emptied_by_the_user_deletes_everything(folder: Folder) -> None:
    folder.remove("route.yaml")
    folder.look(10)
    assert folder.names == []


def test_swapped_link_deploys(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        (tmp_path / f"release-{number}").mkdir()
        body = route(version=f"v{number}")
        (tmp_path / f"release-{number}" / "all.yaml").write_text(yaml.safe_dump_all([body, route(f"only-{number}")]))
    (tmp_path / "manifests").symlink_to("release-1")
    folder = Folder(tmp_path)
    folder.look()
    for number in (2, 3):
        (tmp_path / "next").symlink_to(f"release-{number}")
        (tmp_path / "next").replace(tmp_path / "manifests")
        shutil.rmtree(tmp_path / f"release-{number - 1}")
        folder.look()
        folder.look(10)
        assert folder.names == [f"only-{number}", "rent"]
        assert folder.store.all(MODEL_ROUTE)[1]["spec"]["version"] == f"v{number}"
    assert folder.printed.words("refused") == []


def test_folder_that_is_not_readable_keeps_everything(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refused)  # root could read it
    assert holds_everything(folder)
    assert "Permission denied" in folder.problems[0]


def test_column_accepted_without_quotes_stays(folder: Folder) -> None:
    """An earlier version took y for text; kubectl never did."""
    training = {"data": {"uri": "file:///rows.csv"}, "target": "y"}
    unquoted = yaml.safe_dump(model(training=training))
    folder.write("model.yaml", unquoted.replace("target: y", 'target: "y"'))
    before = folder.store.get(LINEAR_MODEL, "rent-v1")
    assert before is not None
    folder.write("model.yaml", unquoted)
    assert folder.store.get(LINEAR_MODEL, "rent-v1") == before
    (problem,) = folder.problems
    assert problem.endswith('spec.training.target: y is a boolean in YAML: write "y"')
