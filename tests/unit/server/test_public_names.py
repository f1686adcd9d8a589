"""A server whose names are not public says none that the caller did not send: on every interface, on both ways to
answer, in every kind of answer. Only a prediction names the version that made it.
"""

import gzip
import itertools
import json
import re
import struct
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from google.protobuf.message import Message

from linplane_api.routing import RateLimit, RouteDocument, Unavailable
from linplane_server.http.public_pages import public_pages
from linplane_server.interfaces.grpc import inference_pb2 as pb
from linplane_server.settings import Public
from linplane_server.state.snapshot_store import SnapshotStore
from unit.server.builders import document, serving
from unit.server.corpus import BIG, REQUESTS, post
from unit.server.grpc_calls import Calls
from unit.server.oip_grpc import FakeContext, message_of
from unit.server.wire import Wire

FEATURE, ROUTE, VERSION = "zebra", "okapi", "tapir"
"""What is in every name of a feature, of a route or model that no request names, and of a version."""

ORDERED = {
    f"{VERSION}.1": {f"{FEATURE}_a": 1.0, f"{FEATURE}_b": 2.0},
    f"{VERSION}.2": {f"{FEATURE}_a": 3.0, f"{FEATURE}_b": 4.0},
}
UNORDERED = ORDERED | {f"{VERSION}.2": {f"{FEATURE}_b": 4.0, f"{FEATURE}_c": 3.0}}
CURRENT = f"{VERSION}.1"
SPLIT = [(f"{VERSION}.2", 5000), (f"{VERSION}.3", 100)]
NAMED = {f"{VERSION}.3": (f"{FEATURE}_a", f"{FEATURE}_b")}
FROZEN = Unavailable("CurrentFrozen", f"{CURRENT} is frozen")
KNOWN = ("homes", "mixed", "frozen", "limited")
"""The routes that the caller knows."""


def loaded_documents() -> list[RouteDocument]:
    """An ordered route, one whose versions differ, one that is frozen, one with a limit, and one that is not known."""
    known = [
        document("homes", CURRENT, SPLIT, ORDERED, named=NAMED),
        document("mixed", CURRENT, SPLIT, UNORDERED, named=NAMED),
        document("frozen", CURRENT, (), {}, named=NAMED, unavailable=FROZEN),
        document("limited", CURRENT, (), ORDERED, limit=RateLimit(0.001, 1, "Route")),
    ]
    return [msgspec.structs.replace(doc, model=f"{ROUTE}-model") for doc in (*known, document(f"{ROUTE}-secret"))]


NATIVE: list[Any] = [
    {},
    {"features": {}},
    {"features": {"x": 1}},
    {"features": {"x": 1, "y": 2}},
    {"features": {"x": "text"}},
    {"features": [1, "text"]},
    {"features": [1]},
    {"features": [1, 2]},
    {"features": [1.7e308, 1.7e308]},
    {"rows": [{}, {"x": 1}]},
    {"rows": [[1, 2], [1]]},
]
V1: list[Any] = [{"instances": row} for row in ([], [{}], [{"x": 1}], [{"x": "text"}], [[1]], [[1, 2]], [1])]
MLFLOW: list[Any] = [
    {"dataframe_split": {"columns": ["x"], "data": [[1]]}},
    {"dataframe_split": {"columns": ["x"], "data": [[1, 2]]}},
    {"dataframe_records": [{"x": 1}]},
    {"instances": [{}]},
    {"inputs": {"x": [1]}},
    {"inputs": {}},
]


def tensor(name: str, shape: list[int], **more: Any) -> dict[str, Any]:
    return {"name": name, "shape": shape, "datatype": "FP64", **more}


