"""The pages of the public listener: the list of routes, a route, its OpenAPI document, and those of V1 and MLflow."""

import html.parser
import json
from typing import Any

import jsonschema
import pytest
from fastapi.openapi.models import OpenAPI
from hypothesis import given
from hypothesis import strategies as st

from linplane_api.routing import Unavailable
from linplane_server.http.public_pages import PublicPages, public_pages
from linplane_server.http.targets import find_target
from linplane_server.interfaces.accept import prefers_html
from linplane_server.settings import Public
from linplane_server.state.readiness import Readiness
from linplane_server.state.serving import Serving, new_serving
from unit.server.builders import V1, V2, Client, Clock, document, serving

MAX_BODY = 4321


def pages(loaded: Serving) -> PublicPages:
    return public_pages(loaded.store, Readiness(loaded.store).unready, MAX_BODY, "1.2.3", Public())


def get(loaded: Serving, path: str, method: str = "GET", accept: str = "*/*") -> tuple[int, dict[str, str], bytes]:
    answer = pages(loaded).answer(method, path, {b"accept": accept.encode()})
    assert answer is not None
    status, headers, body = answer
    out = {name.decode(): value.decode() for name, value in headers}
    assert out["content-length"] == str(len(body))
    return status, out, body


def page(loaded: Serving, path: str) -> Any:
    status, headers, body = get(loaded, path)
    assert (status, headers["content-type"]) == (200, "application/json")
    return json.loads(body)


@pytest.fixture
async def loaded() -> Serving:
    return await serving(document("homes"), document("pens", current="v2"))


NEVER = document("never", current=None, versions={}, unavailable=Unavailable("NeverServed", "no version is Ready yet"))

# ---- GET / ----


def test_root_lists_the_routes(loaded: Serving) -> None:
    assert page(loaded, "/") == {"status": "alive", "routes": ["homes", "pens"], "docs": "/docs"}
    assert page(new_serving(Clock()), "/")["routes"] == []


