"""Training JobRunner in local mode: what a trainer is given comes from the LinearModel, typed."""

import asyncio
import errno
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from linplane_api import names
from linplane_api.kinds import CONFIG_MAP, JOB, LINEAR_MODEL
from linplane_api.resources import LinearModelSpec, parse_spec
from linplane_api.task import EXIT_BAD_DATA, FileData, Task, UriData, parse_task
from linplane_operator.compile.data_sources import plan_data
from linplane_operator.compile.objects import Object
from linplane_operator.compile.observed import Job, ObservedCondition, find_condition, observe
from linplane_operator.compile.settings import Mode, Settings
from linplane_operator.compile.training import make_job, make_result
from linplane_operator.local import job_runner as module
from linplane_operator.local.child_process import StartError
from linplane_operator.local.job_runner import JobRunner
from linplane_operator.local.state_dir import StateDir
from linplane_operator.local.store import Store
from unit.local.builders import NOW, Printed, config_map, make_store, model
from unit.local.processes import Children, Process
from unit.operator.virtual_time import run_virtually

SETTINGS = Settings(mode=Mode.LOCAL, allowed_hosts=("data.example",))
SECRETS = {"reader": {"accessKeyId": "key", "secretAccessKey": "s3cr3t"}}
CSV = {"data": {"configMapKeyRef": {"name": "rows", "key": "rows.csv"}}, "target": "y"}


def make(store: Store, training: Object) -> Object:
    """A LinearModel with its result and a Job that nothing can be read from; returns the LinearModel."""
    owner = store.create(LINEAR_MODEL, model(training=training))
    spec = parse_spec(owner, LinearModelSpec)
    job = make_job(owner, spec, plan_data(spec, SETTINGS, None), SETTINGS)
    store.create(CONFIG_MAP, make_result(owner, spec))
    store.create(JOB, {**job, "spec": {}})
    return owner


def end(store: Store) -> ObservedCondition:
    """The condition with which the Job ended, without a reason if it has not."""
    (job,) = store.all(JOB)
    conditions = observe(Job, job).status.conditions
    return find_condition(conditions, "Complete") or find_condition(conditions, "Failed") or ObservedCondition()


def ended(store: Store) -> str:
    """The reason why the Job ended, empty if it has not."""
    return end(store).reason


def run(
    root: Path,
    store: Store,
    begun: Callable[[Process], None],
    seconds: float = 60,
    printed: Printed | None = None,
    secret: Callable[[str], Mapping[str, str]] = lambda _: {},
) -> Children:
    """Runs the JobRunner of the store for so many virtual seconds; returns the trainers that were started."""
    children = Children(begun)

    async def work() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "start_child", children)
            jobs = JobRunner(
                StateDir(root),
                store,
                SETTINGS,
                slots=1,
                now=lambda: NOW,
                notify=printed or Printed(),
                secret=secret,
            )
            jobs.sync()
            await asyncio.sleep(seconds)
            await jobs.stop()

    run_virtually(work())
    return children


def test_trainer_gets_the_task_and_rows_of_its_version(tmp_path: Path) -> None:
    """The rows as they are when it starts, byte by byte."""
    store = make_store(tmp_path)
    store.create(CONFIG_MAP, config_map(data={"rows.csv": "x,y\r\n1,2\r\n", "other": "z"}))
    make(store, {**CSV, "ridge": "0.5", "seed": 7})
    seen: list[dict[str, bytes]] = []

    def train(process: Process) -> None:
        seen.append({path.name: path.read_bytes() for path in Path(*process.after("--data-dir")).iterdir()})
        Path(*process.after("--result")).write_text("{}")
        process.end(0)

    (trainer,) = run(tmp_path, store, train)
    assert trainer.after("--log-level") == ["info"]
    (task,) = map(parse_task, trainer.after("--task"))
    assert (task.model, task.version, task.data) == ("rent", "v1", FileData("rows.csv"))
    assert (task.ridge, task.seed, task.target) == (0.5, 7, "y")
    assert seen == [{"rows.csv": b"x,y\r\n1,2\r\n"}]
    assert ended(store) == "CompletionsReached"
    assert {names.ARTIFACT_KEY: "{}"} in [one["data"] for one in store.all(CONFIG_MAP)]


def test_trainer_gets_the_allowed_hosts(tmp_path: Path) -> None:
    """Files of the machine too."""
    store = make_store(tmp_path)
    make(store, {"data": {"uri": "file:///rows.csv"}, "target": "y"})
    (trainer,) = run(tmp_path, store, lambda process: process.end(EXIT_BAD_DATA))
    (task,) = map(parse_task, trainer.after("--task"))
    assert task.data == UriData("file:///rows.csv", ("data.example",), allow_file=True)
    assert ended(store) == "PodFailurePolicy"


