"""The metrics: well-formed, correct, and bounded for all requests."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from linplane_api.routing import RateLimit, Unavailable
from linplane_server.http.metrics import ServerCollector, metrics_registry
from linplane_server.http.status import Status
from linplane_server.interfaces.grpc.infer import ModelInfer
from linplane_server.interfaces.grpc.inference_pb2 import ModelInferRequest
from linplane_server.interfaces.mlflow import MLFLOW
from linplane_server.interfaces.native import NATIVE
from linplane_server.interfaces.v1 import V1_PROTOCOL
from linplane_server.interfaces.v2.infer import INFERENCE
from linplane_server.routing.folder_source import FolderSource
from linplane_server.state.counters import ClientProtocol, Series
from linplane_server.state.readiness import Readiness
from linplane_server.state.serving import Serving, new_serving
from unit.server.builders import Client, Clock, document, serving

BODY = b'{"features":[1,2]}'


def exposed(loaded: Serving) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Every sample by name and labels, the process's own left out."""
    text = generate_latest(metrics_registry(ServerCollector(loaded, FolderSource(Path())))).decode()
    result: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        for sample in family.samples:
            if not sample.name.startswith("process_"):
                result.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return result


def labels(**values: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(values.items()))


def requests(**values: str) -> tuple[tuple[str, str], ...]:
    return labels(**values, protocol="predict")


async def test_metrics_count_the_requests() -> None:
    loaded = await serving(document(limit=RateLimit(0.001, 3, "Client")))
    client = Client(loaded)
    for data in (BODY, b'{"features":{"area":1}}', b"{", BODY):
        client.ask(data, "homes")
    client.ask(BODY, "absent")
    samples = exposed(loaded)
    assert samples["linplane_predict_requests_total"] == {
        requests(route="homes", version="v1"): 2, requests(route="homes", version="v2"): 0,
        requests(route="homes", version=""): 2, requests(route="", version=""): 1,
    }  # fmt: skip
    assert samples["linplane_predict_errors_total"] == {
        labels(route="homes", version="v1", kind="missing_feature"): 1,
        labels(route="homes", version="", kind="malformed"): 1,
        labels(route="homes", version="", kind="rate_limited"): 1,
        labels(route="", version="", kind="not_found"): 1,
    }
    assert samples["linplane_rate_limited_total"] == {labels(route="homes"): 1}
    assert samples["linplane_predict_duration_seconds_count"] == {
        labels(route="homes", version="v1"): 2, labels(route="homes", version="v2"): 0,
        labels(route="homes", version=""): 2, labels(route="", version=""): 1,
    }  # fmt: skip
    assert samples["linplane_predict_duration_seconds_bucket"][labels(route="homes", version="v1", le="+Inf")] == 2
    revision = loaded.store.snapshot.routes["homes"].revision
    assert samples["linplane_route_info"] == {labels(route="homes", revision=revision, current="v1"): 1}
    for name in ("routes", "routing_sequence", "snapshot_swaps_total"):
        assert samples[f"linplane_{name}"] == {(): 1}
    assert samples["linplane_routes_rejected"] == {(): 0}
    assert samples["linplane_routing_source_info"] == {labels(source="folder"): 1}


async def test_metrics_of_requests_refused_before_a_version_was_chosen_exist_once_there_is_one() -> None:
    loaded = await serving(document())
    client = Client(loaded)
    named = {labels(route="homes", version="v1"): 0, labels(route="homes", version="v2"): 0}
    asked = {requests(route="homes", version="v1"): 0, requests(route="homes", version="v2"): 0}
    samples = exposed(loaded)
    assert samples["linplane_predict_requests_total"] == asked
    assert samples["linplane_predict_duration_seconds_count"] == named
    assert samples["linplane_rate_limited_total"] == {labels(route="homes"): 0}
    client.ask(b"{", "homes")
    assert exposed(loaded)["linplane_predict_requests_total"] == asked | {requests(route="homes", version=""): 1}


async def test_metrics_count_a_version_that_the_path_names_apart_from_the_split() -> None:
    loaded = await serving(document(split=[("v2", 0)]))
    client = Client(loaded)
    client.ask(BODY, "homes")
    assert client.ask(BODY, "homes", version="v2")[0] == 200
    assert client.ask(b"{", "homes", version="v2")[0] == 400
    samples = exposed(loaded)
    named = {labels(route="homes", version="v1"): 0, labels(route="homes", version="v2"): 2}
    assert samples["linplane_predict_named_version_total"] == named
    assert samples["linplane_predict_requests_total"][requests(route="homes", version="v2")] == 2


