"""Training Jobs as child processes: at most one a core at a time, tried again as a Job controller would."""

import asyncio
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from linplane_api import names
from linplane_api.canonical import FormatError, canonical_bytes
from linplane_api.conditions import Reason
from linplane_api.folder import write_atomically
from linplane_api.kinds import CONFIG_MAP, JOB
from linplane_api.task import EXIT_BAD_DATA, parse_failure

from ..compile.objects import Object, meta, name_of, spec_of, status_of, uid_of
from ..compile.training import job_condition
from .child import start_child
from .layout import Layout
from .store import Store

RETRY_SECONDS = 0.5  # doubled with each failure


class Jobs:
    """Runs every Job of the store that has not ended."""

    def __init__(self, layout: Layout, store: Store, slots: int, now: Callable[[], datetime]) -> None:
        """`slots` is how many trainers run at a time."""
        self._layout = layout
        self._store = store
        self._now = now
        self._slots = asyncio.Semaphore(slots)
        self._tasks: dict[str, asyncio.Task[None]] = {}  # by the Job's UID

    def look(self) -> None:
        """Starts what should run and stops what should not: call it after any change of a Job."""
        jobs = {uid_of(job): job for job in self._store.all(JOB)}
        for uid, job in jobs.items():
            if uid not in self._tasks and not _ended(job):
                self._tasks[uid] = asyncio.create_task(self._run(uid, name_of(job)))
        for uid in [uid for uid in self._tasks if uid not in jobs]:
            self._tasks.pop(uid).cancel()

    async def stop(self) -> None:
        """Ends every trainer; what they had not finished starts again with the next loop."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _run(self, uid: str, name: str) -> None:
        folder = self._layout.job(name)
        while (job := self._job(uid, name)) is not None and not _ended(job):
            if self._take_result(job, folder):
                continue
            async with self._slots:
                code = await self._attempt(uid, name, folder)
            job = self._job(uid, name)
            if job is None or self._take_result(job, folder):
                continue
            failed = int(status_of(job).get("failed") or 0) + 1
            message = self._take_failure(job, folder)
            if code == EXIT_BAD_DATA:
                self._end(job, "Failed", "PodFailurePolicy", message or "the data was refused", failed)
            elif failed > int(spec_of(job).get("backoffLimit") or 0):
                text = message or f"the trainer ended with {_shown(code)}"
                self._end(job, "Failed", "BackoffLimitExceeded", text, failed)
            else:
                self._set_status(job, {"failed": failed, "active": 0})
                await asyncio.sleep(RETRY_SECONDS * 2 ** (failed - 1))
        self._tasks.pop(uid, None)

    async def _attempt(self, uid: str, name: str, folder: Path) -> int | None:
        """One run of the trainer; its exit code, None where it could not start or ran past its deadline."""
        job = self._job(uid, name)
        if job is None:
            return None
        spec = spec_of(job)
        container = spec["template"]["spec"]["containers"][0]
        task = container["args"][container["args"].index("--task") + 1]
        self._lay_out(spec, folder)
        args = ["--task", task, "--data-dir", str(folder / "data"), "--result", str(folder / names.ARTIFACT_KEY)]
        process = await start_child("linplane_trainer", [*args, "--exit-with-stdin"], folder / "log")
        self._set_status(job, {"failed": int(status_of(job).get("failed") or 0), "active": 1})
        try:
            return await asyncio.wait_for(process.wait(), float(spec.get("activeDeadlineSeconds") or 3600))
        except TimeoutError:
            text = f"the deadline of {spec.get('activeDeadlineSeconds')} s is over"
            write_atomically(folder / names.ERROR_KEY, _failure_text(text))
            return EXIT_BAD_DATA
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    def _lay_out(self, spec: Object, folder: Path) -> None:
        """The data volume: the keys of the user's ConfigMap as files."""
        shutil.rmtree(folder / "data", ignore_errors=True)
        (folder / "data").mkdir(parents=True)
        for volume in spec["template"]["spec"]["volumes"]:
            source = volume.get("configMap")
            data = (self._store.get(CONFIG_MAP, source["name"]) or {}).get("data") or {} if source else {}
            for item in (source or {}).get("items") or ():
                if item["key"] in data:
                    (folder / "data" / item["path"]).write_text(data[item["key"]], encoding="utf-8")

    def _job(self, uid: str, name: str) -> Object | None:
        job = self._store.get(JOB, name)
        return job if job is not None and uid_of(job) == uid else None

    def _take_result(self, job: Object, folder: Path) -> bool:
        """Hands an artifact that is whole to its ConfigMap, as the trainer's patch would, and ends the Job."""
        try:
            text = (folder / names.ARTIFACT_KEY).read_text(encoding="utf-8")
        except (FileNotFoundError, UnicodeDecodeError):
            return False
        self._write_result(job, {names.ARTIFACT_KEY: text})
        self._end(
            job, "Complete", "CompletionsReached", "the artifact is written", int(status_of(job).get("failed") or 0)
        )
        shutil.rmtree(folder, ignore_errors=True)
        return True

    def _take_failure(self, job: Object, folder: Path) -> str:
        try:
            text = (folder / names.ERROR_KEY).read_text(encoding="utf-8")
            message = parse_failure(text).message
        except (FileNotFoundError, UnicodeDecodeError, FormatError):
            return ""
        (folder / names.ERROR_KEY).unlink(missing_ok=True)
        self._write_result(job, {names.ERROR_KEY: text})
        return message

    def _write_result(self, job: Object, data: dict[str, str]) -> None:
        result = self._store.get(CONFIG_MAP, name_of(job))
        if result is not None and not result.get("immutable"):
            self._store.update(CONFIG_MAP, result, {**result, "data": {**(result.get("data") or {}), **data}})

    def _end(self, job: Object, kind: str, reason: str, message: str, failed: int) -> None:
        condition = {"type": kind, "status": "True", "reason": reason, "message": message}
        self._set_status(job, {"failed": failed, "active": 0, "conditions": [condition]})

    def _set_status(self, job: Object, status: Object) -> None:
        found = self._job(uid_of(job), name_of(job))
        if found is not None:
            stamp = self._now().strftime("%Y-%m-%dT%H:%M:%SZ")
            times = {"startTime": status_of(found).get("startTime") or stamp}
            if status.get("conditions"):
                times["completionTime"] = stamp
            self._store.update(JOB, found, {**found, "metadata": meta(found), "status": {**status, **times}})


def _ended(job: Object) -> bool:
    return bool(job_condition(job, "Complete") or job_condition(job, "Failed"))


def _shown(code: int | None) -> str:
    if code is None:
        return "no exit code"
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _failure_text(message: str) -> bytes:
    return canonical_bytes({"reason": Reason.TRAINING_FAILED.value, "message": message})