class Links(html.parser.HTMLParser):
    """The targets of the links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name == "href" and value]


def test_root_is_html_for_browsers_with_links_to_every_page(loaded: Serving) -> None:
    status, headers, body = get(loaded, "/", accept="text/html,application/xhtml+xml,*/*;q=0.8")
    assert (status, headers["content-type"], headers["vary"]) == (200, "text/html; charset=utf-8", "accept")
    links = Links()
    links.feed(body.decode())
    assert links.found[:2] == ["routes/homes", "routes/homes/openapi.json"]
    assert links.found[-2:] == ["docs", "openapi.json"]
    for link in links.found[:-2]:
        page(loaded, f"/{link}")


ACCEPTS = [
    ("", False),
    ("*/*", False),
    ("application/json", False),
    ("text/html", True),
    ("text/*", True),
    ("text/html;q=0.5, application/json", False),
    ("text/html, application/json;q=0.5", True),
    ("text/html;q=0, */*", False),
    ("TEXT/HTML; Q=0.9, */*;q=0.8", True),
    ("text/html;q=x", False),
    ("text/html;q=nan", False),
    ("image/png", False),
]


@pytest.mark.parametrize(("accept", "expected"), ACCEPTS)
def test_accept_header_prefers_html(accept: str, expected: bool) -> None:
    assert prefers_html(accept.encode()) is expected


@given(st.binary(max_size=40))
def test_accept_header_of_any_bytes_is_read(accept: bytes) -> None:
    assert prefers_html(accept) in (True, False)


# ---- GET /routes/ROUTE ----


async def test_route_page_has_features_versions_and_the_limit() -> None:
    loaded = await serving(document(split=[("v2", 1000)], named={"v0": ("area", "old")}))
    versions = loaded.store.snapshot.routes["homes"].versions
    assert page(loaded, "/routes/homes") == {
        "route": "homes",
        "model": "homes",
        "features": [{"name": name, "type": "number"} for name in ("area", "rooms", "old")],
        "ordered": False,
        "example": {"features": {"area": 1.0, "rooms": 1.0}},
        "maxBodyBytes": MAX_BODY,
        "versions": [{"version": name, "digest": versions[name].digest} for name in ("v1", "v2")],
    }
    assert page(await serving(document()), "/routes/homes")["ordered"] is True


async def test_route_page_of_a_route_that_never_served_has_no_version() -> None:
    found = page(await serving(NEVER), "/routes/never")
    assert (found["versions"], found["features"], "example" in found) == ([], [], False)


coefficients = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4)
    | st.sampled_from(["area", "rooms", "a/b"]),
    st.floats(-1e308, 1e308),
    min_size=1,
    max_size=4,
)


@given(coefficients, coefficients, st.integers(0, 10_000), st.booleans())
async def test_route_example_is_answered_as_it_is(
    first: dict[str, float], second: dict[str, float], share: int, frozen: bool
) -> None:
    """By whichever version the split picks, by the path of the page, also while the current version is frozen."""
    versions = {"v2": second} if frozen else {"v1": first, "v2": second}
    doc = document(
        versions=versions,
        split=[("v2", share)],
        named={"v1": tuple(first)},
        unavailable=Unavailable("CurrentFrozen", "v1 is frozen") if frozen else None,
    )
    loaded = await serving(doc)
    found = page(loaded, "/routes/homes")
    request = json.dumps(found["example"]).encode()
    target = find_target("/routes/homes/predict")
    assert target is not None
    status, _, body = Client(loaded).ask(request, target.route, interface=target.interface)
    assert status == 200 or (frozen and status == 503), body
    row = found["example"]["features"]
    for key in "abcdefgh":  # every version
        status, _, body = Client(loaded).ask(json.dumps({"features": row, "key": key}).encode(), "homes")
        assert status == 200 or (frozen and status == 503), body
    schema = request_schema(page(loaded, "/routes/homes/openapi.json"))
    assert schema.is_valid(found["example"])


def test_route_pages_of_an_unknown_route_are_404(loaded: Serving) -> None:
    for path in ("/routes/absent", "/routes/absent/openapi.json"):
        status, headers, body = get(loaded, path)
        assert (status, headers["content-type"]) == (404, "application/problem+json")
        assert b"absent" not in body
        assert json.loads(body)["detail"] == "no route of this name is loaded here; GET / lists the routes"
        assert get(new_serving(Clock()), path)[0] == 503
    for path in (
        "/routes/",
        "/routes",
        "/routes/a/b",
        "/routes//openapi.json",
        "/routes/openapi.json/",
        "/nothing",
        "/docs",
    ):
        assert pages(loaded).answer("GET", path, {}) is None


@pytest.mark.parametrize(
    "path", ["/", "/routes/homes", "/routes/homes/openapi.json", "/v1/models", "/ping", "/version"]
)
def test_page_allows_get_and_head_only(loaded: Serving, path: str) -> None:
    assert get(loaded, path, "HEAD")[0] == 200
    status, headers, _ = get(loaded, path, "POST")
    assert (status, headers["allow"]) == (405, "GET, HEAD")


# ---- GET /routes/ROUTE/openapi.json ----


def request_schema(found: Any) -> jsonschema.Draft202012Validator:
    """The schema of the body of the one operation, with its references."""
    (path,) = found["paths"].values()
    body = path["post"]["requestBody"]["content"]["application/json"]["schema"]
    schema = {**body, "components": found["components"]}
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


async def test_route_document_is_openapi_3_1() -> None:
    found = page(await serving(document(split=[("v2", 1)])), "/routes/homes/openapi.json")
    assert found["openapi"] == "3.1.0"
    assert list(found["paths"]) == ["/routes/homes/predict"]
    assert found["servers"] == [{"url": "../.."}]
    OpenAPI.model_validate(found)
    text = json.dumps(found)
    for name in found["components"]["schemas"]:
        assert f'"#/components/schemas/{name}"' in text
        text = text.replace(f'"#/components/schemas/{name}"', "")
    assert "#/components" not in text


async def test_route_document_has_the_features_as_properties() -> None:
    versions = {"v1": V1, "v2": {**V2, "garden": 1.0}}
    loaded = await serving(document(versions=versions, split=[("v2", 1)], named={"v0": ("old",)}))
    found = page(loaded, "/routes/homes/openapi.json")
    features = found["components"]["schemas"]["Features"]
    assert features["properties"] == {name: {"type": "number"} for name in ("area", "rooms", "garden", "old")}
    assert features["required"] == ["area", "rooms", "garden"]
    schema = request_schema(found)
    whole = {"area": 1, "rooms": 2, "garden": 3}
    for body in ({"features": whole}, {"features": {**whole, "old": 4}, "key": "u"}, {"rows": [whole, whole]}):
        assert schema.is_valid(body)
        assert Client(loaded).ask(json.dumps(body).encode(), "homes")[0] == 200
    for body in (
        {"features": {"area": 1}},
        {"features": {**whole, "x": 1}},
        {"rows": []},
        {},
        {"features": whole, "rows": [whole]},
    ):
        assert not schema.is_valid(body)
        assert Client(loaded).ask(json.dumps(body).encode(), "homes")[0] == 422


async def test_route_document_examples_are_answered() -> None:
    loaded = await serving(document())
    found = page(loaded, "/routes/homes/openapi.json")
    operation = found["paths"]["/routes/homes/predict"]["post"]
    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    assert set(examples) == {"row", "rows"}
    for example in examples.values():
        assert request_schema(found).is_valid(example["value"])
        assert Client(loaded).ask(json.dumps(example["value"]).encode(), "homes")[0] == 200


async def test_route_document_has_an_example_of_a_response_of_its_route() -> None:
    found = page(await serving(document()), "/routes/homes/openapi.json")
    response = found["paths"]["/routes/homes/predict"]["post"]["responses"]["200"]
    assert response["content"]["application/json"]["example"]["route"] == "homes"


async def test_route_document_accepts_an_array_if_the_order_is_agreed() -> None:
    agreed = await serving(document())
    differing = await serving(document(split=[("v2", 1)], named={"v0": ("old", "rooms")}))
    for loaded, bodies, expected in (
        (agreed, ({"features": [1, 2]}, {"rows": [[1, 2], {"area": 1, "rooms": 2}]}), 200),
        (agreed, ({"features": [1]}, {"features": [1, 2, 3]}, {"rows": [[]]}), 422),
        (differing, ({"features": [1, 2]}, {"rows": [[1, 2]]}), 422),
    ):
        schema = request_schema(page(loaded, "/routes/homes/openapi.json"))
        for body in bodies:
            assert Client(loaded).ask(json.dumps(body).encode(), "homes")[0] == expected
            assert schema.is_valid(body) is (expected == 200)


# ---- V1 and MLflow ----


async def test_v1_pages_list_models_and_their_readiness() -> None:
    loaded = await serving(document("homes"), NEVER)
    assert page(loaded, "/v1/models") == {"models": ["homes", "never"]}
    assert page(loaded, "/v1/models/homes") == {"name": "homes", "ready": True}
    refused = {
        "/v1/models/never": (503, "no version is Ready yet"),
        "/v1/models/absent": (404, "no route of this name is loaded here; GET / lists the routes"),
        "/v1/models/": (404, "nothing is at this path"),
        "/v1/modelsets": (404, "nothing is at this path"),
        "/v1/other": (404, "nothing is at this path"),
    }
    for path, (expected, text) in refused.items():
        status, headers, body = get(loaded, path)
        assert (status, headers["content-type"], json.loads(body)) == (expected, "application/json", {"error": text})
    assert get(new_serving(Clock()), "/v1/models/homes")[0] == 503


def test_v1_prediction_by_a_slash_is_404_with_the_path_of_predictions(loaded: Serving) -> None:
    text = "nothing is at this path"
    for path, expected in (
        ("/v1/models/homes/predict", f"{text}; predictions are at /v1/models/NAME:predict"),
        ("/v1/models/homes/x", text),
    ):
        for method in ("GET", "POST"):
            status, _, body = get(loaded, path, method)
            assert (status, json.loads(body)) == (404, {"error": expected})


def test_mlflow_pages_are_empty_while_ready_and_503_otherwise(loaded: Serving) -> None:
    for path in ("/ping", "/health"):
        status, _, body = get(loaded, path)
        assert (status, body) == (200, b"")
        status, _, body = get(new_serving(Clock()), path)
        assert (status, body) == (503, b"")
    status, headers, body = get(loaded, "/version")
    assert (status, headers["content-type"], body) == (200, "text/plain", b"1.2.3")
