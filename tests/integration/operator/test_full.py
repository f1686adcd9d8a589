"""More routes than a ConfigMap holds: the newest waits and says so, those that serve go on, and room is taken up."""

import json
from typing import Any

from integration.cluster.objects import config_map, route, version
from integration.operator.site import Site
from linplane_api.kinds import CONFIG_MAP, LINEAR_MODEL, MODEL_ROUTE
from linplane_api.names import API_VERSION
from support import eventually

FEATURES = 2000
ROUTING = "linplane-routing-default"


def row(value: float = 1.0) -> dict[str, float]:
    """Each feature, by a long name."""
    return {f"feature-{number:04}-{'x' * 80}": value for number in range(FEATURES)}


def weights(slope: float) -> str:
    return json.dumps({"coefficients": row(slope), "intercept": 0})


def size(site: Site) -> int:
    return len(json.dumps(site.get(CONFIG_MAP, ROUTING)))


def answers(site: Site, name: str) -> set[Any]:
    return {answer.get("prediction", answer["status"]) for answer in site.predict(name, [1.0] * FEATURES)}


def test_newest_route_waits_for_room_in_the_routing_config_map(own_site: Site) -> None:
    site = own_site
    server = {"apiVersion": API_VERSION, "kind": "ModelServer", "metadata": {"name": "default"}}
    site.apply({**server, "spec": {"replicas": 1}})
    for slope, name in enumerate("abcd"):
        site.apply(config_map(name, **{"model.json": weights(slope)}), version("v1", name))
        site.comes_to(LINEAR_MODEL, f"{name}-v1", "Ready", "True")
    for name in "ab":
        site.apply(route("v1", name=name, model=name))
        site.comes_to(MODEL_ROUTE, name, "Ready", "True")
    print(f"two routes of {FEATURES} features: {size(site)} bytes")
    site.apply(route("v1", name="c", model="c"))
    message = site.comes_to(MODEL_ROUTE, "c", "Accepted", "False", "RoutingFull")
    assert "use another ModelServer" in message
    assert site.condition(MODEL_ROUTE, "c", "Ready")[:2] == ("False", "RoutingFull")
    assert "RoutingFull" in site.kubectl("get", "mroute", "c")
    site.apply(route("v1", name="d", model="d"))
    site.comes_to(MODEL_ROUTE, "d", "Accepted", "False", "RoutingFull")

    site.patch_route("b", version="v1", rateLimit={"requestsPerSecond": 9000})
    site.comes_to(MODEL_ROUTE, "b", "Ready", "True")
    assert [answers(site, name) for name in "abcd"] == [{0.0}, {1.0 * FEATURES}, {404}, {404}]
    site.patch_route("a", split=[{"version": "v2", "percent": 10}])  # one that does not exist takes no room
    site.comes_to(MODEL_ROUTE, "a", "Accepted", "False", "CandidateUnavailable")

    site.operator.stop()
    mark = site.plane.audit.mark()
    site.start_operator()
    eventually(lambda: any(e["verb"] == "watch" for e in site.events(mark)), 30)
    site.kubectl("delete", "mroute", "b")
    site.comes_to(MODEL_ROUTE, "c", "Ready", "True")
    site.comes_to(MODEL_ROUTE, "d", "Accepted", "False", "RoutingFull")
    assert [answers(site, name) for name in "abcd"] == [{0.0}, {404}, {2.0 * FEATURES}, {404}]
    site.kubectl("delete", "mroute", "a")
    site.comes_to(MODEL_ROUTE, "d", "Ready", "True")
    assert [answers(site, name) for name in "abcd"] == [{404}, {404}, {2.0 * FEATURES}, {3.0 * FEATURES}]
    assert site.refused() == []
