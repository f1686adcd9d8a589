"""Load by gRPC, and its figures as one line of JSON on standard error, as those of report.lua.

    python grpc_load.py 127.0.0.1:9000 ROUTE CONNECTIONS SECONDS

Each connection has one call at a time: the features of BENCH_BODY, as one tensor of FP64 in raw form.
"""

import asyncio
import json
import os
import struct
import sys
import time
from itertools import pairwise

import grpc

from linplane_server.interfaces.grpc.inference_pb2 import ModelInferRequest

CALL = "/inference.GRPCInferenceService/ModelInfer"
OWN = [("grpc.use_local_subchannel_pool", 1)]
"""Options of a channel that shares its connection with no other."""


def request(route: str) -> bytes:
    """The message of every call."""
    values = list(json.loads(os.environ["BENCH_BODY"])["features"].values())
    message = ModelInferRequest(model_name=route, raw_input_contents=[struct.pack(f"<{len(values)}d", *values)])
    message.inputs.add(name="features", datatype="FP64", shape=[1, len(values)])
    return message.SerializeToString()


async def call(address: str, message: bytes, end: float) -> list[float]:
    """The times at which the calls of one connection began, and that of the last answer. Raises grpc.RpcError."""
    async with grpc.aio.insecure_channel(address, options=OWN) as channel:
        infer: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(CALL)
        times = [time.perf_counter()]
        while times[-1] < end:
            await infer(message, wait_for_ready=True, timeout=20)
            times.append(time.perf_counter())
        return times


async def measure(address: str, route: str, connections: int, seconds: float) -> dict[str, float]:
    """The figures. An error ends it."""
    begin = time.perf_counter()
    message = request(route)
    found = await asyncio.gather(*(call(address, message, begin + seconds) for _ in range(connections)))
    took = sorted(after - before for times in found for before, after in pairwise(times))
    p50, p99 = (1e3 * took[int(len(took) * part)] for part in (0.5, 0.99))
    rate = len(took) / (time.perf_counter() - begin)
    return {"requests": len(took), "rate": rate, "p50": p50, "p99": p99, "errors": 0}


if __name__ == "__main__":
    where, name, count, duration = sys.argv[1:]
    print(json.dumps(asyncio.run(measure(where, name, int(count), float(duration)))), file=sys.stderr)
