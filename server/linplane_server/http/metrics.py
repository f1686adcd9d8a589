"""`/metrics`: reads the plain counters when it is scraped. Nothing here runs while a prediction is answered.

Labels are bounded: routes and versions that a loaded document names, kinds of refusal from a fixed list. A request
cannot make a new one.
"""

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ..routing.source import ConfigSource
from ..state.counters import BOUNDS, UNCHOSEN, Series
from ..state.serving import Serving

_LABELS = ("route", "version")


class ServerCollector(Collector):
    """See the module."""

    def __init__(self, serving: Serving, source: ConfigSource) -> None:
        """Reads it at each scrape."""
        self._serving = serving
        self._source = source

    def collect(self) -> Iterator[Metric]:
        """Every metric of this process; safe in another thread than that which counts."""
        yield from _requests([*self._serving.counters.items(), (UNCHOSEN, UNCHOSEN, self._serving.counters.unrouted)])
        yield from self._routing()

    def _routing(self) -> Iterator[Metric]:
        snapshot = self._serving.store.snapshot
        yield GaugeMetricFamily("linplane_routes", "Routes loaded.", value=len(snapshot.routes))
        yield GaugeMetricFamily(
            "linplane_routes_rejected", "Routes whose newest document was refused.", value=len(snapshot.rejected)
        )
        yield GaugeMetricFamily(
            "linplane_routing_sequence", "Sequence of the routing map taken up last.", value=snapshot.sequence
        )
        yield GaugeMetricFamily(
            "linplane_routing_loaded_timestamp_seconds",
            "When that was; 0: never.",
            value=self._serving.store.loaded_at or 0,
        )
        yield CounterMetricFamily(
            "linplane_snapshot_swaps", "How often a new state was taken up.", value=self._serving.store.swaps
        )
        source = GaugeMetricFamily("linplane_routing_source_info", "Where routing maps come from.", labels=("source",))
        source.add_metric((self._source.name,), 1)
        yield source
        if self._source.heard_at is not None:
            yield GaugeMetricFamily(
                "linplane_routing_source_heard_timestamp_seconds",
                "When the API server last said something of the routing: at least each minute, where all is well.",
                value=self._source.heard_at,
            )
        info = GaugeMetricFamily(
            "linplane_route_info", "What each route is answered by.", labels=("route", "revision", "current")
        )
        for name, route in sorted(snapshot.routes.items()):
            info.add_metric((name, route.revision, route.current_name or ""), 1)
        yield info


def _requests(items: list[tuple[str, str, Series]]) -> Iterator[Metric]:
    """By route and version. Requests that were refused before a version was chosen have none, and no series as long as
    there was no such request.
    """
    requests = CounterMetricFamily(
        "linplane_predict_requests", "Requests, by the version chosen; none where refused before.", labels=_LABELS
    )
    errors = CounterMetricFamily(
        "linplane_predict_errors", "Requests that got no prediction.", labels=(*_LABELS, "kind")
    )
    durations = HistogramMetricFamily(
        "linplane_predict_duration_seconds", "From a request read to its answer made.", labels=_LABELS
    )
    limited = CounterMetricFamily("linplane_rate_limited", "Requests over a route's limit.", labels=("route",))
    for route, version, series in items:
        kinds = sorted(dict(series.errors).items())
        if route and version == UNCHOSEN:
            limited.add_metric((route,), dict(kinds).get("rate_limited", 0))
        counts = list(accumulate(list(series.buckets)))
        if version == UNCHOSEN and not counts[-1]:
            continue
        requests.add_metric((route, version), counts[-1])
        bounds = [*map(str, BOUNDS), "+Inf"]
        durations.add_metric((route, version), list(zip(bounds, counts, strict=True)), series.seconds)
        for kind, count in kinds:
            errors.add_metric((route, version, kind), count)
    yield from (requests, errors, durations, limited)


def metrics_registry(collector: Collector) -> CollectorRegistry:
    """A registry with this collector and the process's own figures."""
    result = CollectorRegistry()
    result.register(collector)
    ProcessCollector(registry=result)
    return result