V2: list[Any] = [
    {"inputs": []},
    {"inputs": [tensor("x", [1, 2], data=[1, 2])]},
    {"inputs": [tensor("x", [1, 3], data=[1, 2, 3])]},
    {"inputs": [tensor("x", [1], data=[1])]},
    {"inputs": [tensor("x", [1], data=[1]), tensor("y", [1], data=[1])]},
    {"inputs": [tensor("x", [1, 2], data=[1.7e308, 1.7e308])]},
    {"inputs": [tensor("x", [1, 2], data=[1, "text"])]},
    {"inputs": [tensor("x", [0, 2], data=[])]},
]
RAW = json.dumps({"inputs": [tensor("x", [1, 2], parameters={"binary_data_size": 16})]}).encode()
BY_INTERFACE = [
    ("/routes/{}/predict", NATIVE),
    ("/v1/models/{}:predict", V1),
    ("/routes/{}/invocations", MLFLOW),
    ("/v2/models/{}/infer", V2),
]
UNLISTED = [
    "/",
    "/v2",
    "/v2/",
    "/v2/models",
    "/v2/health/live",
    "/v2/health/ready",
    "/v1/models",
    "/ping",
    "/health",
    "/version",
    "/docs",
    "/openapi.json",
    "/predict",
    "/none",
]
OF_ROUTE = [
    "/routes/{}",
    "/routes/{}/openapi.json",
    "/v2/models/{}",
    "/v2/models/{}/ready",
    "/v2/models/{}/versions/v9",
    "/v2/models/{}/versions/v9/ready",
    "/v1/models/{}",
]


def predictions(route: str) -> list[bytes]:
    """Predictions of one route by every interface, most of them refused."""
    result = [post(b"{"), post(b"", target=b"/predict", method=b"GET"), post(BIG, target=b"/predict")]
    for path, bodies in BY_INTERFACE:
        target = path.format(route).encode()
        result += [post(json.dumps(body).encode(), target=target) for body in [*bodies, [], None]]
        result += [post(b"{}", method=b"PUT", target=target), post(b"{}", b"Content-Encoding: br", target=target)]
    csv = [b"x\n1\n", b"x\n", b"x,x\n1,2\n", b""]
    result += [post(body, b"Content-Type: text/csv", target=b"/routes/%b/invocations" % route.encode()) for body in csv]
    infer = b"/v2/models/%b/infer" % route.encode()
    length = b"Inference-Header-Content-Length: %d" % len(RAW)
    result += [post(RAW + struct.pack("<2d", *pair), length, target=infer) for pair in ((1, 2), (float("nan"), 1))]
    result.append(post(RAW, length, target=infer))
    result += [
        post(gzip.compress(json.dumps(body).encode(), mtime=0), b"Content-Encoding: gzip", target=infer) for body in V2
    ]
    result += [post(b"{}", target=infer.replace(b"/infer", b"/versions/v9/infer"))]
    return result


def pages() -> list[bytes]:
    """Every page, as JSON and as HTML, and with a method that it refuses."""
    paths = UNLISTED + [path.format(route) for path in OF_ROUTE for route in (*KNOWN, "absent")]
    methods = (b"GET", b"POST")
    result = [post(b"", target=path.encode(), method=method) for path in paths for method in methods]
    result.append(post(b"", b"Accept: text/html", target=b"/", method=b"GET"))
    return [*result, *(post(body, target=b"/v2/repository/index") for body in (b"", b"{", b'{"ready":true}'))]


GROUPS = {
    "corpus": [data for name, data in REQUESTS if len(data) < 4_000 and "without an end" not in name]
    + [post(b"", target=b"/" + b"a" * 1_100)],
    "pages": pages(),
    **{route: predictions(route) for route in KNOWN},
}
PREDICTION = re.compile(rb"/predict|/invocations|:predict|/infer")
"""In the target of a request that may be answered by a prediction."""


async def answers(requests: Sequence[bytes], public: Public) -> list[tuple[bytes, bytes]]:
    """Each response with its request. It is the same on the fast path and by the application."""
    loaded = [await serving(*loaded_documents()) for _ in range(2)]
    assert len(loaded[0].store.snapshot.routes) == len(KNOWN) + 1
    fast, usual = [Wire(one, one is loaded[0], public=public, docs=True) for one in loaded]
    result = []
    for data in requests:
        fast.connect()
        usual.connect()
        received = await fast.send(data)
        assert received == await usual.send(data)
        result += [(data, answer) for answer in re.split(rb"(?=HTTP/1.1 [2-5]\d\d )", received) if answer]
    return result


