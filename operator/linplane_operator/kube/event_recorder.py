"""Writes Kubernetes Events in the background, rate-limited per object; reads those of failed Job pods."""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from datetime import datetime

from linplane_api import names
from linplane_api.api_access import ApiError, collection_path
from linplane_api.kinds import Kind
from linplane_api.timing import Clock, TokenBuckets, rfc3339

from ..compile.change_events import REASONS
from ..compile.objects import Object, meta, name_of, namespace_of, uid_of
from .http import HttpClient

BURST = 25  # per object: of warnings, of normal Events, and of changes that a user made
EVERY_SECONDS = 10.0
WAITING = 1000

EVENT = Kind("Event", "events", "events.k8s.io/v1", "ev")

log = logging.getLogger(__name__)


class EventRecorder:
    """Queues Events and writes them one by one; if too many are queued, new ones are dropped."""

    def __init__(self, client: HttpClient, now: Callable[[], datetime], clock: Clock, reporter: str) -> None:
        """`now` gives the times in Events, `clock` limits their rate; `reporter` becomes `reportingInstance`."""
        self._client = client
        self._now = now
        self._reporter = reporter
        self._waiting: asyncio.Queue[Object] = asyncio.Queue(WAITING)
        self._buckets: TokenBuckets[tuple[str, str]] = TokenBuckets(1 / EVERY_SECONDS, BURST, clock)  # by UID and kind
        self.written = 0
        self.dropped = 0

    def record(self, about: Object, warning: bool, reason: str, message: str) -> None:
        """Queues an Event; never waits, never fails."""
        if self._buckets.acquire((uid_of(about), "Done" if reason in REASONS else _type(warning))):
            self.dropped += 1
            return
        try:
            self._waiting.put_nowait(self._make(about, warning, reason, message))
        except asyncio.QueueFull:
            self.dropped += 1

    def _make(self, about: Object, warning: bool, reason: str, message: str) -> Object:
        now = rfc3339(self._now(), "microseconds")
        unique = hashlib.sha256(f"{uid_of(about)}/{reason}/{message}/{now}".encode()).hexdigest()[:16]
        namespace = namespace_of(about)
        return {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": f"{name_of(about)[:200]}.{unique}", "namespace": namespace},
            "eventTime": now,
            "reportingController": f"{names.GROUP}/operator",
            "reportingInstance": self._reporter,
            "action": "Reconcile",
            "reason": reason,
            "type": _type(warning),
            "note": message[:1024],
            "regarding": {
                "apiVersion": about["apiVersion"],
                "kind": about["kind"],
                "name": name_of(about),
                "namespace": namespace,
                "uid": uid_of(about),
                "resourceVersion": meta(about).get("resourceVersion", ""),
            },
        }

    async def run(self) -> None:
        """Writes queued Events until cancelled."""
        while True:
            event = await self._waiting.get()
            path = collection_path(EVENT, event["metadata"]["namespace"])
            try:
                await self._client.call("POST", path, body=event)
                self.written += 1
            except ApiError as error:  # for example in a namespace that is being deleted
                self.dropped += 1
                log.debug("event not written: %s", error)


async def failed_creates(client: HttpClient, namespace: str) -> dict[str, str]:
    """By UID of each Job whose pod creation failed: the note of its last FailedCreate Event."""
    found: dict[str, tuple[str, str]] = {}
    async for event in client.list(EVENT, namespace, fields="reason=FailedCreate,regarding.kind=Job"):
        uid = str((event.get("regarding") or {}).get("uid"))
        found[uid] = max(found.get(uid, ("", "")), (_when(event), str(event.get("note") or "")))
    return {uid: note for uid, (_, note) in found.items()}


def _when(event: Object) -> str:
    """The time of its last occurrence; the field depends on which of the two Event APIs wrote it."""
    last = (event.get("series") or {}).get("lastObservedTime") or event.get("deprecatedLastTimestamp")
    return str(last or event.get("eventTime") or meta(event).get("creationTimestamp") or "")


def _type(warning: bool) -> str:
    return "Warning" if warning else "Normal"
