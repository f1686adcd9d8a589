"""Calls of gRPC without a network: what is read when, how calls end, metadata, and health."""

import asyncio
import gc
import sys
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from linplane_api.routing import Unavailable
from linplane_server.grpc import calls as reading
from linplane_server.grpc import health
from linplane_server.grpc.calls import address_of
from linplane_server.grpc.service import SERVICE
from linplane_server.interfaces.grpc import inference_pb2 as pb
from linplane_server.state.serving import new_serving
from unit.server.builders import Clock, document, serving
from unit.server.grpc_calls import MAX_BODY, Calls
from unit.server.oip import ANSWER, ROWS, tensor
from unit.server.oip_grpc import FakeContext, message_of

INFER = message_of({"inputs": [ROWS]}).SerializeToString()


@pytest.fixture
async def calls() -> Calls:
    return Calls(await serving(document(split=[("v2", 0)])))


async def turns() -> None:
    """Lets every task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_infer_is_answered_with_its_request_id(calls: Calls) -> None:
    context = FakeContext(INFER)
    context.sent = (("x-request-id", "r-1"), ("trace-bin", b"\xff"))  # type: ignore[assignment]
    found = await calls.call("ModelInfer", context)
    assert found is not None
    assert list(pb.ModelInferResponse.FromString(found).outputs[0].contents.fp64_contents) == ANSWER
    assert context.metadata == (("x-request-id", "r-1"),)


async def test_refused_call_ends_with_its_status(calls: Calls) -> None:
    context = FakeContext(pb.ModelInferRequest(model_name="other").SerializeToString())
    assert await calls.call("ModelInfer", context) is None
    assert context.status is not None
    code, text, metadata = context.status
    assert (code, "no model of this name" in text) == (grpc.StatusCode.NOT_FOUND, True)
    assert [name for name, _ in metadata] == ["x-request-id"]


@pytest.mark.parametrize("message", [b"\xff\xff", None], ids=["damaged", "none"])
async def test_call_without_a_sound_message_is_refused(calls: Calls, message: bytes | None) -> None:
    context = FakeContext(message)
    assert await calls.call("ModelInfer", context) is None
    assert context.status is not None
    assert context.status[0] is grpc.StatusCode.INVALID_ARGUMENT
    assert await calls.call("ModelInfer", FakeContext(INFER)) is not None


async def test_messages_are_read_one_after_the_other_and_too_many_calls_are_refused() -> None:
    calls = Calls(await serving(document()), messages=1, waiting=2)
    contexts = [FakeContext(INFER, late=True) for _ in range(4)]
    tasks = [asyncio.create_task(calls.call("ModelInfer", context)) for context in contexts]
    await turns()
    assert [context.reading for context in contexts] == [True, False, False, False]
    assert [task.done() for task in tasks] == [False, False, False, True]
    assert contexts[3].status is not None
    code, text, metadata = contexts[3].status
    assert (code, metadata) == (grpc.StatusCode.UNAVAILABLE, (("retry-after", "1"),))
    assert text.startswith("the server holds as many bodies as it may")
    contexts[0].arrive.set()
    await turns()
    assert [context.reading for context in contexts] == [True, True, False, False]
    tasks[2].cancel()  # a call that waits can be given up
    contexts[1].arrive.set()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(one, bytes) for one in done] == [True, True, False, False]
    assert await calls.call("ModelInfer", FakeContext(INFER)) is not None


async def test_call_that_is_given_up_while_it_is_read_leaves_its_turn() -> None:
    calls = Calls(await serving(document()), messages=1, waiting=0)
    context = FakeContext(INFER, late=True)
    task = asyncio.create_task(calls.call("ModelInfer", context))
    await turns()
    assert context.reading
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await calls.call("ModelInfer", FakeContext(INFER)) is not None


async def test_message_that_does_not_arrive_is_given_up() -> None:
    calls = Calls(await serving(document()), seconds=0.01)
    context = FakeContext(INFER, late=True)
    assert await calls.call("ModelInfer", context) is None
    assert context.status is not None
    assert context.status[0] is grpc.StatusCode.DEADLINE_EXCEEDED
    assert await calls.call("ModelInfer", FakeContext(INFER)) is not None


async def test_calls_that_send_nothing_give_their_turns_to_those_that_wait() -> None:
    calls = Calls(await serving(document()), messages=2, waiting=3, patience=0)
    silent = [FakeContext(INFER, late=True) for _ in range(2)]
    tasks = [asyncio.create_task(calls.call("ModelInfer", context)) for context in silent]
    await turns()
    assert [context.status for context in silent] == [None, None]
    assert await calls.call("ModelInfer", FakeContext(INFER)) is not None
    await turns()
    assert [task.done() for task in tasks] == [True, False], "one for the one that waited"
    assert silent[0].status is not None
    assert silent[0].status[:2] == (
        grpc.StatusCode.DEADLINE_EXCEEDED,
        "the message did not arrive within 60 s, or 0 s if other calls wait",
    )
    silent[1].arrive.set()
    assert isinstance(await tasks[1], bytes)


async def test_call_that_waits_already_gets_the_turn_of_one_that_sends_nothing() -> None:
    calls = Calls(await serving(document()), messages=1, waiting=1, patience=0)
    silent = FakeContext(INFER, late=True)
    both = [calls.call("ModelInfer", context) for context in (silent, FakeContext(INFER))]
    assert [isinstance(one, bytes) for one in await asyncio.gather(*both)] == [False, True]
    assert silent.status is not None


async def test_message_that_is_delivered_before_its_read_ends_is_not_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "DELIVERY_SECONDS", 60)
    calls = Calls(await serving(document()), messages=1, waiting=2, patience=0)
    contexts = [FakeContext(INFER, late=True), FakeContext(INFER), FakeContext(INFER)]
    tasks = [asyncio.create_task(calls.call("ModelInfer", context)) for context in contexts]
    await turns()
    contexts[0].arrive.set()
    assert [isinstance(one, bytes) for one in await asyncio.gather(*tasks)] == [True, True, True]


async def test_refused_message_is_not_kept_until_the_collector_runs(calls: Calls) -> None:
    data = b"\xff" * 100
    context = FakeContext(data)
    before = sys.getrefcount(data)
    gc.disable()
    try:
        assert await calls.call("ModelInfer", context) is None
        assert context.ended is not None
        assert sys.getrefcount(data) == before
    finally:
        gc.enable()


async def test_calls_in_flight_of_an_address_are_bounded() -> None:
    calls = Calls(await serving(document()), messages=9, waiting=9, per_peer=2)
    first, second = (FakeContext(INFER, late=True, peer=f"ipv4:192.0.2.1:{port}") for port in (5000, 5001))
    tasks = [asyncio.create_task(calls.call("ModelInfer", context)) for context in (first, second)]
    await turns()
    for name in ("ModelInfer", "ServerLive", "Check"):
        third = FakeContext(INFER)
        assert await calls.call(name, third) is None
        assert third.status is not None
        assert third.status[:2] == (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "this address has 2 calls in flight already",
        )
        assert not third.reading
    assert await calls.call("ModelInfer", FakeContext(INFER, peer="ipv4:192.0.2.2:5000")) is not None
    first.arrive.set()
    assert await tasks[0] is not None
    assert await calls.call("ModelInfer", FakeContext(INFER)) is not None
    tasks[1].cancel()
    await asyncio.gather(tasks[1], return_exceptions=True)
    assert [await calls.call("ModelInfer", FakeContext(INFER)) is not None for _ in range(3)] == [True] * 3


async def test_large_message_does_not_hold_up_others() -> None:
    loaded = await serving(document())
    calls = Calls(loaded, messages=2)
    large = message_of({"inputs": [tensor([1.5] * 40_000, [20_000, 2])]}, raw=True)
    task = asyncio.create_task(calls.call("ModelInfer", FakeContext(large.SerializeToString())))
    await turns()
    assert await calls.call("ServerLive", FakeContext()) is not None
    assert not task.done()
    found = await task
    assert found is not None
    assert pb.ModelInferResponse.FromString(found).outputs[0].shape == [20_000, 1]


async def test_waiting_inferences_do_not_delay_other_calls() -> None:
    calls = Calls(await serving(document()), messages=1, waiting=0)
    task = asyncio.create_task(calls.call("ModelInfer", FakeContext(INFER, late=True)))
    await turns()
    assert (await calls.get("ServerReady", pb.ServerReadyRequest(), pb.ServerReadyResponse)).ready
    assert (await calls.get("ModelReady", pb.ModelReadyRequest(name="homes"), pb.ModelReadyResponse)).ready
    assert (await calls.get("Check", HealthCheckRequest(), HealthCheckResponse)).status == HealthCheckResponse.SERVING
    task.cancel()


# ---- metadata ----


async def test_server_calls_answer_as_http(calls: Calls) -> None:
    assert (await calls.get("ServerLive", pb.ServerLiveRequest(), pb.ServerLiveResponse)).live
    found = await calls.get("ServerMetadata", pb.ServerMetadataRequest(), pb.ServerMetadataResponse)
    assert (found.name, found.version, list(found.extensions)) == (
        "linplane",
        "1.2.3",
        ["binary_tensor_data", "model_repository"],
    )


async def test_empty_request_is_not_read(calls: Calls) -> None:
    for name in ("ServerLive", "ServerReady", "ServerMetadata"):
        context = FakeContext(b"\xff", late=True)
        assert await calls.call(name, context) is not None
        assert not context.reading


async def test_server_is_not_ready_during_the_drain(calls: Calls) -> None:
    calls.readiness.draining = True
    assert not (await calls.get("ServerReady", pb.ServerReadyRequest(), pb.ServerReadyResponse)).ready
    assert (await calls.get("ServerLive", pb.ServerLiveRequest(), pb.ServerLiveResponse)).live


async def metadata(calls: Calls, name: str, version: str = "") -> Any:
    request = pb.ModelMetadataRequest(name=name, version=version)
    return await calls.get("ModelMetadata", request, pb.ModelMetadataResponse)


async def ready(calls: Calls, name: str, version: str = "") -> Any:
    found = await calls.get("ModelReady", pb.ModelReadyRequest(name=name, version=version), pb.ModelReadyResponse)
    return found if isinstance(found, str) else found.ready


async def test_model_metadata_has_tensors_and_versions(calls: Calls) -> None:
    found = await metadata(calls, "homes", "v2")
    assert found == await metadata(calls, "homes")
    assert (found.name, list(found.versions), found.platform) == ("homes", ["v1", "v2"], "linplane_linear")
    tensors = [(one.name, one.datatype, list(one.shape)) for one in (*found.inputs, *found.outputs)]
    assert tensors == [("features", "FP64", [-1, 2]), ("prediction", "FP64", [-1, 1])]


async def test_model_that_is_not_there_is_not_found(calls: Calls) -> None:
    places = [("other", ""), ("homes", "v9"), ("", ""), ("homes/versions/v1", ""), ("homes", "v1/../v1"), ("", "v1")]
    for name, version in places:
        assert (await metadata(calls, name, version), await ready(calls, name, version)) == ("NOT_FOUND", "NOT_FOUND")


async def test_model_without_weights_is_not_ready() -> None:
    unavailable = Unavailable("Frozen", "v1 is frozen")
    frozen = document(versions={}, named={"v1": ("area",)}, unavailable=unavailable)
    calls = Calls(await serving(frozen))
    assert await ready(calls, "homes") is False
    assert await ready(calls, "homes", "v1") is False
    empty = Calls(new_serving(Clock()))
    assert await ready(empty, "homes") is False
    assert await metadata(empty, "homes") == "UNAVAILABLE"


async def test_index_lists_versions() -> None:
    unavailable = Unavailable("Frozen", "v1 is frozen")
    versions = {"v2": {"area": 1.0}}
    doc = document(versions=versions, split=[("v2", 0)], named={"v1": ("area",)}, unavailable=unavailable)
    calls = Calls(await serving(doc))
    for only_ready, expected in ((False, ["v1", "v2"]), (True, ["v2"])):
        request = pb.RepositoryIndexRequest(ready=only_ready)
        found = await calls.get("RepositoryIndex", request, pb.RepositoryIndexResponse)
        assert [one.version for one in found.models] == expected


# ---- health ----


async def status_of(calls: Calls, service: str) -> Any:
    found = await calls.get("Check", HealthCheckRequest(service=service), HealthCheckResponse)
    return found if isinstance(found, str) else HealthCheckResponse.ServingStatus.Name(found.status)


async def test_health_is_readiness(calls: Calls) -> None:
    assert [await status_of(calls, name) for name in ("", SERVICE, "other")] == ["SERVING", "SERVING", "NOT_FOUND"]
    calls.readiness.draining = True
    assert [await status_of(calls, name) for name in ("", SERVICE)] == ["NOT_SERVING", "NOT_SERVING"]
    assert await status_of(Calls(new_serving(Clock())), "") == "NOT_SERVING"


def statuses(context: FakeContext) -> list[str]:
    found = [HealthCheckResponse.FromString(data).status for data in context.written]
    return [HealthCheckResponse.ServingStatus.Name(status) for status in found]


async def test_watch_sends_each_change_and_ends_at_the_drain(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "POLL_SECONDS", 0)
    known, unknown = (
        FakeContext(HealthCheckRequest().SerializeToString()),
        FakeContext(HealthCheckRequest(service="other").SerializeToString()),
    )
    tasks = [asyncio.create_task(calls.call("Watch", context)) for context in (known, unknown)]
    await turns()
    assert (statuses(known), statuses(unknown)) == (["SERVING"], ["SERVICE_UNKNOWN"])
    calls.readiness.draining = True
    await asyncio.gather(*tasks)
    assert (statuses(known), statuses(unknown)) == (["SERVING", "NOT_SERVING"], ["SERVICE_UNKNOWN"])


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:192.0.2.1:50000", "192.0.2.1"),
        ("ipv6:%5B2001:db8::1%5D:50000", "2001:db8::1"),
        ("ipv6:[::ffff:192.0.2.1]:1", "::ffff:192.0.2.1"),
        ("unix:/run/a:b", "unix:/run/a:b"),
        ("", ""),
    ],
)
def test_address_of_a_peer(peer: str, address: str) -> None:
    assert address_of(peer) == address


@pytest.mark.parametrize(("raw", "fits"), [(False, False), (True, True)], ids=["typed", "raw"])
async def test_numbers_of_a_call_are_bounded_unless_they_are_the_bytes_of_a_matrix(
    calls: Calls, raw: bool, fits: bool
) -> None:
    rows = MAX_BODY // 4 + 1  # of two numbers, for each of which JSON needs two bytes
    sent = message_of({"inputs": [tensor([[2, 3]] * rows, [rows, 2])]}, raw=raw)
    context = FakeContext(sent.SerializeToString())
    assert (await calls.call("ModelInfer", context) is not None) is fits
    if not fits:
        assert context.status is not None
        assert context.status[1] == "34 numbers are over the 32 of one request; send fewer rows"


async def test_numbers_in_columns_are_bounded_in_raw_form_too(calls: Calls) -> None:
    rows = MAX_BODY // 4 + 1
    columns = [tensor([2] * rows, [rows], name) for name in ("area", "rooms")]
    context = FakeContext(message_of({"inputs": columns}, raw=True).SerializeToString())
    assert await calls.call("ModelInfer", context) is None
