"""Metrics of the operator, whose labels never come from users."""

from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from linplane_api.api_access import ApiError, connection_error
from linplane_api.kinds import LINEAR_MODEL, MODEL_ROUTE
from linplane_operator.cluster_client import ConflictError
from linplane_operator.kube.http import resource_of
from linplane_operator.kube.metrics import Counters, Gauges, GaugesCollector
from linplane_operator.observe.cache import ObjectCache


def figures() -> Gauges:
    return Gauges(
        synced=True, queue_depth=3, queue_failing=1, queue_stalled=0.5, longest_running=0.25, resync_age=12.0,
        events_written=4, events_dropped=2, watches=[(LINEAR_MODEL, 5, 1.5, 0.0)],
    )  # fmt: skip


class Scraped:
    """A registry whose samples are read by name and labels."""

    def __init__(self) -> None:
        self.registry, self.cache = CollectorRegistry(), ObjectCache()
        self.counts = Counters(self.registry)
        self.registry.register(GaugesCollector(figures, self.cache))

    def __call__(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"linplane_operator_{name}", labels)


def put(cache: ObjectCache, kind: Any, name: str, *conditions: dict[str, str]) -> None:
    cache.put(kind, {"metadata": {"name": name, "namespace": "n"}, "status": {"conditions": list(conditions)}})


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (None, "success"),
        (ConflictError("x"), "conflict"),
        (connection_error(TimeoutError()), "away"),
        (ApiError(403, "Forbidden", "x"), "error"),
        (KeyError("x"), "error"),
    ],
)
def test_reconciles_are_counted_by_result(error: Exception | None, result: str) -> None:
    scraped = Scraped()
    assert scraped("reconciles_total", kind="ModelRoute", result=result) == 0
    scraped.counts.reconciled("ModelRoute", 0.02, error)
    assert scraped("reconciles_total", kind="ModelRoute", result=result) == 1
    assert scraped("reconcile_duration_seconds_bucket", kind="ModelRoute", le="0.025") == 1
    assert scraped("reconcile_duration_seconds_bucket", kind="ModelRoute", le="0.01") == 0


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("/apis/linplane.dev/v1alpha1/namespaces/n/linearmodels/iris-v1/status", "linearmodels/status"),
        ("/apis/linplane.dev/v1alpha1/namespaces/namespaces/modelroutes/status", "modelroutes"),
        ("/apis/linplane.dev/v1alpha1/linearmodels", "linearmodels"),
        ("/api/v1/namespaces/n/configmaps", "configmaps"),
        ("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "selfsubjectaccessreviews"),
        ("/apis/linplane.dev/v1alpha1", "discovery"),
    ],
)
def test_calls_are_counted_by_resource(path: str, resource: str) -> None:
    scraped = Scraped()
    assert resource_of(path) == resource
    scraped.counts.called("PATCH", resource_of(path), 0)
    scraped.counts.called("PATCH", resource_of(path), 200)
    for code in ("none", "200"):
        assert scraped("api_requests_total", method="PATCH", resource=resource, code=code) == 1


def test_objects_are_counted_by_ready_condition() -> None:
    scraped = Scraped()
    put(scraped.cache, MODEL_ROUTE, "a", {"type": "Ready", "status": "True", "reason": "Ready"})
    put(scraped.cache, MODEL_ROUTE, "b", {"type": "Ready", "status": "False", "reason": "VersionFrozen"})
    put(scraped.cache, MODEL_ROUTE, "c", {"type": "Ready", "status": "False", "reason": "VersionFrozen"})
    put(scraped.cache, MODEL_ROUTE, "d", {"type": "Ready", "status": "x", "reason": "WhoeverMayPatchAStatus"})
    put(scraped.cache, MODEL_ROUTE, "e", {"type": "Accepted", "status": "True", "reason": "Accepted"})
    assert scraped("objects", kind="ModelRoute", ready="True", reason="Ready") == 1
    assert scraped("objects", kind="ModelRoute", ready="False", reason="VersionFrozen") == 2
    assert scraped("objects", kind="ModelRoute", ready="Unknown", reason="other") == 1
    assert scraped("objects", kind="ModelRoute", ready="Unknown", reason="none") == 1
    assert scraped("objects", kind="ModelServer", ready="Unknown", reason="none") == 0


def test_metrics_have_the_prefix_and_a_help_text() -> None:
    scraped = Scraped()
    families = list(text_string_to_metric_families(generate_latest(scraped.registry).decode()))
    assert len(families) > 12
    for family in families:
        assert family.name.startswith("linplane_operator_")
        assert family.documentation.endswith((".", "it has none yet."))
