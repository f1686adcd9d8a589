"""The gRPC port of a real process."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from integration.server.conftest import Start
from integration.server.running import Running, listening
from linplane_server.grpc.health import HEALTH
from linplane_server.grpc.service import SERVICE
from linplane_server.interfaces.grpc import inference_pb2 as pb
from support import eventually
from unit.server.oip import ANSWER, ROWS
from unit.server.oip_grpc import message_of

INFER = message_of({"inputs": [ROWS]})


def caller(
    channel: grpc.Channel, method: str, request: Any, response: Any, service: str = SERVICE
) -> Callable[..., Any]:
    return channel.unary_unary(
        f"/{service}/{method}",
        request_serializer=type(request).SerializeToString,
        response_deserializer=response.FromString,
    )


def has_grpc(server: Running) -> bool:
    return "cygrpc" in Path(f"/proc/{server.process.pid}/maps").read_text()


def test_grpc_is_imported_only_if_it_is_on(server: Running) -> None:
    assert not has_grpc(server)
    assert "grpc" not in server.logged()[0]


def test_grpc_answers_beside_http_and_ends_in_order(start: Start) -> None:
    server = start("--grpc-port", "0", "--body-bytes", "1500")
    assert has_grpc(server)
    with grpc.insecure_channel(server.grpc_address) as channel:
        infer = caller(channel, "ModelInfer", INFER, pb.ModelInferResponse)
        answer = infer(INFER, timeout=60)
        assert list(answer.outputs[0].contents.fp64_contents) == ANSWER
        assert server.version() == "v1"
        for compression in (grpc.Compression.Gzip, grpc.Compression.Deflate):
            assert infer(INFER, timeout=60, compression=compression) == answer
        large = pb.ModelInferRequest(model_name="homes", raw_input_contents=[bytes(9000)])
        for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
            with pytest.raises(grpc.RpcError) as refused:
                infer(large, timeout=60, compression=compression)
            assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            limit = f"max ({large.ByteSize()} vs. 6000)" if compression is grpc.Compression.NoCompression else "max"
            assert refused.value.details().endswith(f"message larger than {limit}")
        assert infer(INFER, timeout=60) == answer
        health = caller(channel, "Check", HealthCheckRequest(), HealthCheckResponse, HEALTH)
        assert health(HealthCheckRequest(service=SERVICE), timeout=60).status == HealthCheckResponse.SERVING
        metrics = server.admin_call("GET", "/metrics")[2].decode()
        assert 'protocol="grpc"' in metrics
        server.terminate()
        assert server.process.wait(60) == 0
    assert [line["message"] for line in server.logged()][-2:] == ["stopping", "stopped"]


def test_drain_completes_calls_and_says_so_by_health(start: Start) -> None:
    seconds = ("--drain-seconds", "60", "--graceful-seconds", "60", "--body-seconds", "60")
    server = start("--grpc-port", "0", "--connections-per-peer", "2", *seconds)
    gate = threading.Event()

    def slowly() -> Any:
        """A message that is complete only when the gate opens: a call in flight."""
        gate.wait(60)
        yield INFER.SerializeToString()

    with grpc.insecure_channel(server.grpc_address) as channel:
        watch = channel.unary_stream(
            f"/{HEALTH}/Watch",
            request_serializer=HealthCheckRequest.SerializeToString,
            response_deserializer=HealthCheckResponse.FromString,
        )(HealthCheckRequest(), timeout=90)
        assert next(watch).status == HealthCheckResponse.SERVING
        infer = caller(channel, "ModelInfer", INFER, pb.ModelInferResponse)
        pending = channel.stream_unary(f"/{SERVICE}/ModelInfer").future(slowly(), timeout=90)
        eventually(lambda: code_of(infer) is grpc.StatusCode.RESOURCE_EXHAUSTED, 60)  # two calls are in flight
        server.terminate()
        assert [one.status for one in watch] == [HealthCheckResponse.NOT_SERVING]
        assert infer(INFER, timeout=60).model_version == "v1"  # still accepted
        server.terminate()  # skips the rest of the drain
        eventually(lambda: code_of(infer) is grpc.StatusCode.UNAVAILABLE, 60)
        gate.set()
        assert pb.ModelInferResponse.FromString(pending.result(60)).model_version == "v1"
        assert server.process.wait(60) == 0


def test_calls_that_send_nothing_hold_up_no_others_which_wait_outside_of_memory(start: Start) -> None:
    """Four are as many as are read at a time; without others they might take a minute."""
    server = start("--grpc-port", "0", "--body-seconds", "60")
    gate = threading.Event()

    def nothing() -> Any:
        gate.wait(90)
        yield INFER.SerializeToString()

    large = pb.ModelInferRequest(model_name="absent", raw_input_contents=[bytes(4_000_000)])
    with grpc.insecure_channel(server.grpc_address) as channel:
        infer = caller(channel, "ModelInfer", large, pb.ModelInferResponse)
        assert [infer.future(large, timeout=60).code() for _ in range(4)] == [grpc.StatusCode.NOT_FOUND] * 4
        server.forget_peak()
        before = server.memory()
        silent = [channel.stream_unary(f"/{SERVICE}/ModelInfer").future(nothing(), timeout=90) for _ in range(4)]
        answers = [infer.future(large, timeout=50) for _ in range(40)]
        others = [answer for answer in answers if answer.code() is not grpc.StatusCode.NOT_FOUND]
        assert all(answer.details().startswith("the message did not arrive") for answer in others)  # a slow machine's
        assert [infer.future(large, timeout=50).code() for _ in others] == [grpc.StatusCode.NOT_FOUND] * len(others)
        assert (server.memory("VmHWM") - before) * 1024 < 80_000_000, "half of them"
        gate.set()
        codes = [answer.code() for answer in silent]
    assert set(codes) <= {grpc.StatusCode.OK, grpc.StatusCode.DEADLINE_EXCEEDED}


def code_of(infer: Callable[..., Any]) -> grpc.StatusCode:
    """The status of a call."""
    try:
        infer(INFER, timeout=60)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def test_port_that_is_in_use_is_an_error(start: Start) -> None:
    with listening() as taken:
        server = start("--grpc-port", str(taken.getsockname()[1]), ready=False)
        assert server.process.wait(100) == 1
    assert "Address already in use" in server.log.read_text()
