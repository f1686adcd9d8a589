"""The state folder."""

from pathlib import Path

from linplane_api.kinds import LINEAR_MODEL
from linplane_operator.local.state_dir import StateDir


def test_sweep_removes_only_temporary_files_of_a_killed_process(tmp_path: Path) -> None:
    state_dir = StateDir(tmp_path)
    kept = [state_dir.object_file(LINEAR_MODEL, "a-v1"), tmp_path / ".gitignore", tmp_path / "servers/default/log"]
    gone = [
        tmp_path / ".problems.json.abcd1234",
        tmp_path / "objects/linearmodels/.a-v1.json.x_y_z_00",
        tmp_path / "servers/default/report-pod.json",
    ]
    for path in (*kept, *gone):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for name in ("old", "new"):
        (state_dir.job(name) / "data").mkdir(parents=True)
    state_dir.sweep()
    state_dir.drop_jobs({"new"})
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(kept)
    assert [path.name for path in state_dir.jobs.iterdir()] == ["new"]
