"""A ClusterClient that records its calls, and crashes or fails at a chosen write."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from linplane_api.condition_table import TABLE, Progress, status_of
from linplane_api.conditions import ConditionType, Reason
from linplane_api.kinds import Kind
from linplane_operator.compile.conditions import PROGRESS_TYPES
from linplane_operator.local.client import LocalClient
from unit.operator.builders import Object


class Crash(BaseException):
    """The process died."""


def judge_conditions(conditions: Sequence[Object]) -> None:
    """Asserts the invariants of every status that is written."""
    assert len({item["type"] for item in conditions}) == len(conditions), "the CRDs' list is a map by type"
    for item in (item for item in conditions if item["type"] in {*ConditionType}):  # a later release has others
        assert item["status"] == status_of(ConditionType(item["type"]), Reason(item["reason"])), item
    ready = next(item for item in conditions if item["type"] == "Ready")
    progress = [item for item in conditions if item["type"] in PROGRESS_TYPES]
    assert len(progress) <= (ready["status"] != "True"), conditions
    assert all((item["reason"], item["message"]) == (ready["reason"], ready["message"]) for item in progress)
    if TABLE[Reason(ready["reason"])].progress in (Progress.STALLED, Progress.RECONCILING):
        assert [item["type"] for item in progress] == [TABLE[Reason(ready["reason"])].progress.value]


class Recorder:
    """Wraps another client."""

    def __init__(self, inner: LocalClient, changes: Callable[[], int]) -> None:
        """`changes` returns the number of changes of the store."""
        self._inner = inner
        self._changes = changes
        self.effective: list[int] = []  # the numbers of the writes that changed something, from 1
        self.writes: list[tuple[str, str, str]] = []
        self.events: list[tuple[str, bool, str, str]] = []
        self.die_at: int | None = None
        self.lose_reply_of: int | None = None
        self.applied = True  # whether the write at which it crashes is carried out
        self.before_write: Callable[[str, Object], None] = lambda _verb, _body: None
        self.wrote_status: Callable[[Object, Object], None] = lambda _body, _status: None

    async def read(self, kind: Kind, namespace: str, name: str) -> Object | None:
        return await self._inner.read(kind, namespace, name)

    async def pod_failures(self, namespace: str) -> dict[str, str]:
        return await self._inner.pod_failures(namespace)

    async def create(self, body: Object) -> Object:
        with self._write("create", body):
            return await self._inner.create(body)

    async def apply(self, body: Object) -> Object:
        with self._write("apply", body):
            return await self._inner.apply(body)

    async def check(self, body: Object) -> None:
        await self._inner.check(body)

    async def replace(self, body: Object, seen: Object, cause: str = "") -> Object:
        with self._write("replace", body):
            return await self._inner.replace(body, seen, cause)

    async def write_status(self, kind: Kind, seen: Object, status: Object) -> None:
        judge_conditions(status.get("conditions") or ())
        with self._write("status", seen):
            await self._inner.write_status(kind, seen, status)
        self.wrote_status(seen, status)

    async def delete(self, kind: Kind, seen: Object, *, unchanged: bool = False) -> None:
        with self._write("delete", seen):
            await self._inner.delete(kind, seen, unchanged=unchanged)

    def event(self, about: Object, *, warning: bool, reason: str, message: str) -> None:
        self.events.append((about["metadata"]["name"], warning, reason, message))

    def url_of(self, route: Object) -> str:
        return self._inner.url_of(route)

    @contextmanager
    def _write(self, verb: str, body: Object) -> Iterator[None]:
        self.before_write(verb, body)
        last = self.die_at is not None and len(self.writes) + 1 >= self.die_at
        if last and not self.applied:
            raise Crash
        before = self._changes()
        yield
        self.writes.append((verb, body["kind"], body["metadata"]["name"]))
        if self._changes() != before:
            self.effective.append(len(self.writes))
        if last:
            raise Crash
        if len(self.writes) == self.lose_reply_of:
            raise ConnectionResetError
