"""Two operators of different versions may want an object in two ways, and each would write back what the other wrote,
without end. Nothing elects one of them: such a write waits, twice as long each time.

A write is a write-back if it is one of the last that this process made of that object, and the object no longer holds
what the last one left. It waits only if another process of the same field manager has written since. `managedFields`
tells so in whole seconds, so the first second of a contest may go unseen. What users change waits for nothing.
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
"""So many times the last wait without a contest, and the next begins with the first wait again."""
REMEMBERED = 4  # writes of an object
PURGE_FROM = 4096  # objects
_TIMES = re.compile(rb'"(?:lastTransitionTime|at)":"[^"]*"')

What = tuple[str, str]
"""An object's UID, and the subresource."""


class _Mark(NamedTuple):
    """What `managedFields` tells of our field manager: when it last wrote, and which fields it owns."""

    time: str
    fields: str


@dataclass
class _Record:
    mark: _Mark = field(default_factory=lambda: _Mark("", ""))
    left: str = ""  # a hash of what the last write left
    at: float = 0.0
    writes: list[str] = field(default_factory=list)
    count: int = 0
    since: float = 0.0  # when it was last found to be contested
    due: float = 0.0  # when the next write-back may be; 0: it need not wait


class WriteConflicts:
    """What this process wrote, and who writes it back."""

    def __init__(self, clock: Callable[[], float], first: float = FIRST_SECONDS, last: float = LAST_SECONDS) -> None:
        """`clock` gives seconds that never go back; the waits go from `first` to `last`."""
        self._clock = clock
        self._wait = Backoff(first, last).delay
        self._kept = CALM * last
        self._records: dict[What, _Record] = {}
        self._many = PURGE_FROM

    def is_write_back(self, what: What, asked: Any, seen: Object) -> bool:
        """The very same was written lately, and the object no longer holds what the last write left."""
        record = self._records.get(what)
        if record is None or record.left == _content(seen, what[1]):
            return False
        return _fingerprint(asked) in record.writes

    def pending(self, what: What) -> float | None:
        """How much longer a write-back has to wait, 0 if it is its turn; None if it is to be judged first."""
        record = self._records[what]
        if not record.due:
            return None
        left = record.due - self._clock()
        if left <= 0:
            record.due = 0.0
        return max(0.0, left)

    def judge(self, what: What, live: Object) -> float:
        """For how many seconds a write-back waits, given the object as it is: 0 if it is not contested."""
        record, now = self._records[what], self._clock()
        if record.count and now - record.since > CALM * self._wait(record.count):
            record.count = 0
        if not _is_contested(record, live, what[1]):
            return 0.0
        record.count, record.since = record.count + 1, now
        record.due = now + self._wait(record.count)
        return self._wait(record.count)

    def wrote(self, what: What, asked: Any, answer: Object) -> None:
        """Remembers a write of this process, and what the API server answered."""
        record = self._records.setdefault(what, _Record())
        record.mark, record.left = _mark(answer, what[1]), _content(answer, what[1])
        record.at, record.due = self._clock(), 0.0
        text = _fingerprint(asked)
        record.writes = [text, *(other for other in record.writes if other != text)][:REMEMBERED]
        if len(self._records) > self._many:
            self._purge()

    def _purge(self) -> None:
        since = self._clock() - self._kept
        self._records = {what: record for what, record in self._records.items() if record.at > since}
        self._many = max(PURGE_FROM, 2 * len(self._records))


def _is_contested(record: _Record, live: Object, part: str) -> bool:
    """Another process of our field manager wrote something else since, perhaps in the second of our own write. An edit
    by hand takes fields away from our entry, or has a newer entry of its own.
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
    """A hash of what an operator wants of an object: a status, or `data` and the hash that it puts on a child. Writes
    of other parts don't change it, nor do a user's labels and annotations.
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


def _fingerprint(asked: Any) -> str:
    """The same for what differs by nothing but the times that a status counts from."""
    return _digest(_TIMES.sub(b"", msgspec.json.encode(asked, order="sorted")))


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()[:12]
