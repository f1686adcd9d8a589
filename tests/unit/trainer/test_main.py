"""The Job: exit codes, the files that it leaves, and when it ends."""

import io
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from linplane_api.artifact import parse_artifact
from linplane_api.canonical import canonical_bytes
from linplane_api.task import EXIT_BAD_DATA, EXIT_FAILED, FileData, SyntheticData, Task, UriData, parse_failure
from linplane_trainer.__main__ import failure_of, run
from linplane_trainer.result import FileResult
from support import eventually

CANARY = "s3cr3t"
NOON = datetime(2026, 2, 3, 12, tzinfo=UTC)
GOOD = Task("m", "v1", SyntheticData(50, 2, 0.1))
BAD = Task("m", "v1", FileData("rows.csv"), features=("a",), target="y")
LONG = Task("m", "v1", SyntheticData(10**9, 2, 0.1))


@pytest.fixture
def job(tmp_path):
    """job(task): the exit code, what was said, and the files of the result's folder."""
    (tmp_path / "rows.csv").write_text(f"a,y\n1,2\n{CANARY},3\n")

    def do(task, **options):
        said = io.StringIO()
        result = tmp_path / "result" / "model.json"
        result.parent.mkdir(exist_ok=True)
        text = task if isinstance(task, str) else task.to_text()
        code = run(text, tmp_path, FileResult(result), lambda: NOON, said, **options)
        return code, said.getvalue(), {path.name: path.read_bytes() for path in result.parent.iterdir()}

    return do


def test_training_that_succeeds_leaves_an_artifact(job):
    """Leaves the artifact file, and says its digest."""
    code, said, files = job(GOOD)
    assert (code, set(files)) == (0, {"model.json"})
    file = parse_artifact(files["model.json"])
    assert file.trained_at == "2026-02-03T12:00:00Z"
    assert said == f"trained {file.digest}\n"


def test_training_on_bad_data_leaves_a_failure(job):
    """Leaves why, canonically, and says the same in one line."""
    code, said, files = job(BAD)
    assert (code, set(files)) == (EXIT_BAD_DATA, {"error.json"})
    failure = parse_failure(files["error.json"])
    assert (failure.reason, failure.message) == ("BadData", "line 3, column a: is not a number")
    assert said == f"training failed: {failure.message}\n"
    assert files["error.json"] == canonical_bytes(json.loads(files["error.json"]))


def test_dependent_columns_are_all_in_the_log(job, tmp_path):
    """The failure has room for some of them, and says where the others are."""
    features = [f"a-column-with-a-long-name-{number}" for number in range(60)]
    rows = "".join(f"{i % 7}," * 60 + f"{i * i % 11}\n" for i in range(100))
    (tmp_path / "rows.csv").write_text(f"{','.join(features)},y\n{rows}")
    _, said, files = job(Task("m", "v1", FileData("rows.csv"), target="y", holdout_percent=0))
    left_out = said.removeprefix("training failed: leave out ").partition(", or set ridge: ")[0]
    assert left_out.replace(" and ", ", ").split(", ") == features[1:]
    message = parse_failure(files["error.json"]).message
    shown, _, more = message.removeprefix("leave out ").partition(" and ")
    assert more.startswith(f"{59 - len(shown.split(', '))} more (the Job's log names all), or set ridge: ")
    assert more.endswith("set ridge: a-column-with-a-long-name-0 and 59 more are linearly dependent")


def test_file_missing_from_a_claim_is_named(job):
    """Is missed by the names that the user gave to both."""
    task = Task("m", "v1", FileData("a\x1b.csv"), target="y")
    failure = parse_failure(job(task, data_name="claim nope")[2]["error.json"])
    assert (failure.reason, failure.message) == ("BadData", r"claim nope has no file a\x1b.csv")
    assert parse_failure(job(task)[2]["error.json"]).message == "there is no such data file"


def test_warnings_are_in_the_log(job, tmp_path):
    """Before the last line, which is the digest."""
    (tmp_path / "rows.csv").write_text("a,note,y\n" + "".join(f"{i},x,{i * i}\n" for i in range(30)))
    _, said, files = job(Task("m", "v1", FileData("rows.csv"), target="y", holdout_percent=0))
    file = parse_artifact(files["model.json"])
    assert said == f"warning: ColumnsLeftOut: 1 column was left out: note (text, line 2)\ntrained {file.digest}\n"
    assert [warning.reason for warning in file.facts.warnings] == ["ColumnsLeftOut"]


@pytest.mark.parametrize("task", ["{", '{"model": 1}', BAD.to_text().replace('"ridge":0', '"ridge":-1')])
def test_task_that_is_not_understood_is_bad_data(job, task):
    """Is not tried again: it would be read the same way."""
    code, _, files = job(task)
    assert code == EXIT_BAD_DATA
    assert "the task is not understood" in parse_failure(files["error.json"]).message


