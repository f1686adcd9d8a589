"""Saving applies, deleting deletes, a problem disturbs nothing else: over a folder with a clock that stands still."""

import json
from pathlib import Path

import pytest
import yaml

from linplane_api.kinds import JOB, LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER
from linplane_operator.local.manifests import GONE_SECONDS
from unit.local.builders import body, config_map, model, owned, route
from unit.local.watching import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An empty folder."""
    return Folder(tmp_path)


def test_saving_a_file_creates_and_changes_objects_with_defaults(folder: Folder) -> None:
    folder.save("all.yaml", model(), route(), config_map())
    made = folder.store.get(MODEL_ROUTE, "rent")
    assert made is not None
    assert made["spec"]["serverName"] == "default"
    assert made["metadata"]["annotations"] == {"linplane.dev/manifest": str(folder.path / "all.yaml")}
    folder.save("all.yaml", model(), route(version="v2"), config_map())
    changed = folder.store.get(MODEL_ROUTE, "rent")
    assert changed is not None
    assert (changed["spec"]["version"], changed["metadata"]["generation"]) == ("v2", 2)
    assert folder.printed.words() == ["applied all.yaml: 3 created", "applied all.yaml: 1 changed"]


def test_many_changed_files_are_one_line(folder: Folder) -> None:
    for number in range(6):
        (folder.path / f"{number}.yaml").write_text(yaml.safe_dump(route(f"rent-{number}")))
    folder.look()
    assert folder.printed.words() == ["applied 6 files: 6 created"]


def test_saving_the_same_again_writes_nothing(folder: Folder) -> None:
    folder.save("all.yaml", model(), route())
    writes = len(folder.changes)
    folder.save("all.yaml", model(), route())
    folder.look()
    assert len(folder.changes) == writes
    assert len(folder.printed.lines) == 1


def test_status_in_a_manifest_is_ignored(folder: Folder) -> None:
    folder.save("all.yaml", {**model(), "status": {"digest": "sha256:" + "0" * 64}})
    stored = folder.store.get(LINEAR_MODEL, "rent-v1")
    assert stored is not None
    assert stored["status"] == {"observedGeneration": 0}
    folder.store.update(LINEAR_MODEL, stored, {**stored, "status": {"digest": "sha256:" + "1" * 64}})
    folder.save("all.yaml", {**model(frozen=True), "status": {}})
    stored = folder.store.get(LINEAR_MODEL, "rent-v1")
    assert stored is not None
    assert stored["status"] == {"digest": "sha256:" + "1" * 64}
    assert stored["spec"]["frozen"] is True


def test_trained_version_cannot_change(folder: Folder) -> None:
    folder.save("all.yaml", model())
    stored = folder.store.get(LINEAR_MODEL, "rent-v1")
    assert stored is not None
    folder.store.update(LINEAR_MODEL, stored, {**stored, "status": {"digest": "sha256:" + "1" * 64}})
    folder.save("all.yaml", model(training={"data": {"synthetic": {"samples": 10}}}))
    (problem,) = folder.problems
    assert problem.startswith("all.yaml:7: spec.training: cannot change once the version has an artifact")


def test_deleting_a_file_deletes_its_objects_after_a_moment(folder: Folder) -> None:
    folder.save("all.yaml", model(), route())
    folder.remove("all.yaml")
    folder.look(GONE_SECONDS * 0.9)
    assert folder.names == ["rent-v1", "rent"]
    folder.look(GONE_SECONDS * 0.2)
    assert folder.names == []
    assert folder.printed.words("deleted") == ["ModelRoute rent", "LinearModel rent-v1"]


def test_editor_that_deletes_and_rewrites_deletes_nothing(folder: Folder) -> None:
    folder.save("all.yaml", model())
    uid = folder.store.all(LINEAR_MODEL)[0]["metadata"]["uid"]
    folder.remove("all.yaml")
    folder.look(GONE_SECONDS * 0.9)
    folder.save("all.yaml", model())
    folder.look(10)
    assert folder.store.all(LINEAR_MODEL)[0]["metadata"]["uid"] == uid
    folder.remove("all.yaml")
    folder.look(GONE_SECONDS * 0.9)  # counted from zero
    assert folder.names == ["rent-v1"]


def test_file_emptied_for_a_moment_deletes_nothing(folder: Folder) -> None:
    folder.save("all.yaml", model())
    folder.save("all.yaml")
    folder.look(GONE_SECONDS * 0.5)
    folder.save("all.yaml", model())
    folder.look(10)
    assert folder.printed.words("deleted") == []


def test_object_moved_to_another_file_stays_the_same(folder: Folder) -> None:
    folder.save("all.yaml", model(), route())
    uid = folder.store.all(LINEAR_MODEL)[0]["metadata"]["uid"]
    folder.save("all.yaml", route())
    folder.save("z.yaml", model())
    folder.look(10)
    (stored,) = folder.store.all(LINEAR_MODEL)
    assert stored["metadata"]["uid"] == uid
    assert stored["metadata"]["annotations"]["linplane.dev/manifest"].endswith("/z.yaml")
    (folder.path / "z.yaml").rename(folder.path / "a.yaml")
    folder.look()
    folder.look(10)
    (stored,) = folder.store.all(LINEAR_MODEL)
    assert stored["metadata"]["annotations"]["linplane.dev/manifest"].endswith("/a.yaml")
    assert folder.printed.words("refused", "deleted") == []


def test_duplicate_in_two_files_the_previous_file_takes_precedence(folder: Folder) -> None:
    folder.save("m.yaml", route(version="v1"))
    folder.save("a.yaml", route(version="v2"))
    assert folder.problems == [
        "a.yaml:4: metadata.name: ModelRoute rent is also defined in m.yaml:1, which takes precedence"
    ]
    assert folder.store.all(MODEL_ROUTE)[0]["spec"]["version"] == "v1"
    folder.remove("m.yaml")
    folder.look(10)
    assert folder.problems == []
    assert folder.store.all(MODEL_ROUTE)[0]["spec"]["version"] == "v2"
    assert folder.printed.words("deleted") == []


def test_duplicate_in_one_file_is_validated_as_an_update(folder: Folder) -> None:
    folder.save("a.yaml", route(), route())
    assert folder.problems == [
        "a.yaml:12: metadata.name: ModelRoute rent is also defined in a.yaml:1, which takes precedence"
    ]
    folder.save("a.yaml", route(), {**route(), "spec": {"model": "other", "version": "v1"}})
    assert folder.problems == ["a.yaml:14: spec.model: cannot change: make another ModelRoute"]


def test_broken_file_keeps_its_objects_over_a_restart(folder: Folder, tmp_path: Path) -> None:
    folder.save("a.yaml", model())
    (folder.path / "a.yaml").write_text("kind: [")
    folder.look()
    folder.look(10)
    assert folder.names == ["rent-v1"]
    (problem,) = folder.problems
    assert problem == (
        "a.yaml:1: not YAML: expected the node content, but found '<stream end>'; "
        "LinearModel rent-v1 stays as accepted before"
    )
    again = Folder(tmp_path)
    again.look()
    again.look(10)
    assert again.names == ["rent-v1"]


def test_incomplete_file_at_the_start_keeps_its_objects(folder: Folder, tmp_path: Path) -> None:
    folder.save("a.yaml", model())
    again = Folder(tmp_path)
    again.manifests._files._wall = lambda: (folder.path / "a.yaml").stat().st_mtime
    for _ in range(3):
        again.look(10)
        assert not again.manifests.settled
    assert again.names == ["rent-v1"]


def test_folder_that_vanishes_file_by_file_keeps_everything(folder: Folder) -> None:
    folder.save("a.yaml", model())
    folder.remove("a.yaml")
    folder.path.rmdir()
    folder.look()
    folder.look(10)
    assert folder.names == ["rent-v1"]
    (problem,) = folder.problems
    assert problem.endswith("the folder cannot be read (No such file or directory); all of it stays as it was")


def test_restart_with_the_same_manifests_validates_and_writes_nothing(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.save("all.yaml", model(), route(), config_map(), {**body(MODEL_SERVER, "default"), "spec": {"replicas": 2}})
    again = Folder(tmp_path)
    monkeypatch.setattr("linplane_operator.local.manifests.validate", lambda *_: pytest.fail("validated"))
    again.look()
    assert again.changes == []
    assert again.printed.lines == []


@pytest.mark.parametrize(
    "change", [{"labels": {"a": "not a label"}}, {"annotations": {"a": 7}}, {"color": "red"}, {"labels": ["a"]}]
)
def test_metadata_is_validated_even_if_the_rest_is_stored(folder: Folder, change: dict[str, object]) -> None:
    folder.save("a.yaml", route())
    folder.save("a.yaml", {**route(), "metadata": {"name": "rent", **change}})
    (problem,) = folder.problems
    assert "metadata." in problem


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("kind: [1]\napiVersion: linplane.dev/v1alpha1\n", ""),
        ("apiVersion: v1\n", ""),
        ("kind: ModelRoute\napiVersion: linplane.dev/v2\nmetadata: {name: a}\n", "apiVersion"),
        ("kind: Other\napiVersion: linplane.dev/v1alpha1\nmetadata: {name: a}\n", "kind"),
        ("kind: ModelRoute\napiVersion: linplane.dev/v1alpha1\nmetadata: []\n", "metadata"),
        ("kind: ModelRoute\napiVersion: linplane.dev/v1alpha1\nmetadata: {name: 7}\nspec: {}\n", "metadata.name"),
        ("kind: ModelRoute\napiVersion: linplane.dev/v1alpha1\nspec: 7\n", "metadata"),
        ("kind: ConfigMap\napiVersion: v1\nmetadata: ~\n", "metadata.name"),
        ("kind: ConfigMap\napiVersion: v1\nmetadata: {name: linplane-a}\n", "metadata.name"),
        ("kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\ndata: {a: 1}\n", "data.a"),
    ],
)
def test_any_file_content_is_refused_with_a_message(folder: Folder, text: str, field: str) -> None:
    (folder.path / "a.yaml").write_text(text)
    folder.save("b.yaml", route())
    assert field in {problem.field for problem in folder.manifests.problems}
    assert folder.names == ["rent"]


def test_artifact_among_the_manifests_is_recognised(folder: Folder) -> None:
    (folder.path / "rent-v1.json").write_text(json.dumps({"coefficients": {"a": 1}, "intercept": 2}))
    folder.look()
    assert folder.problems[0].endswith("an artifact goes into a ConfigMap that spec.weights names")


def test_problem_and_its_end_are_reported_once(folder: Folder) -> None:
    folder.save("a.yaml", {**route(), "spec": {"model": "rent"}})
    folder.save("b.yaml", model())
    folder.look()
    assert folder.printed.words("refused") == ["a.yaml:5: spec.version: Required value"]
    folder.save("a.yaml", route())
    assert folder.printed.words("accepted") == ["a.yaml"]
    folder.save("c.yaml", {"kind": "A"})
    folder.remove("c.yaml")
    assert folder.printed.words("accepted") == ["a.yaml"]


def test_ignored_fields_and_objects_are_reported_once(folder: Folder) -> None:
    spec = {"training": {**model()["spec"]["training"], "job": {"nodeSelector": {"a": "b"}, "backoffLimit": 1}}}
    server = {**body(MODEL_SERVER, "default"), "spec": {"replicas": 3, "trustedProxies": ["10.0.0.0/8"]}}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}
    for _ in range(2):
        folder.save(
            "a.yaml", model(**spec), server, service, {**route(), "metadata": {"name": "rent", "namespace": "b"}}
        )
        folder.save("b.yaml", body(MODEL_SERVER, "edge", spec={}))
    assert sorted(folder.printed.words("unused")) == [
        "a.yaml: LinearModel rent-v1: spec.training.job.nodeSelector has no effect in local mode",
        "a.yaml: ModelRoute rent: metadata.namespace has no effect in local mode",
        "a.yaml: ModelServer default: spec.replicas has no effect in local mode",
        "a.yaml: v1 Service has no effect in local mode",
        "b.yaml: ModelServer edge: the server default alone runs in local mode",
    ]
    assert folder.problems == []


def test_default_server_is_reset_while_it_has_routes(folder: Folder) -> None:
    folder.save("a.yaml", route())
    folder.save("b.yaml", {**body(MODEL_SERVER, "default"), "spec": {"trustedProxies": ["10.0.0.0/8"]}})
    (before,) = folder.store.all(MODEL_SERVER)
    folder.remove("b.yaml")
    folder.look(10)
    (after,) = folder.store.all(MODEL_SERVER)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["spec"] == {}
    folder.look(10)
    assert folder.printed.words("deleted") == ["ModelServer default"]


def test_saving_again_deletes_failed_jobs_of_the_file(folder: Folder) -> None:
    models = [model(f"rent-v{number}") for number in (1, 2, 3)]
    folder.save("a.yaml", *models)
    for one, state, trained in (
        ("rent-v1", "Failed", "False"),
        ("rent-v2", "Complete", "True"),
        ("rent-v3", "Complete", "False"),
    ):
        owner = folder.store.get(LINEAR_MODEL, one)
        assert owner is not None
        status = {"conditions": [{"type": "Trained", "status": trained}]}
        folder.store.update(LINEAR_MODEL, owner, {**owner, "status": status})
        status = {"conditions": [{"type": state, "status": "True"}]}
        folder.store.create(JOB, body(JOB, f"job-{one}", metadata=owned(owner), status=status))
    folder.save("b.yaml", route())
    assert len(folder.store.all(JOB)) == 3
    folder.save("a.yaml", *models)
    assert [job["metadata"]["name"] for job in folder.store.all(JOB)] == ["job-rent-v2"]


def test_disk_error_is_retried_at_a_later_poll(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("linplane_operator.local.store.write_atomically", full)
        with pytest.raises(OSError, match="No space"):
            folder.save("a.yaml", route())
    folder.look()
    assert folder.names == ["rent"]


def test_immutable_config_map_refuses_a_change(folder: Folder) -> None:
    folder.save("a.yaml", config_map(immutable=True))
    folder.save("a.yaml", config_map(immutable=True, data={"a": "2"}))
    assert folder.problems == ["a.yaml:2: data: Forbidden: field is immutable when `immutable` is set"]
