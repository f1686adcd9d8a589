"""A split that gives users to a version whose features their callers do not send: the route and an Event say it."""

from integration.cluster.objects import config_map, route, version
from integration.operator.site import Site
from linplane_api.kinds import MODEL_ROUTE, REPLICA_REPORT, Kind
from support import eventually

EVENT = Kind("Event", "events", "events.k8s.io/v1", "ev")
WEIGHTS = {
    "v1": '{"coefficients": {"x": 1}, "intercept": 0}',
    "v2": '{"coefficients": {"x": 1, "y": 2}, "intercept": 0}',
}


def test_missing_features_of_a_split_are_reported_on_the_route(site: Site) -> None:
    site.apply(config_map("iris", **WEIGHTS))
    for name in WEIGHTS:
        site.apply(version(name, weights={"configMapKeyRef": {"name": "iris", "key": name}}))
    site.apply(route("v1"))
    site.comes_to(MODEL_ROUTE, "iris", "Ready", "True")
    site.servers(2)
    site.patch_route("iris", split=[{"version": "v2", "percent": 30}])
    site.wait("mroute/iris", "Ready")
    statuses = [a["status"] for n in range(60) for a in site.predict("iris", {"x": 1.0}, f"user-{n}")]
    assert set(statuses) == {200, 422}

    def lacking() -> int:
        reports = [report["report"] for report in site.admin.list(REPLICA_REPORT, site.namespace)]
        found = [item for report in reports for item in report.get("lacking", [])]
        assert {(item["route"], item["version"], item["feature"]) for item in found} == {("iris", "v2", "y")}
        return sum(item["count"] for item in found)

    reported = eventually(
        lambda: (
            message if "v2 also needs y" in (message := site.condition(MODEL_ROUTE, "iris", "Servable")[2]) else None
        ),
        20,
    )
    assert reported is not None
    assert reported.startswith("v1 70, v2 30; v2 also needs y: ")
    assert 0 < lacking() <= statuses.count(422), "each replica writes once a minute at most"
    assert site.condition(MODEL_ROUTE, "iris", "Ready")[0] == "True"
    (event,) = eventually(
        lambda: site.admin.list(EVENT, site.namespace, fieldSelector="reason=MissingFeatures,regarding.name=iris"), 10
    )
    assert event["type"] == "Warning"
    assert event["note"].startswith("v2 also needs y: ")
    assert site.refused() == []
