"""The command that local mode prints once a route is ready."""

from pathlib import Path

from linplane_api.artifact import Artifact, with_checks
from linplane_api.kinds import CONFIG_MAP
from linplane_api.routing import RouteDocument, ServedVersion, SplitKey, make_entry
from linplane_operator.local.console_events import curl_line
from unit.local.builders import config_map, make_store, route


def test_hint_is_a_request_that_the_route_answers(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    ready = {**route(), "status": {"url": "http://127.0.0.1:8080/routes/rent"}}
    assert curl_line(ready, store) == ""

    def routed(*features: str) -> str:
        made = with_checks(Artifact(features, (2.0,) * len(features), 1.0))
        served = ServedVersion(made.digest, made.features, made.coefficients, made.intercept, made.checks)
        document = RouteDocument("rent", "rent", "v1", (), SplitKey("rent"), {"v1": served}, {"v1": features})
        data = {"route.rent": make_entry(document, 1).to_bytes().decode(), "sequence": "1"}
        before = store.get(CONFIG_MAP, "linplane-routing-default")
        wanted = config_map("linplane-routing-default", data=data)
        store.update(CONFIG_MAP, before, wanted) if before else store.create(CONFIG_MAP, wanted)
        return curl_line(ready, store)

    line = routed("area", "größe")
    assert line.startswith("curl http://127.0.0.1:8080/routes/rent/predict -H content-type:application/json -d '{")
    assert '"größe": ' in line
    assert routed("it's") == ""
    assert routed(*(f"x{i}" for i in range(9))) == ""
