"""Metrics of the operator. Label values (kinds, resources, reasons, results) are of fixed lists, never from users."""

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
    """The result label of a reconcile. `conflict` (the object was newer) and `away` (no answer from the API server) are
    retried and no defect; everything else is an `error`.
    """
    if error is None:
        return SUCCESS
    if isinstance(error, ConflictError):
        return CONFLICT
    return AWAY if isinstance(error, OSError) else ERROR


class Counters:
    """Metrics that are updated when something happens."""

    def __init__(self, registry: CollectorRegistry) -> None:
        prefix = "linplane_operator_"
        self._reconciles = Counter(
            prefix + "reconciles", "Reconciles by result.", ("kind", "result"), registry=registry
        )
        self._seconds = Histogram(
            prefix + "reconcile_duration_seconds",
            "Duration of a reconcile, including its writes.",
            ("kind",),
            registry=registry,
            buckets=BOUNDS,
        )
        self._requests = Counter(
            prefix + "api_requests",
            f"API server calls without watches; code {NO_ANSWER} means no answer.",
            ("method", "resource", "code"),
            registry=registry,
        )
        for kind in RECONCILED:  # so that a rate has a start
            self._seconds.labels(kind.kind)
            for result in (SUCCESS, CONFLICT, AWAY, ERROR):
                self._reconciles.labels(kind.kind, result)

    def reconciled(self, kind: str, seconds: float, error: Exception | None) -> None:
        """Counts one reconcile, which raised `error` or succeeded."""
        self._reconciles.labels(kind, result_of(error)).inc()
        self._seconds.labels(kind).observe(seconds)

    def called(self, method: str, resource: str, status: int) -> None:
        """See `http.Counted`."""
        self._requests.labels(method, resource, str(status) if status else NO_ANSWER).inc()


@dataclass(frozen=True)
class Gauges:
    """Values that are read at each scrape. Ages are in seconds."""

    synced: bool
    queue_depth: int
    queue_failing: int
    queue_stalled: float  # how long keys have waited without one being taken
    longest_running: float
    resync_age: float
    events_written: int
    events_dropped: int
    watches: Iterable[tuple[Kind, int, float, float]]
    """Kind, watch events, seconds since the last one, lag in seconds."""


class GaugesCollector(Collector):
    """Computes gauges at each scrape."""

    def __init__(self, read: Callable[[], Gauges], cache: ObjectCache) -> None:
        self._read = read
        self._cache = cache

    def collect(self) -> Iterator[Metric]:
        """Call it in the event loop of the cache."""
        gauges = self._read()
        info = GaugeMetricFamily("linplane_operator_build_info", "Always 1.", labels=("version",))
        info.add_metric((version("linplane"),), 1)
        yield info
        for name, text, value in (
            ("synced", "1 once every kind was listed and reconciling has started.", gauges.synced),
            ("queue_depth", "Keys that are queued or being reconciled.", gauges.queue_depth),
            ("queue_failing", "Keys whose last reconcile failed; each is retried.", gauges.queue_failing),
            (
                "queue_stalled_seconds",
                "Seconds that keys have been queued without one being taken; 0 if none is queued.",
                gauges.queue_stalled,
            ),
            (
                "queue_longest_running_seconds",
                "Seconds of the longest reconcile in progress.",
                gauges.longest_running,
            ),
            ("resync_age_seconds", "Seconds since the last complete list of every kind.", gauges.resync_age),
        ):
            yield GaugeMetricFamily(f"linplane_operator_{name}", text, value=float(value))
        yield CounterMetricFamily("linplane_operator_events_written", "Events written.", value=gauges.events_written)
        yield CounterMetricFamily(
            "linplane_operator_events_dropped",
            "Events not written: rate limit of an object, full queue, or refused.",
            value=gauges.events_dropped,
        )
        yield from _watches(gauges)
        yield _objects(self._cache)


def _watches(gauges: Gauges) -> Iterator[Metric]:
    events = CounterMetricFamily("linplane_operator_watch_events", "Events received by a watch.", labels=("kind",))
    age = GaugeMetricFamily(
        "linplane_operator_watch_age_seconds",
        "Seconds since the last event of a watch; grows for kinds that do not change.",
        labels=("kind",),
    )
    behind = GaugeMetricFamily(
        "linplane_operator_watch_behind_seconds",
        "Seconds for which a LIST has shown objects that the watch has not delivered; 0 if it is up to date.",
        labels=("kind",),
    )
    for kind, count, since, lag in gauges.watches:
        events.add_metric((kind.kind,), count)
        age.add_metric((kind.kind,), since)
        behind.add_metric((kind.kind,), lag)
    yield from (events, age, behind)


def _objects(cache: ObjectCache) -> Metric:
    metric = GaugeMetricFamily(
        "linplane_operator_objects",
        "Objects by Ready condition; reason none means that it has none yet.",
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
    """A registry with the metrics of the process."""
    result = CollectorRegistry()
    ProcessCollector(registry=result)
    return result
