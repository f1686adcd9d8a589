"""Slows down two operators that overwrite each other's writes, as two versions with different desired states would.
There is no leader election: each such write waits, twice as long each time.

A write is a write-back if this process made the same write lately and the object no longer has the result. It waits
only if another process with the same field manager has written since. `managedFields` has whole seconds, so the first
second of a conflict may go unnoticed. Repairs of users' changes never wait.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from linplane_api import names
from linplane_api.timing import Backoff

from ..compile.objects import Object, annotation_of, meta

FIRST_SECONDS = 1.0
LAST_SECONDS = 300.0
CALM = 10.0
"""The backoff is reset after this many times the last wait without a conflict."""
REMEMBERED = 4  # writes per object
PURGE_FROM = 4096  # objects
_TIMES = re.compile(rb'"(?:lastTransitionTime|at)":"[^"]*"')

What = tuple[str, str]
"""An object's UID, and the subresource."""


class _Mark(NamedTuple):
    """The entry of our field manager in `managedFields`: time of the last write, and owned fields."""

    time: str
    fields: str


@dataclass
class _Record:
    mark: _Mark = field(default_factory=lambda: _Mark("", ""))
    left: str = ""  # hash of the object after the last write
    at: float = 0.0
    writes: list[str] = field(default_factory=list)
    count: int = 0
    since: float = 0.0  # when the last conflict was found
    due: float = 0.0  # earliest time of the next write-back; 0: at once


class WriteConflicts:
    """Remembers the writes of this process, and finds those that another one reverts."""

    def __init__(self, clock: Callable[[], float], first: float = FIRST_SECONDS, last: float = LAST_SECONDS) -> None:
        """`clock` is monotonic, in seconds; the waits grow from `first` to `last`."""
        self._clock = clock
        self._wait = Backoff(first, last).delay
        self._kept = CALM * last
        self._records: dict[What, _Record] = {}
        self._many = PURGE_FROM

    def is_write_back(self, what: What, desired: Any, seen: Object) -> bool:
        """True if the same was written lately and the object no longer has the result of the last write."""
        record = self._records.get(what)
        if record is None or record.left == _content(seen, what[1]):
            return False
        return _fingerprint(desired) in record.writes

    def pending(self, what: What) -> float | None:
        """Seconds until the write-back may be made; None if `check` has to decide first."""
        record = self._records[what]
        if not record.due:
            return None
        left = record.due - self._clock()
        if left <= 0:
            record.due = 0.0
        return max(0.0, left)

    def check(self, what: What, live: Object) -> float:
        """Seconds that a write-back has to wait, given the live object: 0 if there is no conflict."""
        record, now = self._records[what], self._clock()
        if record.count and now - record.since > CALM * self._wait(record.count):
            record.count = 0
        if not _is_contested(record, live, what[1]):
            return 0.0
        record.count, record.since = record.count + 1, now
        record.due = now + self._wait(record.count)
        return self._wait(record.count)

    def wrote(self, what: What, desired: Any, answer: Object) -> None:
        """Remembers a write of this process and the API server's answer."""
        record = self._records.setdefault(what, _Record())
        record.mark, record.left = _mark(answer, what[1]), _content(answer, what[1])
        record.at, record.due = self._clock(), 0.0
        text = _fingerprint(desired)
        record.writes = [text, *(other for other in record.writes if other != text)][:REMEMBERED]
        if len(self._records) > self._many:
            self._purge()

    def _purge(self) -> None:
        since = self._clock() - self._kept
        self._records = {what: record for what, record in self._records.items() if record.at > since}
        self._many = max(PURGE_FROM, 2 * len(self._records))


def _is_contested(record: _Record, live: Object, part: str) -> bool:
    """True if another process with our field manager has written since, perhaps within the second of our own write. An
    edit by a user removes fields from our entry, or has a newer entry of its own.
    """
    now = _mark(live, part)
    if not record.mark.time or _content(live, part) == record.left:
        return False
    if now.time > record.mark.time:
        return True
    others = [str(entry.get("time")) for entry in _entries(live, part) if not _is_ours(entry)]
    is_whole = bool(record.count) or now.fields == record.mark.fields
    return is_whole and max(others, default="") < record.mark.time


def _content(body: Object, part: str) -> str:
    """A hash of the parts that an operator sets: the status, or `data` and the hash annotation of a child. Other parts,
    such as a user's labels and annotations, do not change it.
    """
    if part:
        return _fingerprint(body.get(part))
    stamp = annotation_of(body, names.ANNOTATION_APPLIED)
    return _fingerprint([stamp, body.get("data"), body.get("immutable")])


def _entries(body: Object, part: str) -> list[Object]:
    return [entry for entry in meta(body).get("managedFields") or () if (entry.get("subresource") or "") == part]


def _is_ours(entry: Object) -> bool:
    return bool(entry.get("manager") == names.FIELD_MANAGER)


def _mark(body: Object, part: str) -> _Mark:
    ours = [entry for entry in _entries(body, part) if _is_ours(entry)]
    fields = sorted(_digest(msgspec.json.encode(entry.get("fieldsV1"), order="sorted")) for entry in ours)
    return _Mark(max((str(entry.get("time")) for entry in ours), default=""), "".join(fields))


def _fingerprint(desired: Any) -> str:
    """A hash that ignores the times in a status."""
    return _digest(_TIMES.sub(b"", msgspec.json.encode(desired, order="sorted")))


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()[:12]