def test_public_names_are_looked_for_in_every_page() -> None:
    table = public_pages(SnapshotStore(), lambda: None, 1, "1", Public()).table
    asked = {*UNLISTED, *OF_ROUTE, "/v2/repository/index"}
    assert {page.path.format(route="{}", version="v9") for _, page in table} <= asked


def text_of(answer: bytes) -> str:
    """An answer in lower case, decompressed."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return (head + (gzip.decompress(body) if b"content-encoding: gzip" in head else body)).decode("latin-1").lower()


async def seen(group: str, public: Public) -> tuple[set[int], set[str]]:
    """The statuses of a group's answers, and those of the names that are in them."""
    statuses, names = set(), set()
    for data, answer in await answers(GROUPS[group], public):
        status, text = int(answer.split(b" ", 2)[1]), text_of(answer)
        statuses.add(status)
        predicted = status == 200 and PREDICTION.search(data.split(b"\r\n", 1)[0])
        names |= {name for name in (FEATURE, ROUTE, *(() if predicted else (VERSION,))) if name in text}
    return statuses, names


REFUSED = {400, 404, 405, 413, 415}
SEEN = {
    "corpus": (REFUSED | {100, 200, 414, 422, 431}, {FEATURE, VERSION}),
    "pages": ({200, 400, 404, 405, 503}, {FEATURE, ROUTE, VERSION}),
    "homes": (REFUSED | {200, 422}, {FEATURE, VERSION}),
    "mixed": (REFUSED | {422}, {FEATURE, VERSION}),
    "frozen": (REFUSED - {415} | {503}, {VERSION}),
    "limited": ({400, 405, 413, 422, 429}, set()),
}
"""The statuses of each group, and the names that are in its answers if they are public."""


@pytest.mark.parametrize("group", GROUPS)
async def test_public_names_that_are_off_are_in_no_answer(group: str) -> None:
    assert await seen(group, Public(names=False)) == (SEEN[group][0], set())
    assert await seen(group, Public()) == SEEN[group]


# ---- gRPC ----


NUMBERS = [body for body in V2 if "text" not in json.dumps(body)]


def messages() -> list[tuple[str, Message]]:
    """Calls, with the names of their methods: tensors in both forms, and metadata, of each route."""
    result: list[tuple[str, Message]] = [("ServerMetadata", pb.ServerMetadataRequest())]
    result += [("RepositoryIndex", pb.RepositoryIndexRequest(ready=ready)) for ready in (False, True)]
    for route in (*KNOWN, "absent"):
        for version in ("", "v9"):
            result.append(("ModelMetadata", pb.ModelMetadataRequest(name=route, version=version)))
            result.append(("ModelReady", pb.ModelReadyRequest(name=route, version=version)))
            result.append(("ModelInfer", pb.ModelInferRequest(model_name=route, model_version=version)))
        for body, raw in itertools.product(NUMBERS, (False, True)):
            sent = message_of(body, raw)
            sent.model_name = route
            result.append(("ModelInfer", sent))
    return result


async def seen_by_grpc(public: bool) -> tuple[set[str], set[str]]:
    """The codes of the answers, and those of the names that are in them."""
    calls = Calls(await serving(*loaded_documents()), public=public)
    codes, names = set(), set()
    for method, message in messages():
        context = FakeContext(message.SerializeToString())
        answer = await calls.call(method, context)
        codes.add(context.status[0].name if context.status else "OK")
        text = repr((answer, context.status, context.metadata)).lower()
        predicted = answer is not None and method == "ModelInfer"
        names |= {name for name in (FEATURE, ROUTE, *(() if predicted else (VERSION,))) if name in text}
    return codes, names


async def test_public_names_that_are_off_are_in_no_answer_by_grpc() -> None:
    codes = {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "RESOURCE_EXHAUSTED", "UNAVAILABLE"}
    assert await seen_by_grpc(public=False) == (codes, set())
    assert await seen_by_grpc(public=True) == (codes, {FEATURE, ROUTE, VERSION})
