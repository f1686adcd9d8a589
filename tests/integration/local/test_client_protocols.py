"""The calls of KServe V1, MLflow and gRPC clients, and the pages of the public port, to a running server."""

import http.client
import json
import re

import grpc

from integration.local.running import Local, route, weights
from linplane_server.grpc.service import SERVICE
from linplane_server.interfaces.grpc.inference_pb2 import ModelInferResponse
from unit.server.oip import tensor
from unit.server.oip_grpc import message_of

ROW = {"area": 2.5, "rooms": 3}


def send(local: Local, method: str, path: str, body: object = None, **headers: str) -> tuple[int, str, str]:
    """Status, content type and body."""
    connection = http.client.HTTPConnection("127.0.0.1", local.port, timeout=10)
    try:
        data = body if body is None or isinstance(body, str) else json.dumps(body)
        connection.request(method, path, data, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.headers["content-type"], answer.read().decode()
    finally:
        connection.close()


def test_local_server_answers_the_calls_of_v1_mlflow_and_its_own_pages(local: Local) -> None:
    local.save("v1.yaml", weights("rent", "v1", {"area": 2.0, "rooms": 10.0}, 1.0) + "---\n" + route("rent", "v1"))
    local.options = ("--grpc-port", "0", "--root-path", "/scoring")
    local.start()
    local.answers_with("rent", "v1")
    expected = local.predict("rent", ROW)["prediction"]
    answer = (200, "application/json", json.dumps({"predictions": [expected]}, separators=(",", ":")))

    # KServe V1, without a Content-Type as its client sends
    assert send(local, "POST", "/v1/models/rent:predict", {"instances": [list(ROW.values())]}) == answer
    assert send(local, "POST", "/v1/models/rent:predict", {"inputs": [ROW]}) == answer
    assert send(local, "POST", "/v1/models/rent:predict", {"inputs": 7})[:2] == (400, "application/json")
    assert send(local, "POST", "/v1/models/absent:predict", {"inputs": [ROW]})[:2] == (404, "application/json")
    assert send(local, "GET", "/v1/models")[2] == '{"models":["rent"]}'
    assert send(local, "GET", "/v1/models/rent")[2] == '{"name":"rent","ready":true}'
    assert send(local, "GET", "/v1/models/absent")[:2] == (404, "application/json")

    # MLflow, of the only route, and of a route by its path
    for path in ("/invocations", "/routes/rent/invocations"):
        split = {"columns": list(ROW), "data": [list(ROW.values())]}
        assert send(local, "POST", path, {"dataframe_split": split}, Content_Type="application/json") == answer
        assert send(local, "POST", path, {"inputs": {"area": [2.5], "rooms": [3]}}) == answer
        assert send(local, "POST", path, "rooms,area\n3,2.5\n", Content_Type="text/csv") == answer
        assert send(local, "POST", path, "rooms,area\n3,\n", Content_Type="text/csv")[:2] == (400, "application/json")
        assert send(local, "POST", path, "x", Content_Type="text/plain")[0] == 415
    for path in ("/ping", "/health"):
        assert send(local, "GET", path)[::2] == (200, "")
    assert send(local, "GET", "/version")[:2] == (200, "text/plain")

    # pages
    assert json.loads(send(local, "GET", "/")[2]) == {"status": "alive", "routes": ["rent"], "docs": "/scoring/docs"}
    assert send(local, "GET", "/", Accept="text/html")[1] == "text/html; charset=utf-8"
    assert send(local, "HEAD", "/")[::2] == (200, "")
    assert send(local, "GET", "/scoring/") == send(local, "GET", "/")
    page = json.loads(send(local, "GET", "/routes/rent")[2])
    for root in ("", "/scoring"):
        assert send(local, "POST", f"{root}/routes/rent/predict", page["example"])[0] == 200
    assert send(local, "POST", "/other/routes/rent/predict", page["example"])[0] == 404
    too_large = json.dumps(page["example"]) + " " * page["maxBodyBytes"]
    assert send(local, "POST", "/routes/rent/predict", too_large)[0] == 413
    document = json.loads(send(local, "GET", "/routes/rent/openapi.json")[2])
    assert list(document["components"]["schemas"]["Features"]["properties"]) == ["area", "rooms"]
    assert send(local, "GET", "/routes/absent")[:2] == (404, "application/problem+json")

    # gRPC
    address = re.search(r"gRPC at (\S+);", local.text)
    assert address
    message = message_of({"inputs": [tensor([list(ROW.values())], [1, 2])]}, raw=True)
    message.model_name = "rent"
    with grpc.insecure_channel(address[1]) as channel:
        found = channel.unary_unary(f"/{SERVICE}/ModelInfer")(message.SerializeToString(), timeout=20)
    assert list(memoryview(ModelInferResponse.FromString(found).raw_output_contents[0]).cast("d")) == [expected]