def test_transient_errors_are_retried(job):
    """A host that is away."""
    code, _, files = job(Task("m", "v1", UriData("http://127.0.0.1:1/x", allowed_hosts=("127.0.0.1",)), target="y"))
    assert code == EXIT_FAILED
    assert parse_failure(files["error.json"]).reason == "TrainingFailed"


def test_result_is_either_an_artifact_or_a_failure(job):
    """A later run removes what an earlier one left, the pieces of a killed one included."""
    assert set(job(GOOD)[2]) == {"model.json"}
    assert set(job(BAD)[2]) == {"error.json"}
    assert set(job(GOOD)[2]) == {"model.json"}


def test_pieces_of_a_killed_run_are_removed(job, tmp_path):
    """They are hidden, and gone with the next result."""
    (tmp_path / "result").mkdir()
    (tmp_path / "result" / ".model.json.abcd").write_text("{")
    (tmp_path / "result" / ".error.json.abcd").write_text("{")
    assert set(job(GOOD)[2]) == {"model.json"}


def test_unexpected_error_is_reported_without_its_text():
    """By its type and where it happened: the text may quote data."""
    try:
        int(CANARY)
    except ValueError as error:
        failure, code = failure_of(error)
    assert code == EXIT_FAILED
    assert CANARY not in failure.message
    assert "ValueError at test_main.py:" in failure.message


def test_message_fits_a_failure():
    """However long its cause."""
    failure, _ = failure_of(ValueError("x" * 5000))
    assert parse_failure(json.dumps({"reason": failure.reason, "message": failure.message})) == failure


def test_folder_that_was_moved_away_is_not_made_again(tmp_path):
    """An empty one in its place would look like one whose files were deleted."""
    path = tmp_path / "gone" / "jobs" / "model.json"
    with pytest.raises(FileNotFoundError):
        FileResult(path).write_artifact(b"{}")
    with pytest.raises(FileNotFoundError):
        FileResult(path).write_failure(failure_of(ValueError("x"))[0])
    assert list(tmp_path.iterdir()) == []


def start(tmp_path, task, *more):
    (tmp_path / "out").mkdir()
    command = [sys.executable, "-m", "linplane_trainer", "--task", task.to_text(), "--data-dir", str(tmp_path)]
    return subprocess.Popen(
        [*command, "--result", str(tmp_path / "out" / "model.json"), *more],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )


def test_command_writes_files(tmp_path):
    """`python -m linplane_trainer` with stdin held open: code 0, nothing on stdout, one line on stderr."""
    with start(tmp_path, GOOD, "--exit-with-stdin") as process:
        assert process.wait(30) == 0
        assert process.stdout.read() == b""
        file = parse_artifact((tmp_path / "out" / "model.json").read_bytes())
        assert process.stderr.read().decode() == f"trained {file.digest}\n"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["model.json"]


def test_command_logs_steps_at_debug_level_before_its_last_line(tmp_path):
    """As JSON without values of the data, and no step at the level of the default."""
    (tmp_path / "rows.csv").write_text("a,y\n" + "".join(f"{i}.0625,{i * i % 7}\n" for i in range(50)))
    task = Task("m", "v1", FileData("rows.csv"), target="y", holdout_percent=20)
    with start(tmp_path, task, "--log-level", "debug") as process:
        _, said = process.communicate(timeout=30)
    *steps, last = said.decode().splitlines()
    found = {line["message"]: line for line in map(json.loads, steps)}
    assert list(found) == ["reading rows", "fitted", "wrote file"]
    assert found["reading rows"]["source"] == "FileData"
    assert found["fitted"]["rows"] + found["fitted"]["held_out"] == 50
    assert {line["level"] for line in found.values()} == {"DEBUG"}
    assert last.startswith("trained sha256:")
    assert ".0625" not in said.decode()


def test_command_reports_bad_data(tmp_path):
    """By its exit code, which is that of the contract."""
    (tmp_path / "rows.csv").write_text(f"a,y\n{CANARY},3\n")
    with start(tmp_path, BAD) as process:
        _, said = process.communicate(timeout=30)
    assert process.returncode == EXIT_BAD_DATA
    assert said == b"training failed: line 2, column a: is not a number\n"


def test_child_ends_with_its_parent(tmp_path):
    """In the middle of a training; nothing is left behind."""
    with start(tmp_path, LONG, "--exit-with-stdin") as process:
        assert eventually(lambda: thread_count(process.pid) > 1)
        process.stdin.close()
        assert process.wait(10) == 128 + signal.SIGHUP
    assert list((tmp_path / "out").iterdir()) == []


def thread_count(pid):
    return len(os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208


def test_sigterm_ends_it_at_once(tmp_path):
    """As process 1 of a container too, which ignores it by default."""
    with start(tmp_path, LONG, "--exit-with-stdin") as process:
        assert eventually(lambda: thread_count(process.pid) > 1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) in {128 + signal.SIGTERM, -signal.SIGTERM}
        assert process.stderr.read() == b""
