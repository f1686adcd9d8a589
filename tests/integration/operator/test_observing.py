"""The operator's probes, metrics and logs; with the API server there and away."""

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from integration.cluster.objects import config_map, route, version
from integration.operator.site import Site
from integration.server_cluster.forwarder import Forwarder
from linplane_api.kinds import MODEL_ROUTE
from linplane_operator.kube.watched_kinds import WATCHED
from support import eventually

AWAY_SECONDS = 10.0


@pytest.fixture(scope="module")
def api(site: Site) -> Iterator[Forwarder]:
    """Between operator and API server; a route is served."""
    port = urlsplit(site.plane.server).port
    assert port
    forwarder = Forwarder(port)
    site.operator.kill()
    site.operator.log.unlink()
    site.start_operator(through=forwarder.url)
    weights = config_map("iris", **{"model.json": '{"coefficients": {"x": 2}, "intercept": 1}'})
    site.apply(weights, version("v1"), route("v1"))
    site.comes_to(MODEL_ROUTE, "iris", "Ready", "True")
    yield forwarder
    forwarder.close()


def test_metrics_count_reconciles_requests_and_watch_events(site: Site, api: Forwarder) -> None:
    metric = site.operator.metric
    assert site.operator.get("/readyz") == (200, "ok\n")
    assert site.operator.get("/healthz") == (200, "ok\n")
    assert metric("linplane_operator_synced") == 1
    assert metric("linplane_operator_build_info") == 1
    for kind in ("LinearModel", "ModelRoute", "ModelServer"):
        assert metric("linplane_operator_reconciles_total", kind=kind, result="success") > 0
        assert metric("linplane_operator_reconcile_duration_seconds_count", kind=kind) > 0
    assert metric("linplane_operator_reconciles_total", result="error") == 0
    made = {"method": "PATCH", "resource": "deployments", "code": "201"}
    assert metric("linplane_operator_api_requests_total", **made) == 1
    assert metric("linplane_operator_api_requests_total", resource="modelroutes/status", code="200") > 0
    for kind in {kind.kind for kind in WATCHED} - {"Job"}:
        eventually(lambda kind=kind: metric("linplane_operator_watch_events_total", kind=kind) > 0)  # type: ignore[misc]
    assert metric("linplane_operator_watch_events_total", kind="Job") == 0
    eventually(lambda: metric("linplane_operator_events_written_total") > 3)
    ready = {"kind": "ModelRoute", "ready": "True", "reason": "Ready"}
    eventually(lambda: metric("linplane_operator_objects", **ready) == 1)
    assert metric("process_resident_memory_bytes") > 1e7


def test_api_server_outage_keeps_the_operator_alive_and_ready(site: Site, api: Forwarder) -> None:
    """It stays alive, counts the calls that got no answer, and continues afterwards."""
    api.go_away()
    site.apply(version("v2", weights={"configMapKeyRef": {"name": "iris", "key": "model.json"}}))
    site.patch_route("iris", version="v2")
    end = time.monotonic() + AWAY_SECONDS
    while time.monotonic() < end:
        assert site.operator.get("/healthz") == (200, "ok\n")
        assert site.operator.get("/readyz")[0] == 200
        time.sleep(0.5)
    assert site.condition(MODEL_ROUTE, "iris", "Ready")[0] == ""
    api.come_back()
    site.comes_to(MODEL_ROUTE, "iris", "Ready", "True")
    assert site.operator.get("/healthz") == (200, "ok\n")
    assert site.operator.metric("linplane_operator_watch_behind_seconds") == 0


def test_operator_is_not_ready_before_its_cache_is_synced(site: Site, api: Forwarder) -> None:
    """And stops at a signal, whatever it waits for."""
    assert site.operator.stop() == 0
    api.go_away()
    operator = site.start_operator(through=api.url)
    assert eventually(lambda: operator.get("/readyz"), 30)[0] == 503
    assert operator.get("/healthz")[0] == 200
    assert operator.metric("linplane_operator_api_requests_total", code="none") > 0
    assert operator.metric("linplane_operator_synced") == 0
    assert operator.stop() == 0
    api.come_back()


def test_operator_log_has_one_json_object_per_line(site: Site, api: Forwarder) -> None:
    """Of three starts, an absence and two ends: also those of libraries."""
    lines = site.operator.logged()
    assert len(lines) > 5
    for line in lines:
        assert {"time", "level", "logger", "message"} <= line.keys()
    assert {line["logger"].split(".")[0] for line in lines} >= {"linplane_operator", "kopf"}
    assert not [line for line in lines if line["level"] == "ERROR" and line["logger"].startswith("linplane")]
