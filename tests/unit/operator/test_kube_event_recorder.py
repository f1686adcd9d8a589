"""Rate limits of Events."""

from datetime import UTC, datetime
from typing import Any

from linplane_operator.kube.event_recorder import BURST, EVERY_SECONDS, WAITING, EventRecorder
from linplane_operator.kube.http import HttpClient

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def about(uid: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "n", "uid": uid}}


def test_event_buckets_of_deleted_objects_are_dropped_and_a_storm_is_limited() -> None:
    clock = [0.0]
    events = EventRecorder(HttpClient(None), lambda: NOW, lambda: clock[0], "here")  # type: ignore[arg-type]
    for number in range(5 * WAITING):
        events.record(about(f"u-{number}"), False, "Reason", "text")
        for _ in range(5):
            events.record(about("u-storm"), False, "Reason", "text")
        clock[0] += EVERY_SECONDS
    assert len(events._buckets) <= WAITING + 1
    assert events.dropped >= 4 * 5 * WAITING - BURST, "the storm's, but for one each time"
