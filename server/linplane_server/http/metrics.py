"""Metrics: a collector that reads the counters at each scrape, and adds no work to predictions.

Labels are bounded: routes and versions come from loaded documents, kinds of refusal from a fixed list. A request cannot
create a series.
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
    """A collector for prometheus_client."""

    def __init__(self, serving: Serving, source: ConfigSource) -> None:
        """`serving` and `source` are read at each scrape."""
        self._serving = serving
        self._source = source

    def collect(self) -> Iterator[Metric]:
        """Yields every metric of this server; safe to call from another thread."""
        yield from _requests([*self._serving.counters.items(), (UNCHOSEN, UNCHOSEN, self._serving.counters.unrouted)])
        yield from self._routing()

    def _routing(self) -> Iterator[Metric]:
        snapshot = self._serving.store.snapshot
        yield GaugeMetricFamily("linplane_routes", "Routes loaded.", value=len(snapshot.routes))
        yield GaugeMetricFamily(
            "linplane_routes_rejected", "Routes whose newest document was refused.", value=len(snapshot.rejected)
        )
        yield GaugeMetricFamily(
            "linplane_routing_sequence", "Sequence of the routing map in force.", value=snapshot.sequence
        )
        yield GaugeMetricFamily(
            "linplane_routing_loaded_timestamp_seconds",
            "Unix time at which it was loaded; 0: never.",
            value=self._serving.store.loaded_at or 0,
        )
        yield CounterMetricFamily(
            "linplane_snapshot_swaps", "Number of snapshots put in force.", value=self._serving.store.swaps
        )
        source = GaugeMetricFamily("linplane_routing_source_info", "Source of the routing maps.", labels=("source",))
        source.add_metric((self._source.name,), 1)
        yield source
        if self._source.heard_at is not None:
            yield GaugeMetricFamily(
                "linplane_routing_source_heard_timestamp_seconds",
                "Unix time of the API server's last message about the routing; a healthy watch has one every minute.",
                value=self._source.heard_at,
            )
        info = GaugeMetricFamily(
            "linplane_route_info",
            "Revision and current version of each route.",
            labels=("route", "revision", "current"),
        )
        for name, route in sorted(snapshot.routes.items()):
            info.add_metric((name, route.revision, route.current_name or ""), 1)
        yield info


def _requests(items: list[tuple[str, str, Series]]) -> Iterator[Metric]:
    """Yields the metrics by route and version. Requests that were refused before a version was chosen have an empty
    version, and a series only once there is such a request.
    """
    requests = CounterMetricFamily(
        "linplane_predict_requests",
        "Requests, by the version chosen (empty if refused before) and the client protocol.",
        labels=(*_LABELS, "protocol"),
    )
    named = CounterMetricFamily(
        "linplane_predict_named_version",
        "Requests whose path named the version, refused ones too. The hits of a version and "
        "linplane_predict_requests_total have them as well: the difference is what the split assigned.",
        labels=_LABELS,
    )
    errors = CounterMetricFamily(
        "linplane_predict_errors", "Requests that got no prediction.", labels=(*_LABELS, "kind")
    )
    durations = HistogramMetricFamily(
        "linplane_predict_duration_seconds",
        "Time from a request's last byte read to its response made.",
        labels=_LABELS,
    )
    limited = CounterMetricFamily(
        "linplane_rate_limited", "Requests refused by a route's rate limit.", labels=("route",)
    )
    for route, version, series in items:
        kinds = sorted(dict(series.errors).items())
        if route and version == UNCHOSEN:
            limited.add_metric((route,), dict(kinds).get("rate_limited", 0))
        counts = list(accumulate(list(series.buckets)))
        if version == UNCHOSEN and not counts[-1]:
            continue
        for protocol, number in dict(series.protocols).items():
            requests.add_metric((route, version, protocol), number)
        if version != UNCHOSEN:
            named.add_metric((route, version), series.named)
        bounds = [*map(str, BOUNDS), "+Inf"]
        durations.add_metric((route, version), list(zip(bounds, counts, strict=True)), series.seconds)
        for kind, count in kinds:
            errors.add_metric((route, version, kind), count)
    yield from (requests, named, errors, durations, limited)


def metrics_registry(collector: Collector) -> CollectorRegistry:
    """Returns a registry with this collector and the metrics of the process."""
    result = CollectorRegistry()
    result.register(collector)
    ProcessCollector(registry=result)
    return result
