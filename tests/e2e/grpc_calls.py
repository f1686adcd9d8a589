"""Calls a route by gRPC, through its Service, until its input ends: runs in a pod.

    python grpc_calls.py flat '{"v1": [2.5, 1]}'

The versions have one slope and one intercept each. Each call is a check of health and a prediction; nothing is retried.
Its line: the version that answered or `-`, and `ok` or the error.
"""

import json
import math
import sys
import threading
from collections.abc import Callable
from itertools import count
from typing import Any

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from linplane_server.interfaces.grpc.inference_pb2 import ModelInferRequest, ModelInferResponse

PORT = 9000
PAUSE = 0.1
TIMEOUT = 10.0
Call = Callable[..., bytes]


def outcome(health: Call, infer: Call, route: str, versions: dict[str, list[float]], area: float) -> str:
    """The line of a call. Raises grpc.RpcError."""
    check = health(HealthCheckRequest().SerializeToString(), timeout=TIMEOUT)
    status = HealthCheckResponse.FromString(check).status
    if status != HealthCheckResponse.SERVING:
        return f"- health {status}"
    request = ModelInferRequest(model_name=route)
    request.inputs.add(name="area", datatype="FP64", shape=[1], contents={"fp64_contents": [area]})
    response: Any = ModelInferResponse.FromString(infer(request.SerializeToString(), timeout=TIMEOUT))
    version = response.parameters["version"].string_param
    slope, intercept = versions[version]
    (prediction,) = response.outputs[0].contents.fp64_contents
    right = prediction == math.fsum((intercept, slope * area))
    return f"{version} {'ok' if right else f'{prediction!r} for {area!r}'}"


def main() -> None:
    route, versions = sys.argv[1], json.loads(sys.argv[2])
    ended = threading.Event()

    def read() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    with grpc.insecure_channel(f"{route}:{PORT}") as channel:
        grpc.channel_ready_future(channel).result(3 * TIMEOUT)
        health: Call = channel.unary_unary("/grpc.health.v1.Health/Check")
        infer: Call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        for number in count():
            try:
                line = outcome(health, infer, route, versions, number * 0.37 % 11)
            except grpc.RpcError as error:
                line = f"- {error.code()} {error.details()}"
            print(line, flush=True)
            if ended.wait(PAUSE):
                break


if __name__ == "__main__":
    main()