def test_trainer_gets_the_secret_that_its_data_names(tmp_path: Path) -> None:
    """Through a pipe alone; nothing if there is none."""
    store = make_store(tmp_path)
    data = {"s3": {"bucket": "rows", "path": "a.csv", "secretName": "reader"}}
    make(store, {"data": data, "target": "y", "job": {"backoffLimit": 1}})
    given = iter([SECRETS["reader"], {}])
    seen: list[bytes] = []

    def see(process: Process) -> None:
        written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        assert b"s3cr3t" not in written + "".join(process.started).encode()
        process.end(1)

    for trainer in run(tmp_path, store, see, secret=lambda name: next(given) if name == "reader" else {}):
        assert "--credentials-stdin" in trainer.started
        seen.append(trainer.stdin.getvalue())
    assert seen == [b'{"accessKeyId":"key","secretAccessKey":"s3cr3t"}\n', b"{}\n"]


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("flats.csv", "/m/a%20b/flats.csv"),
        ("./rows/2026/", "/m/a%20b/rows/2026/"),
        ("../c%20d.csv", "/m/c%20d.csv"),
        ("../../../flats.csv", "/flats.csv"),
        ("a/b:c;d=e.csv", "/m/a%20b/a/b:c;d=e.csv"),
        ("file:///rows.csv", "/rows.csv"),
    ],
)
def test_uri_without_a_scheme_is_relative_to_the_manifest(uri: str, path: str) -> None:
    data = UriData(uri, ("data.example",), allow_file=True)
    task = module.located(Task("rent", "v1", data, target="y"), Path("/m/a b/v1.yaml"))
    assert task == Task("rent", "v1", UriData(f"file://{path}", ("data.example",), allow_file=True), target="y")


@pytest.mark.parametrize("data", [UriData("https://data.example/flats.csv"), FileData("flats.csv")], ids=str)
def test_other_data_is_not_relative_to_the_manifest(data: UriData | FileData) -> None:
    task = Task("rent", "v1", data, target="y")
    assert module.located(task, Path("/m/v1.yaml")) is task


def test_job_fails_by_the_limits_of_its_version(tmp_path: Path) -> None:
    """By its backoffLimit, and by its deadline."""
    printed, store = Printed(), make_store(tmp_path)
    make(store, {**CSV, "job": {"backoffLimit": 1}})
    assert len(run(tmp_path, store, lambda process: process.end(1), printed=printed)) == 2
    assert ended(store) == "BackoffLimitExceeded"
    assert printed.words() == ["warning rent-v1: the trainer ended with exit code 1; retrying in 0.5 s"]


@pytest.mark.parametrize("number", [errno.E2BIG, errno.ENOENT, errno.EAGAIN])
def test_trainer_that_cannot_start_is_a_failed_attempt(tmp_path: Path, number: int) -> None:
    """As a pod that cannot start counts in a cluster."""
    printed, store = Printed(), make_store(tmp_path)
    make(store, {**CSV, "job": {"backoffLimit": 1}})

    def refuse(_: Process) -> None:
        raise StartError(number, os.strerror(number), "/opt/python")

    assert len(run(tmp_path, store, refuse, printed=printed)) == 2
    problem = f"the trainer could not start: /opt/python: {os.strerror(number)}"
    assert (end(store).reason, end(store).message) == ("BackoffLimitExceeded", problem)
    assert [job["status"]["failed"] for job in store.all(JOB)] == [2]
    assert printed.words() == [f"warning rent-v1: {problem}; retrying in 0.5 s"]


def test_full_disk_is_no_failed_attempt(tmp_path: Path) -> None:
    """Nothing was tried: the Job goes on once there is room."""
    printed, store = Printed(), make_store(tmp_path)
    make(store, {**CSV, "job": {"backoffLimit": 0}})

    def refuse(_: Process) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "log")

    assert len(run(tmp_path, store, refuse, 20, printed)) == 10
    assert ended(store) == ""
    assert len(printed.words()) == 1
    assert len(run(tmp_path, store, lambda process: process.end(1))) == 1
    assert ended(store) == "BackoffLimitExceeded"


@pytest.mark.parametrize(("seconds", "reason"), [(39, ""), (41, "DeadlineExceeded")])
def test_trainer_past_its_deadline_is_killed(tmp_path: Path, seconds: float, reason: str) -> None:
    store = make_store(tmp_path)
    make(store, {**CSV, "job": {"activeDeadlineSeconds": 40}})
    (trainer,) = run(tmp_path, store, lambda _: None, seconds)
    assert ended(store) == reason
    assert trainer.returncode == -15


def test_job_of_an_earlier_spec_does_not_run(tmp_path: Path) -> None:
    """Its own spec is not that of its version any more."""
    store = make_store(tmp_path)
    owner = make(store, CSV)
    changed = store.update(LINEAR_MODEL, owner, model(training={**CSV, "seed": 1}))
    assert run(tmp_path, store, lambda process: process.end(1)) == []
    store.update(LINEAR_MODEL, changed, model(training=CSV))
    assert run(tmp_path, store, lambda process: process.end(EXIT_BAD_DATA)) != []
