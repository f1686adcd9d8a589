"""The programs that judge health: each verdict of kstatus, and Argo CD's sandbox."""

from pathlib import Path
from types import ModuleType

import pytest

from cluster import gobuild
from cluster.gobuild import BinariesMissingError


def _object(generation: int = 1, **status: object) -> dict[str, object]:
    return {"apiVersion": "a/v1", "kind": "K", "metadata": {"name": "k", "generation": generation}, "status": status}


def test_kstatus_judges_each_object_in_order(judges: ModuleType) -> None:
    stalled = {"type": "Stalled", "status": "True", "reason": "BadData", "message": "line 3"}
    verdicts = judges.kstatus(
        [
            _object(),
            _object(observedGeneration=0),
            _object(observedGeneration=1, conditions=[{"type": "Ready", "status": "False", "message": "not yet"}]),
            _object(observedGeneration=1, conditions=[stalled]),
        ]
    )
    assert [verdict.status for verdict in verdicts] == ["Current", "InProgress", "InProgress", "Failed"]
    assert verdicts[3].message == "line 3"


def test_lua_returns_what_the_script_makes_of_obj(judges: ModuleType) -> None:
    obj = {"spec": {"replicas": 2, "names": ["a", "b"]}}
    assert judges.run_lua("obj.spec.replicas = 3; return obj", obj) == {"spec": {"replicas": 3, "names": ["a", "b"]}}
    assert judges.run_lua("return {to = actionParams.version}", obj, {"version": "v2"}) == {"to": "v2"}
    assert judges.run_lua("return nil", obj) is None


@pytest.mark.parametrize("script", ["return {} }", "return string.upper('a')", "while true do end"])
def test_lua_has_the_limits_of_argo_cd(judges: ModuleType, script: str) -> None:
    """Argo CD opens neither string nor math unless a user enables it, and gives a script one second."""
    with pytest.raises(judges.JudgeError):
        judges.run_lua(script, {})


def test_judges_need_go_only_to_be_built(judges: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gobuild.shutil, "which", lambda *_args, **_options: None)
    assert judges.kstatus([_object()])[0].status == "Current"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(BinariesMissingError, match="go is needed"):
        judges.obtain()
