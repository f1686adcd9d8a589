"""`/metrics` of the operator. No label holds what a user could choose: kinds, resources, reasons and results are of
fixed lists.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from linplane_api.conditions import ConditionType, Reason
from linplane_api.kinds import LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, Kind

from ..cluster_client import ConflictError
from ..compile.conditions import condition_of
from ..compile.objects import Object, status_of
from ..observe.cache import ObjectCache

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
SUCCESS, CONFLICT, AWAY, ERROR = "success", "conflict", "away", "error"
RECONCILED = (LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER)
NO_ANSWER = "none"

_reasons = frozenset(Reason)


def result_of(error: Exception | None) -> str:
    """How a reconcile ended: `conflict` met a newer state, `away` got no answer from the API server; both are tried
    again and no defect. Everything else is an `error`.
    """
    if error is None:
        return SUCCESS
    if isinstance(error, ConflictError):
        return CONFLICT
    return AWAY if isinstance(error, OSError) else ERROR


class Counters:
    """What is counted when it happens."""

    def __init__(self, registry: CollectorRegistry) -> None:
        prefix = "linplane_operator_"
        self._reconciles = Counter(
            prefix + "reconciles", "Reconciles, by how they ended.", ("kind", "result"), registry=registry
        )
        self._seconds = Histogram(
            prefix + "reconcile_duration_seconds",
            "From a key taken to its status written.",
            ("kind",),
            registry=registry,
            buckets=BOUNDS,
        )
        self._requests = Counter(
            prefix + "api_requests",
            f"Calls of the API server, watches aside; code {NO_ANSWER}: there was no answer.",
            ("method", "resource", "code"),
            registry=registry,
        )
        for kind in RECONCILED:  # so that a rate has a beginning
            self._seconds.labels(kind.kind)
            for result in (SUCCESS, CONFLICT, AWAY, ERROR):
                self._reconciles.labels(kind.kind, result)

    def reconciled(self, kind: str, seconds: float, error: Exception | None) -> None:
        """One reconcile ended, with an error or None."""
        self._reconciles.labels(kind, result_of(error)).inc()
        self._seconds.labels(kind).observe(seconds)

    def called(self, method: str, resource: str, status: int) -> None:
        """See `client.Counted`."""
        self._requests.labels(method, resource, str(status) if status else NO_ANSWER).inc()


@dataclass(frozen=True)
class Gauges:
    """What is read when it is asked for. Ages are in seconds."""

    synced: bool
    queue_depth: int
    queue_failing: int
    queue_stalled: float  # how long keys wait without one being taken
    longest_running: float
    resync_age: float
    events_written: int
    events_dropped: int
    watches: Iterable[tuple[Kind, int, float, float]]
    """Kind, objects told of, seconds since the last one, seconds that it is behind."""


class GaugesCollector(Collector):
    """The metrics that are gauges, made at each scrape."""

    def __init__(self, read: Callable[[], Gauges], cache: ObjectCache) -> None:
        self._read = read
        self._cache = cache

    def collect(self) -> Iterator[Metric]:
        """Belongs to the event loop that the cache belongs to."""
        figures = self._read()
        info = GaugeMetricFamily("linplane_operator_build_info", "Always 1.", labels=("version",))
        info.add_metric((version("linplane"),), 1)
        yield info
        for name, text, value in (
            ("synced", "1 once every kind was listed and reconciling has begun.", figures.synced),
            ("queue_depth", "Keys that wait or are worked on.", figures.queue_depth),
            ("queue_failing", "Keys whose last reconcile failed; each is tried again.", figures.queue_failing),
            (
                "queue_stalled_seconds",
                "How long keys wait without one being taken; 0: none waits.",
                figures.queue_stalled,
            ),
            ("queue_longest_running_seconds", "The longest that a key is being worked on.", figures.longest_running),
            ("resync_age_seconds", "Since the last complete list of every kind.", figures.resync_age),
        ):
            yield GaugeMetricFamily(f"linplane_operator_{name}", text, value=float(value))
        yield CounterMetricFamily("linplane_operator_events_written", "Events written.", value=figures.events_written)
        yield CounterMetricFamily(
            "linplane_operator_events_dropped",
            "Events not written: too many of one object, too many at once, or refused.",
            value=figures.events_dropped,
        )
        yield from _watches(figures)
        yield _objects(self._cache)


def _watches(figures: Gauges) -> Iterator[Metric]:
    told = CounterMetricFamily("linplane_operator_watch_events", "Objects that a watch told of.", labels=("kind",))
    age = GaugeMetricFamily(
        "linplane_operator_watch_age_seconds",
        "Since a watch last told of an object; a kind of which nothing changes grows old.",
        labels=("kind",),
    )
    behind = GaugeMetricFamily(
        "linplane_operator_watch_behind_seconds",
        "Since when a list has shown what the watch has not told of yet; 0: it told of everything.",
        labels=("kind",),
    )
    for kind, count, since, owing in figures.watches:
        told.add_metric((kind.kind,), count)
        age.add_metric((kind.kind,), since)
        behind.add_metric((kind.kind,), owing)
    yield from (told, age, behind)


def _objects(cache: ObjectCache) -> Metric:
    metric = GaugeMetricFamily(
        "linplane_operator_objects",
        "Objects by their Ready condition; reason none: it has none yet.",
        labels=("kind", "ready", "reason"),
    )
    for kind in RECONCILED:
        counts = {("Unknown", "none"): 0}
        for body in cache.all(kind):
            label = _readiness(status_of(body))
            counts[label] = counts.get(label, 0) + 1
        for (ready, reason), count in sorted(counts.items()):
            metric.add_metric((kind.kind, ready, reason), count)
    return metric


def _readiness(status: Object) -> tuple[str, str]:
    ready = condition_of(status, ConditionType.READY)
    if ready is None:
        return "Unknown", "none"
    reason = ready.reason if ready.reason in _reasons else "other"
    return ready.status if ready.status in {"True", "False"} else "Unknown", reason


def metrics_registry() -> CollectorRegistry:
    """A registry with the process's own figures."""
    result = CollectorRegistry()
    ProcessCollector(registry=result)
    return result
