"""Events, written aside: a change is told, a storm is not."""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from datetime import datetime

from linplane_api.kinds import Kind

from ..compile.news import REASONS
from ..compile.objects import Object, meta, name_of, uid_of
from .client import ApiError, AwayError, Client, path_of

BURST = 25  # of one object, as many warnings, and as many of what somebody did
EVERY_SECONDS = 10.0
WAITING = 1000

EVENT = Kind("Event", "events", "events.k8s.io/v1", "ev")

log = logging.getLogger(__name__)


class Events:
    """Takes events at once and writes them one after the other; where too many wait, a new one is dropped."""

    def __init__(self, client: Client, now: Callable[[], datetime], reporter: str) -> None:
        """`reporter` is the name of this very process, for `reportingInstance`."""
        self._client = client
        self._now = now
        self._reporter = reporter
        self._waiting: asyncio.Queue[Object] = asyncio.Queue(WAITING)
        self._tokens: dict[tuple[str, str], tuple[float, float]] = {}  # by UID and kind: tokens left, when
        self._many = WAITING  # of those, before they are looked through
        self.written = 0
        self.dropped = 0

    def tell(self, about: Object, warning: bool, reason: str, message: str) -> None:
        """Asks for an Event; never waits, never fails."""
        if not self._allowed((uid_of(about), "Done" if reason in REASONS else _type(warning))):
            self.dropped += 1
            return
        try:
            self._waiting.put_nowait(self._make(about, warning, reason, message))
        except asyncio.QueueFull:
            self.dropped += 1

    def _allowed(self, key: tuple[str, str]) -> bool:
        now = self._now().timestamp()
        tokens, since = self._tokens.get(key, (float(BURST), now))
        tokens = min(float(BURST), tokens + (now - since) / EVERY_SECONDS)
        self._tokens[key] = (max(0.0, tokens - 1), now)
        if len(self._tokens) > self._many:
            self._forget_full(now)
        return tokens >= 1

    def _forget_full(self, now: float) -> None:
        """What has all its tokens again is as one that was never heard of."""
        self._tokens = {
            key: (left, since)
            for key, (left, since) in self._tokens.items()
            if left + (now - since) / EVERY_SECONDS < BURST
        }
        self._many = max(WAITING, 2 * len(self._tokens))

    def _make(self, about: Object, warning: bool, reason: str, message: str) -> Object:
        now = self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        unique = hashlib.sha256(f"{uid_of(about)}/{reason}/{message}/{now}".encode()).hexdigest()[:16]
        namespace = meta(about).get("namespace", "default")
        return {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": f"{name_of(about)[:200]}.{unique}", "namespace": namespace},
            "eventTime": now,
            "reportingController": "linplane.dev/operator",
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
        """Writes until it is cancelled."""
        while True:
            event = await self._waiting.get()
            path = path_of(EVENT, event["metadata"]["namespace"])
            try:
                await self._client.call("POST", path, body=event)
                self.written += 1
            except (ApiError, AwayError) as error:  # a namespace that goes away takes no events
                self.dropped += 1
                log.debug("event not written: %s", error)


async def refused_jobs(client: Client, namespace: str) -> dict[str, str]:
    """By UID of each Job that the API server let make no pod: its last words about it."""
    found: dict[str, tuple[str, str]] = {}
    async for event in client.list(EVENT, namespace, fields="reason=FailedCreate,regarding.kind=Job"):
        uid = str((event.get("regarding") or {}).get("uid"))
        found[uid] = max(found.get(uid, ("", "")), (_when(event), str(event.get("note") or "")))
    return {uid: note for uid, (_, note) in found.items()}


def _when(event: Object) -> str:
    """The last time that it was seen, by whichever of the two APIs it was written."""
    last = (event.get("series") or {}).get("lastObservedTime") or event.get("deprecatedLastTimestamp")
    return str(last or event.get("eventTime") or meta(event).get("creationTimestamp") or "")


def _type(warning: bool) -> str:
    return "Warning" if warning else "Normal"
