"""A mistake must cost neither traffic, nor an artifact, nor the state."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.local.running import Local, route, synthetic, weights
from support import eventually

TRAINED = """\
apiVersion: linplane.dev/v1alpha1
kind: LinearModel
metadata: {{name: rent-v1}}
spec: {{model: rent, version: v1, training: {{data: {{uri: "file://{table}"}}, target: price, holdoutPercent: 0}}}}
"""


def write_rows(table: Path, slope: int) -> None:
    """Rows of another meaning for each slope."""
    table.write_text("area,price\n" + "".join(f"{i},{slope * i + i % 3}\n" for i in range(30)))


def test_version_keeps_its_artifact_over_a_mistake_and_a_deletion(local: Local, tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    write_rows(table, 2)
    manifest = TRAINED.format(table=table)
    local.save("model.yaml", manifest)
    local.save("route.yaml", route("rent", "v1"))
    local.start()
    before = local.answers_with("rent", "v1")
    write_rows(table, -5)
    local.save("model.yaml", manifest.replace("LinearModel", "LinearModle"))
    local.save("route.yaml", route("rent", "v1").replace("ModelRoute", "Modelroute"))
    eventually(lambda: len(local.problems()) == 2)
    local.save("marker.yaml", route("gone", "v1"))
    eventually(lambda: local.object("modelroutes", "gone"))
    (local.folder / "marker.yaml").unlink()
    eventually(lambda: local.printed("deleted") == ["ModelRoute gone"])  # whatever was to leave has left by now
    assert local.predict("rent", local.row("rent", "v1"))["prediction"] == before["prediction"]
    assert {p["message"].partition("; ")[2] for p in local.problems()} == {
        "LinearModel rent-v1 stays as accepted before",
        "ModelRoute rent stays as accepted before",
    }
    local.save("model.yaml", manifest)
    local.save("route.yaml", route("rent", "v1"))
    eventually(lambda: local.problems() == [])
    (local.folder / "model.yaml").unlink()
    eventually(lambda: "LinearModel rent-v1" in local.printed("deleted"))
    local.stop()
    local.start()
    local.save("model.yaml", manifest)
    eventually(lambda: local.printed("restored"))
    assert local.answers_with("rent", "v1")["prediction"] == before["prediction"]
    assert len(local.trained()) == 1


@pytest.fixture
def inner(folder: Path) -> Iterator[Local]:
    """With its state in the folder of manifests, as by default."""
    one = Local(folder, folder / ".linplane")
    yield one
    one.end()
    assert "Traceback" not in one.text, one.text


def test_folder_moved_away_and_replaced(inner: Local, tmp_path: Path) -> None:
    inner.save("v1.yaml", weights("rent", "v1", {"area": 2.0}, 1.0))
    inner.save("route.yaml", route("rent", "v1"))
    inner.start()
    inner.answers_with("rent", "v1")
    inner.save("v2.yaml", synthetic("rent", "v2", samples=100_000, features=10))
    eventually(lambda: inner.children("linplane_trainer"))
    inner.folder.rename(tmp_path / "away")
    eventually(lambda: "the folder cannot be read" in inner.text)
    eventually(lambda: inner.printed("warning") and not inner.children("linplane_trainer"))
    assert not inner.folder.exists()
    inner.folder.mkdir()  # an empty volume, say
    eventually(lambda: "no file in it holds an object" in inner.text)
    assert inner.predict("rent", [3])["prediction"] == 7
    assert list(inner.folder.iterdir()) == []
    inner.folder.rmdir()
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    (fresh / "v1.yaml").write_text(weights("rent", "v1", {"area": 2.0}, 1.0))
    (fresh / "v3.yaml").write_text(weights("rent", "v3", {"area": 3.0}, 1.0))
    (fresh / "route.yaml").write_text(route("rent", "v3"))
    fresh.rename(inner.folder)
    inner.answers_with("rent", "v3")
    assert inner.predict("rent", [3])["prediction"] == 10
    eventually(lambda: "LinearModel rent-v2" in inner.printed("deleted"))
    inner.stop()
    inner.start()
    assert inner.answers_with("rent", "v3")["prediction"] == inner.expected("rent", "v3")
    assert inner.object("linearmodels", "rent-v1")["status"]["digest"]
