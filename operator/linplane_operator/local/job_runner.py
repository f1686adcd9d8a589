"""Runs training Jobs as child processes, one per core at a time, and retries them like a Job controller."""

import asyncio
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import msgspec

from linplane_api import names
from linplane_api.canonical import FormatError
from linplane_api.kinds import CONFIG_MAP, JOB, LINEAR_MODEL
from linplane_api.resources import LinearModelSpec, parse_spec
from linplane_api.task import EXIT_BAD_DATA, Task, UriData, parse_failure
from linplane_api.timing import Backoff, rfc3339

from ..cluster_client import ConflictError
from ..compile.data_sources import plan_data
from ..compile.job_progress import has_ended
from ..compile.objects import Object, annotation_of, controller_uid, data_of, meta, name_of, status_of, uid_of
from ..compile.observed import Job, observe
from ..compile.settings import Settings
from ..compile.training import job_name, job_settings, make_task
from .child_process import StartError, format_exit, start_child
from .console_events import Line, Notify
from .state_dir import StateDir
from .store import Store

RETRY = Backoff(0.5, 360.0)  # seconds; the maximum is a Job controller's
RETRY_SECONDS = 2.0  # after an error of the disk
EXIT_NOT_STARTED = 128  # as container runtimes report a container that cannot start


@dataclass(frozen=True)
class Training:
    """A Job, by UID and name, and the LinearModel that it trains, with the file of its manifest."""

    uid: str
    job: str
    model: str
    spec: LinearModelSpec
    manifest: Path


def located(task: Task, manifest: Path) -> Task:
    """With the address of a file whose URI is a path relative to the manifest. RFC 3986, 5.2."""
    data = task.data
    if not isinstance(data, UriData) or urlsplit(data.uri).scheme:
        return task
    return msgspec.structs.replace(task, data=msgspec.structs.replace(data, uri=urljoin(manifest.as_uri(), data.uri)))


