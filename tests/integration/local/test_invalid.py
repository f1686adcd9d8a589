"""Each file of manifests/invalid is refused in local mode, naming file, field and rule; so is each change that is."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from integration.local.running import Local
from linplane_api.task import SyntheticData, Task
from linplane_trainer.train import train
from support import eventually
from unit.api.objects import INVALID, refusal


def iris() -> str:
    """Weights that pass every gate of these manifests: they bring the figures of a training."""
    data = SyntheticData(samples=50, feature_count=2, noise=0.1)
    artifact = train(Task(model="iris", version="v1", data=data), Path()).artifact
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "iris"}}
    text = artifact.to_file("2026-01-01T00:00:00Z").decode()
    return yaml.safe_dump({**body, "data": {"model.json": text}})


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    """One loop for all of them."""
    root = tmp_path_factory.mktemp("invalid")
    (root / "manifests").mkdir()
    local = Local(root / "manifests", root / "state")
    local.save("iris.yaml", iris())
    local.start()
    yield local
    local.end()
    assert "Traceback" not in local.text, local.text


@pytest.fixture
def empty(running: Local) -> Iterator[Local]:
    """The loop with nothing but iris.yaml before and after."""
    yield running
    clear(running)


def clear(local: Local) -> None:
    """Deletes what a test saved."""
    for path in local.folder.glob("case*.yaml"):
        path.unlink()
    kinds = [local.state / "objects" / kind for kind in ("linearmodels", "modelroutes", "modelservers")]
    eventually(lambda: not [path for kind in kinds for path in kind.glob("*.json") if path.stem != "default"])
    eventually(lambda: local.problems() == [])


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_invalid_manifest_is_refused_with_file_field_and_rule(empty: Local, path: Path) -> None:
    wrong = refusal(path)
    name = f"case-{path.stem}.yaml"
    if wrong.old is not None:
        _take_up(empty, name, wrong.old)
    empty.save(name, path.read_text() if wrong.old is None else _text(empty, wrong.new))
    found = [p for p in eventually(empty.problems) if p["file"] == name]
    assert any(p["field"] == wrong.field and wrong.is_told(p["message"]) for p in found), found
    lines = (empty.folder / name).read_text().splitlines()
    assert all(1 <= p["line"] <= len(lines) for p in found)
    eventually(lambda: any(f"{name}:" in line for line in empty.printed("refused")))


def _text(local: Local, body: dict[str, object]) -> str:
    """Training data comes from a file that is there."""
    rows = local.state / "iris.csv"
    rows.write_text("length,width\n" + "".join(f"{i},{i * i}\n" for i in range(20)))
    return yaml.safe_dump(body).replace("https://example.com/iris.csv", f"file://{rows}")


def _take_up(local: Local, name: str, old: dict[str, object]) -> None:
    """The object before the change, as it really comes to be what its status says."""
    status = old.pop("status", None)
    local.save(name, _text(local, old))
    plural = f"{str(old['kind']).lower()}s"
    metadata = old["metadata"]
    assert isinstance(metadata, dict)
    eventually(lambda: local.object(plural, metadata["name"]))
    if status is not None:  # every one of these is trained
        eventually(lambda: local.is_ready(plural, metadata["name"]))


def test_invalid_manifests_do_not_affect_others(empty: Local) -> None:
    for path in INVALID:
        empty.save(f"case-{path.name}", path.read_text())
    names = {f"case-{path.name}" for path in INVALID}
    eventually(lambda: {problem["file"] for problem in empty.problems()} == names, 20)
