"""Two listeners: what belongs on one is not on the other; limits and metrics over the wire."""

import json
import re
from urllib.parse import urljoin

import jsonschema
import pytest
from prometheus_client.parser import text_string_to_metric_families

from integration.server.running import PREDICT, Running, send_request
from linplane_api.routing import RateLimit
from unit.server.builders import document

ADMIN = ["/livez", "/readyz", "/healthz", "/metrics", "/status", "/switch_model", "/freeze", "/unfreeze"]


@pytest.mark.parametrize("path", ADMIN)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_admin_paths_are_not_on_the_public_port(server: Running, path: str, method: str) -> None:
    status, headers, _ = send_request(server.port, method, f"{path}?version=v2", None, {"Host": "localhost"})
    assert (status, headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("path", ["/predict", "/routes/homes/predict"])
def test_predictions_are_not_on_the_admin_port(server: Running, path: str) -> None:
    assert send_request(server.admin_port, "POST", path, PREDICT, {})[0] == 404


def test_methods_that_are_wrong_are_405_and_name_the_right_one(server: Running) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS"):
        status, headers, _ = send_request(server.port, method, "/routes/homes/predict", None, {})
        assert (status, headers["allow"]) == (405, "POST")
    assert send_request(server.port, "HEAD", "/routes/homes/predict", None, {})[0] == 405
    assert send_request(server.port, "POST", "/openapi.json", b"", {})[0] == 405
    assert send_request(server.admin_port, "GET", "/freeze", None, {})[0] == 405


def test_documentation_is_served(server: Running) -> None:
    status, _, body = send_request(server.port, "GET", "/openapi.json", None, {})
    assert status == 200
    of_each_protocol = {"/predict", "/routes/{route}/predict", "/v2/models/{route}/infer", "/v1/models", "/invocations"}
    assert of_each_protocol <= set(json.loads(body)["paths"])
    for port, tried in ((server.port, ["post"]), (server.admin_port, ["get"])):
        status, _, page = send_request(port, "GET", "/docs", None, {})
        assert status == 200
        methods = re.search(rb'"supportedSubmitMethods": (\[.*?\])', page, re.DOTALL)
        assert methods
        assert json.loads(methods[1]) == tried, "what its button sends is answered, and no other call has one"


def test_admin_responses_in_json_follow_their_schemas(server: Running) -> None:
    document = json.loads(send_request(server.admin_port, "GET", "/openapi.json", None, {})[2])
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                for kind, content in response.get("content", {}).items():
                    assert kind == "text/plain" or content["schema"], (path, status)
    text = json.dumps(document)
    for name in document["components"]["schemas"]:
        text = text.replace(f'"#/components/schemas/{name}"', "")
    assert "#/components" not in text, "every reference resolves"
    server.predict()
    for path, method, status in (("/status", "get", "200"), ("/freeze", "post", "404")):
        found, _, body = send_request(server.admin_port, method.upper(), path, None, {"Host": "localhost"})
        assert str(found) == status
        content = document["paths"][path][method]["responses"][status]["content"]
        (schema,) = (one["schema"] for one in content.values())
        validator = jsonschema.Draft202012Validator(schema | {"components": document["components"]})
        assert list(validator.iter_errors(json.loads(body))) == []
        assert list(validator.iter_errors({})), "the schema is not empty"


def test_route_is_found_by_host(server: Running) -> None:
    assert server.predict(path="/predict", Host="homes.default.svc:80")[0] == 200
    assert server.predict(path="/predict", Host="localhost")[0] == 404


def test_admin_calls_without_state_are_off(server: Running) -> None:
    assert server.admin_call("POST", "/switch_model?version=v2")[0] == 404


def test_metrics_parse_and_attacks_make_no_new_series(server: Running) -> None:
    def series() -> set[tuple[str, str]]:
        text = server.admin_call("GET", "/metrics")[2].decode()
        return {(s.name, str(s.labels)) for family in text_string_to_metric_families(text) for s in family.samples}

    def attack(name: str) -> None:
        server.predict(b"{", path=f"/routes/{name}/predict", x_request_id=name)
        server.predict(f'{{"features":{{"{name}":1}},"key":"{name}"}}'.encode(), content_type=f"x/{name}")
        server.predict(f'{{"features":{{"{name}":1}},"key":"{name}"}}'.encode(), path=f"/routes/homes/predict?{name}")
        send_request(server.port, "BREW" if name == "x1" else "GET", f"/{name}", None, {"Host": name})

    attack("first")
    before = series()
    assert ("linplane_routes", "{}") in before
    for number in range(20):
        attack(f"x{number}")
    assert series() == before


def test_forwarded_address_counts_behind_a_trusted_proxy_alone(start) -> None:  # type: ignore[no-untyped-def]
    limited = (document(limit=RateLimit(0.01, 1, "Client")),)
    proxied: Running = start("--trusted-proxy", "127.0.0.0/8", "--trusted-proxy", "10.0.0.0/8", documents=limited)
    answers = [
        proxied.predict(X_Forwarded_For=chain)[0]
        for chain in ("198.51.100.1", "198.51.100.1", "9.9.9.9, 198.51.100.1, 10.0.0.1", "198.51.100.2")
    ]
    assert answers == [200, 429, 429, 200]
    plain: Running = start(documents=limited)
    status, headers, _ = plain.predict(X_Forwarded_For="198.51.100.1")
    assert status == 200
    status, headers, _ = plain.predict(X_Forwarded_For="198.51.100.2")
    assert (status, headers["retry-after"]) == (429, "100")


@pytest.mark.parametrize("which", ["port", "admin_port"])
def test_documentation_page_loads_nothing_from_elsewhere(server: Running, which: str) -> None:
    """It works offline: the server has every file that it names."""
    port = getattr(server, which)
    page = send_request(port, "GET", "/docs", None, {})[2].decode()
    named = re.findall(r"""(?:src|href|url)\s*[=:]\s*["']([^"']+)["']""", page)
    assert len(named) >= 4, page
    for place in named:
        assert not place.startswith("/"), "relative, so that a proxy may add a prefix"
        target = urljoin("/docs", place)
        assert target.startswith("/"), place
        assert send_request(port, "GET", target, None, {})[0] == 200, place
