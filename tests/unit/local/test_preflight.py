"""The checks before local mode starts."""

from pathlib import Path

import pytest

from linplane_api.locks import lock
from linplane_operator.local.preflight import StartError, acquire_state
from linplane_operator.local.state_dir import StateDir


@pytest.mark.parametrize(("content", "holder"), [(b"17\n", ", process 17"), (b"", ""), (b"\xff\xfe", "")])
def test_state_dir_in_use_names_its_holder_if_it_can(tmp_path: Path, content: bytes, holder: str) -> None:
    state_dir = StateDir(tmp_path / "state")
    state_dir.root.mkdir()
    with lock(state_dir.lock) as file:
        file.write(content)
        file.flush()
        with pytest.raises(StartError) as error:
            acquire_state(state_dir, tmp_path)
    assert str(error.value) == f"state folder {state_dir.root} is in use by another linplane local{holder}"


def test_state_dir_lock_that_cannot_be_read_is_still_a_start_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> str:
        raise FileNotFoundError(2, "No such file or directory")

    state_dir = StateDir(tmp_path / "state")
    state_dir.root.mkdir()
    with lock(state_dir.lock):
        monkeypatch.setattr(Path, "read_text", gone)
        with pytest.raises(StartError, match=r"in use by another linplane local$"):
            acquire_state(state_dir, tmp_path)