async def test_metrics_count_requests_that_name_a_version_with_all_requests_of_that_version() -> None:
    frozen = Unavailable("CurrentFrozen", "frozen")
    loaded = await serving(document(), document("away", versions={}, named={"v1": ("area",)}, unavailable=frozen))
    client = Client(loaded)
    asked = [(BODY, "v1"), (b'{"features":{"area":1}}', "v1"), (b"[", "v1"), (BODY, None), (BODY, "v9")]
    assert [client.ask(body, "homes", version=version)[0] for body, version in asked] == [200, 422, 400, 200, 404]
    assert client.ask(BODY, "away", version="v1")[0] == 503
    homes, away = loaded.counters.versions("homes"), loaded.counters.versions("away")
    assert (homes["v1"].named, homes["v1"].requests, homes[""].named, homes[""].requests) == (3, 4, 0, 1)
    assert (away["v1"].named, away["v1"].requests) == (1, 1)


async def test_metrics_have_the_client_protocol_on_the_count_of_requests_only() -> None:
    """On any other metric it would multiply the series."""
    loaded = await serving(document(limit=RateLimit(0.001, 9, "Client")))
    client = Client(loaded)
    for interface in (NATIVE, INFERENCE, V1_PROTOCOL, MLFLOW):
        for data in (b'{"inputs":[[1,2]]}', BODY, b"["):
            client.ask(data, "homes", interface=interface)
    client.ask(b"", "homes", interface=ModelInfer(ModelInferRequest()))
    samples = exposed(loaded)
    with_it = {name for name, series in samples.items() for key in series if "protocol" in dict(key)}
    assert with_it == {"linplane_predict_requests_total"}
    seen = {dict(key)["protocol"] for key in samples["linplane_predict_requests_total"]}
    assert seen == set(get_args(ClientProtocol))
    assert samples["linplane_rate_limited_total"] == {labels(route="homes"): 4}


async def test_metrics_get_no_new_series_from_a_request() -> None:
    loaded = await serving(document(split=[("v2", 5000)]))
    client = Client(loaded)
    for data in (BODY, b"", b'{"features":{}}', b'{"features":[]}'):
        for i in range(30):
            client.ask(data, "homes")
            client.ask(b'{"features":[1,2],"key":"%d"}' % i, "homes")
            client.ask(data, f"attack-{i}")
    before = {name: set(series) for name, series in exposed(loaded).items()}
    for i in range(200):
        client.ask(
            f'{{"features":{{"f{i}":{i}}},"key":"{i}"}}'.encode(), "homes", x_version=str(i), x_request_id=str(i)
        )
        client.ask(BODY, f"attack{i}", host=f"host{i}", content_type=f"type/{i}")
        client.ask(b"", host=f"host{i}", peer=f"192.0.2.{i}")
    after = {name: set(series) for name, series in exposed(loaded).items()}
    kinds = {dict(labels)["kind"] for labels in after.pop("linplane_predict_errors_total")}
    before.pop("linplane_predict_errors_total")
    assert after == before
    assert kinds <= {"malformed", "invalid", "missing_feature", "not_found", "media_type"}


async def test_status_has_what_this_replica_serves() -> None:
    loaded = await serving(document(split=[("v2", 2500)]))
    client = Client(loaded)
    client.ask(b'{"features":[1,2],"key":"a"}', "homes")
    client.ask(b'{"features":{},"key":"a"}', "homes")
    client.ask(b"", "homes")
    body = json.loads(Status(loaded, Readiness(loaded.store), "pod-7", "default", FolderSource(Path()))())
    route = body["routes"]["homes"]
    assert (body["replica"], body["server"], body["ready"], body["sequence"]) == ("pod-7", "default", True, 1)
    assert body["source"] == "folder"
    assert route["traffic"] == [{"version": "v1", "percent": 75.0}, {"version": "v2", "percent": 25.0}]
    hit = next(figures for figures in route["versions"].values() if figures["hits"])
    assert hit == {"hits": 2, "errors": 1, "meanLatencyMs": 0.0, "lackedFeature": 1}
    assert route["refused"] == {"malformed": 1}


SHOWN = {
    "buckets": [1] * 12,
    "protocols": {"v2": 1},
    "named": 1,
    "seconds": 1.0,
    "errors": {"internal": 1},
    "missing": {"area": 1},
}
"""For each count of a Series, a value that must be visible: in the metrics, the status, or the report."""


@pytest.mark.parametrize("name", Series.__slots__)
async def test_series_counts_are_all_shown(name: str) -> None:
    loaded = await serving(document())

    def shown() -> tuple[Any, ...]:
        status = Status(loaded, Readiness(loaded.store), "pod-7", "default", FolderSource(Path()))()
        return exposed(loaded), status, loaded.counters.missing_features()

    before = shown()
    setattr(loaded.counters.series("homes", "v1"), name, SHOWN[name])
    assert shown() != before


async def test_readiness_is_loaded_and_not_draining() -> None:
    loaded = await serving(document())
    readiness = Readiness(loaded.store)
    assert readiness.unready() is None
    readiness.draining = True
    assert readiness.unready() == "draining"
    assert Readiness((await serving()).store).unready() is None, "without a route, but read"
    assert Readiness(new_serving(Clock()).store).unready() == "no configuration is loaded yet"
