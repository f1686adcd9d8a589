"""What a server shows of itself: from the chart's values and its ModelServer to its answers, by HTTP and gRPC."""

import json
from typing import Any

import grpc

from chart.render import Values, render
from integration.cluster.objects import config_map, model_server, route, version
from integration.operator.kubelet import Container
from integration.operator.site import Site
from linplane_api.kinds import DEPLOYMENT, MODEL_ROUTE, SERVICE
from linplane_server.grpc.service import SERVICE as BY_GRPC
from linplane_server.interfaces.grpc import inference_pb2 as pb
from support import eventually
from unit.server.oip import tensor
from unit.server.oip_grpc import message_of

ROOT = "/scoring"
FEATURE, VERSION = "zebra", "tapir"
"""What is in every name that no request has."""


def operator_flags(values: Values) -> list[str]:
    """What these values of the chart add to the operator's command line."""

    def flags(of: Values) -> list[str]:
        (body,) = [found for found in render(of) if found["kind"] == "Deployment"]
        (container,) = body["spec"]["template"]["spec"]["containers"]
        return list(container["args"])

    without = flags({})
    return [flag for flag in flags(values) if flag not in without]


def call(server: Container, method: str, path: str, body: Any = None) -> tuple[int, str]:
    status, _, content = server.request(method, path, None if body is None else json.dumps(body).encode())
    return status, content.decode()


def by_grpc(server: Container, method: str, request: Any, response: Any) -> Any:
    """The answer; or code and text of the status that refuses."""
    with grpc.insecure_channel(server.grpc_address) as channel:
        try:
            return response.FromString(
                channel.unary_unary(f"/{BY_GRPC}/{method}")(request.SerializeToString(), timeout=20)
            )
        except grpc.RpcError as error:
            return error.code().name, error.details()


def look(server: Container) -> str:
    """Checks what a server answers whether or not its names are public, and returns the text of all its pages."""
    row = {"features": [2]}
    assert [call(server, "POST", f"{root}/routes/iris/predict", row)[0] for root in ("", ROOT)] == [200, 200]
    assert call(server, "POST", "/other/routes/iris/predict", row)[0] == 404
    message = message_of({"inputs": [tensor([[2.0]], [1, 1])]})
    message.model_name = "iris"
    answer = by_grpc(server, "ModelInfer", message, pb.ModelInferResponse)
    assert list(answer.outputs[0].contents.fp64_contents) == [4]
    paths = ("/", "/v1/models", "/v2/models", "/routes/iris", "/v2/models/iris", "/openapi.json", "/none")
    texts = [call(server, "GET", ROOT + path)[1] for path in paths]
    texts.append(call(server, "POST", f"{ROOT}/routes/iris/predict", {"features": {}})[1])
    index = by_grpc(server, "RepositoryIndex", pb.RepositoryIndexRequest(), pb.RepositoryIndexResponse)
    metadata = by_grpc(server, "ModelMetadata", pb.ModelMetadataRequest(name="iris"), pb.ModelMetadataResponse)
    return "\n".join([*texts, repr(index), repr(metadata)])


def test_names_root_path_and_grpc_are_as_chart_and_model_server_say(own_site: Site) -> None:
    site = own_site
    by_hand = {"configMapKeyRef": {"name": "iris", "key": "model.json"}}
    weights = json.dumps({"coefficients": {FEATURE: 1.5}, "intercept": 1})
    site.apply(
        {**model_server(), "spec": {"replicas": 1, "rootPath": ROOT, "grpc": {}}},
        config_map("iris", **{"model.json": weights}),
        version(VERSION, weights=by_hand),
        route(VERSION),
    )
    site.comes_to(MODEL_ROUTE, "iris", "Ready", "True")
    (first,) = site.servers(1)
    assert [port["name"] for port in site.get(SERVICE, "iris")["spec"]["ports"]] == ["http", "grpc"]
    shown = look(first)
    assert [name for name in (FEATURE, VERSION, ROOT) if name not in shown] == []

    flags = operator_flags({"server": {"publicNames": False}})
    assert flags == ["--no-public-names"]
    site.operator.stop()
    site.start_operator(*flags)

    def replacement() -> Container:
        found = site.kubelet.servers()
        assert len(found) == 1
        assert found != [first]
        return found[0]

    second = eventually(replacement, 90)
    shown = look(second)
    assert [name for name in (FEATURE, VERSION) if name in shown] == []
    assert call(second, "GET", f"{ROOT}/v2/models")[0] == 404
    (container,) = site.get(DEPLOYMENT, "linplane-server-default")["spec"]["template"]["spec"]["containers"]
    assert flags[0] in container["args"]
