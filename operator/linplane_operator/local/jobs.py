"""Training Jobs as child processes: at most one a core at a time, tried again as a Job controller would."""

import asyncio
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from linplane_api import names
from linplane_api.canonical import FormatError
from linplane_api.kinds import CONFIG_MAP, JOB
from linplane_api.task import EXIT_BAD_DATA, parse_failure
from linplane_api.timing import Backoff, rfc3339

from ..cluster import ConflictError
from ..compile.objects import Object, meta, name_of, spec_of, status_of, uid_of
from ..compile.progress import has_ended
from .child import shown_exit, start_child
from .layout import Layout
from .store import Store
from .story import Line, Tell

RETRY = Backoff(0.5, 360.0)  # seconds; the last is a Job controller's
TROUBLE_SECONDS = 2.0  # between two tries where it is the disk, or the system, that refuses


class Jobs:
    """Runs every Job of the store that has not ended."""

    def __init__(self, layout: Layout, store: Store, slots: int, now: Callable[[], datetime], tell: Tell) -> None:
        """`slots` is how many trainers run at a time."""
        self._layout = layout
        self._store = store
        self._now = now
        self._tell = tell
        self._slots = asyncio.Semaphore(slots)
        self._tasks: dict[str, asyncio.Task[None]] = {}  # by the Job's UID

    def look(self) -> None:
        """Starts what should run and stops what should not: call it after any change of a Job."""
        jobs = {uid_of(job): job for job in self._store.all(JOB)}
        for uid in [uid for uid in self._tasks if uid not in jobs]:
            self._tasks.pop(uid).cancel()
        for uid, job in jobs.items():
            if uid not in self._tasks and not has_ended(job):
                self._tasks[uid] = asyncio.create_task(self._run(uid, name_of(job)))
        self._layout.drop_jobs({name_of(job) for job in jobs.values()})

    async def stop(self) -> None:
        """Ends every trainer; what they had not finished starts again with the next loop."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _run(self, uid: str, name: str) -> None:
        told = ""
        while (job := self._job(uid, name)) is not None and not has_ended(job):
            try:
                wait = await self._step(uid, name)
            except (OSError, ConflictError) as error:
                wait, text = TROUBLE_SECONDS, f"{name}: {error}; tried again"
                if text != told:
                    self._tell(Line("warning", text, "warning"))
                told = text
            await asyncio.sleep(wait)
        self._tasks.pop(uid, None)

    async def _step(self, uid: str, name: str) -> float:
        """Takes a result that is there, or makes one attempt; returns how long to wait before the next."""
        folder = self._layout.job(name)
        if self._take_result(uid, name, folder):
            return 0
        async with self._slots:
            code, message = await self._attempt(uid, name, folder)
        job = self._job(uid, name)
        if job is None or self._take_result(uid, name, folder):
            return 0
        failed = int(status_of(job).get("failed") or 0) + 1
        message = self._take_failure(job, folder) or message
        if code == EXIT_BAD_DATA:
            self._end(job, "Failed", "PodFailurePolicy", message or "the data was refused", failed)
        elif code is None:
            self._end(job, "Failed", "DeadlineExceeded", message, failed)
        elif failed > int(spec_of(job).get("backoffLimit") or 0):
            self._end(job, "Failed", "BackoffLimitExceeded", message, failed)
        else:
            wait = RETRY.delay(failed)
            owner = (meta(job).get("ownerReferences") or [meta(job)])[0]["name"]
            self._tell(Line("warning", f"{owner}: {message}; tried again in {wait:g} s", "warning"))
            self._set_status(job, {"failed": failed, "active": 0})
            return wait
        return 0

    async def _attempt(self, uid: str, name: str, folder: Path) -> tuple[int | None, str]:
        """One run of the trainer: its exit code, None where it ran past its deadline, and that in words."""
        job = self._job(uid, name)
        if job is None:
            return 0, ""
        spec = spec_of(job)
        container = spec["template"]["spec"]["containers"][0]
        task = container["args"][container["args"].index("--task") + 1]
        self._lay_out(spec, folder)
        args = ["--task", task, "--data-dir", str(folder / "data"), "--result", str(folder / names.ARTIFACT_KEY)]
        process = await start_child("linplane_trainer", [*args, "--exit-with-stdin"], folder / "log")
        try:
            self._set_status(job, {"failed": int(status_of(job).get("failed") or 0), "active": 1})
            code = await asyncio.wait_for(process.wait(), float(spec.get("activeDeadlineSeconds") or 3600))
            return code, f"the trainer ended with {shown_exit(code)}"
        except TimeoutError:
            return None, f"the deadline of {spec.get('activeDeadlineSeconds')} s is over"
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    def _lay_out(self, spec: Object, folder: Path) -> None:
        """The data volume: the keys of the user's ConfigMap as files, and nothing of an earlier attempt."""
        shutil.rmtree(folder, ignore_errors=True)
        self._layout.make(folder / "data")
        for volume in spec["template"]["spec"]["volumes"]:
            source = volume.get("configMap")
            data = (self._store.get(CONFIG_MAP, source["name"]) or {}).get("data") or {} if source else {}
            for item in (source or {}).get("items") or ():
                if item["key"] in data:
                    (folder / "data" / item["path"]).write_text(data[item["key"]], encoding="utf-8", newline="")

    def _job(self, uid: str, name: str) -> Object | None:
        job = self._store.get(JOB, name)
        return job if job is not None and uid_of(job) == uid else None

    def _take_result(self, uid: str, name: str, folder: Path) -> bool:
        """Hands an artifact that is whole to its ConfigMap, as the trainer's patch would, and ends the Job."""
        job = self._job(uid, name)
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

    def _take_failure(self, job: Object, folder: Path) -> str:
        """The trainer's own words, empty where it left none."""
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
