"""Metadata, readiness and lists of the Open Inference Protocol v2, and the paths that have none."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_api.routing import RouteDocument, Unavailable
from linplane_server.http.public_pages import PublicPages
from linplane_server.interfaces.v2.pages import V2Pages
from linplane_server.settings import Public
from linplane_server.state.serving import Serving, new_serving
from unit.server.builders import V1, V2, Client, Clock, document, serving
from unit.server.oip import infer, tensor, validator

UNION = {"v1": {"rooms": 1.0, "area": 2.0}, "v2": {"area": 1.0, "garden": 3.0, "rooms": 2.0}}


class Pages:
    """The pages of a server; `get` returns status and JSON, and checks the headers."""

    def __init__(self, loaded: Serving, unready: str | None = None) -> None:
        self._pages = PublicPages(loaded.store, Public(), [V2Pages(loaded.store, lambda: unready, "1.2.3")])

    def get(self, path: str, method: str = "GET", body: bytes = b"") -> tuple[int, Any]:
        answer = self._pages.answer(method, path, {}, body)
        assert answer is not None
        status, headers, content = answer
        assert dict(headers)[b"content-type"] == b"application/json"
        assert dict(headers)[b"content-length"] == b"%d" % len(content)
        body = json.loads(content)
        assert status == 200 or isinstance(body["error"], str)
        return status, body

    def headers(self, path: str, method: str) -> dict[bytes, bytes]:
        answer = self._pages.answer(method, path, {})
        assert answer is not None
        return dict(answer[1])


async def pages(*documents: RouteDocument, unready: str | None = None) -> Pages:
    return Pages(await serving(*documents), unready)


@pytest.mark.parametrize("path", ["/v2", "/v2/"])
async def test_server_metadata(path: str) -> None:
    status, body = (await pages()).get(path)
    validator("metadata_server_response").validate(body)
    expected = {"name": "linplane", "version": "1.2.3", "extensions": ["binary_tensor_data", "model_repository"]}
    assert (status, body) == (200, expected)


async def test_server_is_live_and_ready() -> None:
    assert (await pages()).get("/v2/health/live") == (200, {"live": True})
    assert (await pages()).get("/v2/health/ready") == (200, {"ready": True})
    assert (await pages()).get("/v2/health/ready", "HEAD")[0] == 200
    draining = await pages(unready="draining")
    assert draining.get("/v2/health/ready") == (503, {"ready": False, "error": "draining"})
    assert draining.get("/v2/health/live")[0] == 200


async def test_model_list_has_every_route() -> None:
    assert (await pages(document("pens"), document("homes"))).get("/v2/models") == (200, {"models": ["homes", "pens"]})
    assert (await pages()).get("/v2/models") == (200, {"models": []})


async def test_model_metadata_has_one_matrix_if_versions_agree_on_the_order() -> None:
    status, body = (await pages(document(split=[("v2", 0)]))).get("/v2/models/homes")
    validator("metadata_model_response").validate(body)
    assert (status, body) == (
        200,
        {
            "name": "homes",
            "versions": ["v1", "v2"],
            "platform": "linplane_linear",
            "inputs": [
                {
                    "name": "features",
                    "datatype": "FP64",
                    "shape": [-1, 2],
                    "parameters": {"features": ["area", "rooms"]},
                }
            ],
            "outputs": [{"name": "prediction", "datatype": "FP64", "shape": [-1, 1]}],
        },
    )


async def test_model_metadata_has_the_union_of_features_if_versions_differ() -> None:
    site = await pages(document(versions=UNION, split=[("v2", 0)]))
    status, body = site.get("/v2/models/homes")
    validator("metadata_model_response").validate(body)
    assert (status, body["versions"]) == (200, ["v1", "v2"])
    assert [(one["name"], one["shape"]) for one in body["inputs"]] == [
        ("rooms", [-1, 1]),
        ("area", [-1, 1]),
        ("garden", [-1, 1]),
    ]
    one = site.get("/v2/models/homes/versions/v2")[1]
    assert [feature["name"] for feature in one["inputs"]] == ["area", "garden", "rooms"]
    assert one["versions"] == ["v1", "v2"]


@given(st.permutations(range(9)), st.integers(1, 9), st.integers(0, 3), st.booleans())
async def test_model_metadata_describes_a_request_that_is_answered(
    order: list[int], width: int, more: int, reverse: bool
) -> None:
    names = ["features", "features_", "prediction", "area", "a/b", " ", "\N{SNOWMAN}", '"', "{}"]
    first = [names[place] for place in order[:width]]
    second = first[::-1] if reverse else first + [f"more{number}" for number in range(more)]
    versions = {"v1": dict.fromkeys(first, 1.0), "v2": dict.fromkeys(second, 2.0)}
    loaded = await serving(document(versions=versions, split=[("v2", 0)]))
    metadata = Pages(loaded).get("/v2/models/homes")[1]
    inputs = [tensor([1.0] * one["shape"][1], [1, one["shape"][1]], one["name"]) for one in metadata["inputs"]]
    for version, features in (("v1", first), ("v2", second)):
        status, _, answer = infer(Client(loaded), {"inputs": inputs}, version=version)
        expected = 1.0 + len(features) * (1.0 if version == "v1" else 2.0)
        assert (status, answer["outputs"][0]["data"]) == (200, [expected])


async def test_model_metadata_lists_the_versions_that_a_path_may_name() -> None:
    split = [("v2", 0), ("v3", 100)]
    weights = {"v1": V1, "v2": V2, "v4": V1}
    site = await pages(document(split=split, versions=weights, named={"v3": ("area", "rooms")}))
    assert site.get("/v2/models/homes")[1]["versions"] == ["v1", "v2"]
    found = {name: site.get(f"/v2/models/homes/versions/{name}")[0] for name in ("v1", "v2", "v3", "v4", "v9")}
    assert found == {"v1": 200, "v2": 200, "v3": 503, "v4": 404, "v9": 404}
    ready = {name: site.get(f"/v2/models/homes/versions/{name}/ready")[0] for name in found}
    assert ready == found
    assert site.get("/v2/models/homes/versions/v2/ready")[1] == {"ready": True, "name": "homes"}
    assert site.get("/v2/models/homes/versions/v3/ready")[1]["ready"] is False


async def test_model_is_ready_if_its_current_version_is() -> None:
    assert (await pages(document())).get("/v2/models/homes/ready") == (200, {"ready": True, "name": "homes"})
    frozen = Unavailable("CurrentFrozen", "v1 is frozen")
    split = [("v2", 100)]
    away = document(versions={"v2": V2}, split=split, named={"v1": ("area", "rooms")}, unavailable=frozen)
    site = await pages(away)
    assert site.get("/v2/models/homes/ready") == (503, {"ready": False, "name": "homes", "error": "v1 is frozen"})
    assert site.get("/v2/models/homes/versions/v2/ready")[0] == 200
    assert site.get("/v2/models/homes")[1]["versions"] == ["v2"]


async def test_model_that_never_served_has_metadata() -> None:
    never = Unavailable("NeverServed", "no version was ever Ready")
    site = await pages(document(current=None, versions={}, unavailable=never))
    status, body = site.get("/v2/models/homes")
    validator("metadata_model_response").validate(body)
    assert (status, body["versions"]) == (200, [])
    assert site.get("/v2/models/homes/ready")[0] == 503
    assert site.get("/v2/repository/index", "POST") == (200, [])


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"ready":false}', b'{"ready":true}', b'{"ready":true,"x":1}', b'{"ready":null}']
)
async def test_repository_index_has_the_ready_versions_alone_if_they_are_wanted(body: bytes) -> None:
    site = await pages(document(split=[("v2", 0), ("v3", 100)], named={"v3": ("area", "rooms")}))
    status, index = site.get("/v2/repository/index", "POST", body)
    states = [("v1", "READY"), ("v2", "READY"), ("v3", "UNAVAILABLE")]
    assert status == 200
    assert [(one["version"], one["state"]) for one in index] == (states[:2] if b"true" in body else states)


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"ready":1}', b'{"ready":"true"}', b"\xff"])
async def test_repository_index_refuses_a_body_that_is_no_request(body: bytes) -> None:
    status, answer = (await pages(document())).get("/v2/repository/index", "POST", body)
    text = 'the body must be a JSON object, in which "ready" is true or false'
    assert (status, answer) == (400, {"error": text})


async def test_repository_index_has_the_state_of_each_version() -> None:
    named = {"v3": ("area", "rooms")}
    site = await pages(document(split=[("v2", 0), ("v3", 100)], named=named), document("pens", versions={"v1": V1}))
    status, body = site.get("/v2/repository/index", "POST")
    assert status == 200
    assert [(one["name"], one["version"], one["state"], bool(one["reason"])) for one in body] == [
        ("homes", "v1", "READY", False),
        ("homes", "v2", "READY", False),
        ("homes", "v3", "UNAVAILABLE", True),
        ("pens", "v1", "READY", False),
    ]


def test_model_is_503_before_a_configuration_is_loaded() -> None:
    site = Pages(new_serving(Clock()), "no configuration is loaded yet")
    assert site.get("/v2/health/ready")[0] == 503
    assert site.get("/v2/models/homes")[0] == 503
    assert site.get("/v2/models/homes/ready")[0] == 503
    assert site.get("/v2/models") == (200, {"models": []})


ABSENT = [
    "/v2/none",
    "/v2/health",
    "/v2/models/",
    "/v2/models/none",
    "/v2/models/none/ready",
    "/v2/models/none/versions/v1",
    "/v2/models/homes/none",
    "/v2/models/homes/versions",
    "/v2/models/homes/versions/v1/none",
    "/v2/models/homes/versions/v1/ready/none",
    "/v2/models/homes/stats",
    "/v2/models/homes/config",
    "/v2/repository",
    "/v2/repository/models/homes/load",
]


@pytest.mark.parametrize("path", ABSENT)
async def test_path_without_an_answer_is_404(path: str) -> None:
    status, body = (await pages(document())).get(path)
    assert status == 404
    assert "none" not in body["error"]


GET_ONLY = ["/v2", "/v2/health/live", "/v2/models", "/v2/models/homes", "/v2/models/homes/versions/v1/ready"]


async def test_other_method_is_405_with_those_allowed() -> None:
    site = await pages(document())
    for path in GET_ONLY:
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            assert site.get(path, method)[0] == 405
            assert site.headers(path, method)[b"allow"] == b"GET, HEAD"
    assert site.get("/v2/repository/index")[0] == 405
    assert site.headers("/v2/repository/index", "GET")[b"allow"] == b"POST"


@pytest.mark.parametrize("path", ["/", "/v2x", "/v1/models", "/docs", ""])
async def test_other_paths_are_left_to_others(path: str) -> None:
    store = (await serving()).store
    assert PublicPages(store, Public(), [V2Pages(store, lambda: None, "1")]).answer("GET", path, {}) is None