class JobRunner:
    """Runs every unfinished Job of the store."""

    def __init__(  # noqa: PLR0913 - its collaborators
        self,
        state_dir: StateDir,
        store: Store,
        settings: Settings,
        *,
        slots: int,
        now: Callable[[], datetime],
        notify: Notify,
        secret: Callable[[str], Mapping[str, str]],
        log_level: str = "info",
    ) -> None:
        """`slots`: the number of concurrent trainers; `log_level` is theirs. `secret`: a Secret's values by key."""
        self._secret = secret
        self._log_level = log_level
        self._state_dir = state_dir
        self._store = store
        self._settings = settings
        self._now = now
        self._notify = notify
        self._slots = asyncio.Semaphore(slots)
        self._tasks: dict[str, asyncio.Task[None]] = {}  # by the Job's UID

    def sync(self) -> None:
        """Starts new Jobs and stops deleted ones; call it after any change of a Job."""
        jobs = {uid_of(job): job for job in self._store.all(JOB)}
        for uid in [uid for uid in self._tasks if uid not in jobs]:
            self._tasks.pop(uid).cancel()
        for uid, job in jobs.items():
            if uid not in self._tasks and not has_ended(observe(Job, job)):
                self._tasks[uid] = asyncio.create_task(self._run(uid, name_of(job)))
        self._state_dir.drop_jobs({name_of(job) for job in jobs.values()})

    async def stop(self) -> None:
        """Stops every trainer; unfinished Jobs start again with the next process."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _run(self, uid: str, name: str) -> None:
        reported = ""
        while (job := self._job(uid, name)) is not None and not has_ended(observe(Job, job)):
            try:
                training = self._training(job)
                wait = await self._step(training) if training else RETRY_SECONDS
            except (OSError, ConflictError, FormatError) as error:
                wait, text = RETRY_SECONDS, f"{name}: {error}; retrying"
                if text != reported:
                    self._notify(Line("warning", text, "warning"))
                reported = text
            await asyncio.sleep(wait)
        self._tasks.pop(uid, None)

    def _training(self, job: Object) -> Training | None:
        """The training of a Job; None if its LinearModel has changed and the Job is about to be deleted. Raises
        FormatError.
        """
        for model in self._store.all(LINEAR_MODEL):
            if uid_of(model) == controller_uid(job):
                spec = parse_spec(model, LinearModelSpec)
                is_of_spec = job_name(model, spec) == name_of(job)
                manifest = Path(annotation_of(model, names.ANNOTATION_MANIFEST))
                return Training(uid_of(job), name_of(job), name_of(model), spec, manifest) if is_of_spec else None
        return None

    async def _step(self, training: Training) -> float:
        """Accepts a result that is already there, or makes one attempt; returns the delay before the next."""
        folder = self._state_dir.job(training.job)
        if self._accept_result(training, folder):
            return 0
        async with self._slots:
            code, message = await self._attempt(training, folder)
        job = self._job(training.uid, training.job)
        if job is None or self._accept_result(training, folder):
            return 0
        failed = int(status_of(job).get("failed") or 0) + 1
        message = self._accept_failure(job, folder) or message
        if code == EXIT_BAD_DATA:
            self._end(job, "Failed", "PodFailurePolicy", message or "the data was refused", failed)
        elif code is None:
            self._end(job, "Failed", "DeadlineExceeded", message, failed)
        elif failed > job_settings(training.spec).backoff_limit:
            self._end(job, "Failed", "BackoffLimitExceeded", message, failed)
        else:
            wait = RETRY.delay(failed)
            self._notify(Line("warning", f"{training.model}: {message}; retrying in {wait:g} s", "warning"))
            self._set_status(job, {"failed": failed, "active": 0})
            return wait
        return 0

    async def _attempt(self, training: Training, folder: Path) -> tuple[int | None, str]:
        """Runs the trainer once. Returns its exit code, None if it exceeded its deadline, and a message. Raises OSError
        if the folder cannot be written.
        """
        job, spec = self._job(training.uid, training.job), training.spec
        if job is None:
            return 0, ""
        plan = plan_data(spec, self._settings, None)
        task = located(make_task(spec, plan), training.manifest)
        deadline = job_settings(spec).active_deadline_seconds
        self._prepare_folder(spec, folder)
        args = [*task.to_arguments(), "--data-dir", str(folder / "data"), "--result", str(folder / names.ARTIFACT_KEY)]
        args += ["--log-level", self._log_level]
        args += ["--credentials-stdin"] if plan.secret else []
        try:
            process = await start_child("linplane_trainer", [*args, "--exit-with-stdin"], folder / "log")
            if plan.secret and process.stdin:
                process.stdin.write(msgspec.json.encode(self._secret(plan.secret)) + b"\n")
        except StartError as error:
            return EXIT_NOT_STARTED, f"the trainer could not start: {error.filename}: {error.strerror}"
        try:
            self._set_status(job, {"failed": int(status_of(job).get("failed") or 0), "active": 1})
            code = await asyncio.wait_for(process.wait(), deadline)
            return code, f"the trainer ended with {format_exit(code)}"
        except TimeoutError:
            return None, f"the deadline of {deadline} s was exceeded"
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    def _prepare_folder(self, spec: LinearModelSpec, folder: Path) -> None:
        """Creates the data folder with the key of the user's ConfigMap as a file, and removes earlier attempts."""
        shutil.rmtree(folder, ignore_errors=True)
        self._state_dir.make(folder / "data")
        ref = spec.source_ref
        data = data_of(self._store.get(CONFIG_MAP, ref.name)) if ref else {}
        if ref and ref.key in data:
            (folder / "data" / ref.key).write_text(data[ref.key], encoding="utf-8", newline="")

    def _job(self, uid: str, name: str) -> Object | None:
        job = self._store.get(JOB, name)
        return job if job is not None and uid_of(job) == uid else None

    def _accept_result(self, training: Training, folder: Path) -> bool:
        """Writes a complete artifact into its ConfigMap, as the trainer's patch would, and completes the Job."""
        job = self._job(training.uid, training.job)
        try:
            text = (folder / names.ARTIFACT_KEY).read_text(encoding="utf-8")
        except (FileNotFoundError, UnicodeDecodeError):
            return False
        if job is not None:
            self._write_result(job, {names.ARTIFACT_KEY: text})
            failed = int(status_of(job).get("failed") or 0)
            self._end(job, "Complete", "CompletionsReached", "the artifact is written", failed)
        shutil.rmtree(folder, ignore_errors=True)
        return True

    def _accept_failure(self, job: Object, folder: Path) -> str:
        """The trainer's own error message, empty if it wrote none."""
        try:
            text = (folder / names.ERROR_KEY).read_text(encoding="utf-8")
            message = parse_failure(text).message
        except (FileNotFoundError, UnicodeDecodeError, FormatError):
            self._write_result(job, {})
            return ""
        self._write_result(job, {names.ERROR_KEY: text})
        return message

    def _write_result(self, job: Object, data: dict[str, str]) -> None:
        result = self._store.get(CONFIG_MAP, name_of(job))
        if result is not None and not result.get("immutable"):
            self._store.update(CONFIG_MAP, result, {**result, "data": data})

    def _end(self, job: Object, kind: str, reason: str, message: str, failed: int) -> None:
        condition = {"type": kind, "status": "True", "reason": reason, "message": message}
        self._set_status(job, {"failed": failed, "active": 0, "conditions": [condition]})

    def _set_status(self, job: Object, status: Object) -> None:
        found = self._job(uid_of(job), name_of(job))
        if found is not None:
            stamp = rfc3339(self._now())
            times = {"startTime": status_of(found).get("startTime") or stamp}
            if status.get("conditions"):
                times["completionTime"] = stamp
            self._store.update(JOB, found, {**found, "metadata": meta(found), "status": {**status, **times}})
