"""Makes the calls of the generated client of the Open Inference Protocol, sync and async; the argument is the port.

It prints the results as JSON, and runs in the environment `oip` of `cluster.clients`.
"""

import asyncio
import inspect
import json
import sys
from collections.abc import Callable
from typing import Any

from open_inference.openapi.client import (
    ApiError,
    AsyncOpenInferenceClient,
    InferenceRequest,
    OpenInferenceClient,
)

DATA = [2.0, 3.0, 0.0, 0.0]
MATRIX = InferenceRequest(id="abc", inputs=[{"name": "x", "shape": [2, 2], "datatype": "FP64", "data": DATA}])
COLUMNS = InferenceRequest(
    inputs=[
        {"name": "area", "shape": [2], "datatype": "FP32", "data": DATA[::2]},
        {"name": "rooms", "shape": [2], "datatype": "INT64", "data": [3, 0]},
    ]
)


async def result(value: Any) -> Any:
    """What a client of either kind returned, as plain JSON; None of a call that only succeeds."""
    found = await value if inspect.isawaitable(value) else value
    return json.loads(found.json(exclude_unset=True)) if found is not None else None


async def calls(client: Any) -> dict[str, Any]:
    """The answers to all calls of a client; any refusal raises."""
    found = {
        "live": client.check_server_liveness(),
        "ready": client.check_server_readiness(),
        "model ready": client.check_model_readiness("homes"),
        "version ready": client.check_model_version_readiness("homes", "v2"),
        "server": client.read_server_metadata(),
        "model": client.read_model_metadata("homes"),
        "version": client.read_model_version_metadata("homes", "v2"),
        "matrix": client.model_infer("homes", request=MATRIX),
        "columns": client.model_infer("homes", request=COLUMNS),
        "by version": client.model_version_infer("homes", "v2", request=MATRIX),
    }
    return {name: await result(value) for name, value in found.items()}


async def errors(client: Any) -> dict[str, Any]:
    """Status and body of each refused call."""
    found = {}
    other = InferenceRequest(inputs=[{"name": "x", "shape": [1, 3], "datatype": "FP64", "data": [1, 2, 3]}])
    refused: dict[str, Callable[[], Any]] = {
        "model": lambda: client.model_infer("other", request=MATRIX),
        "version": lambda: client.read_model_version_metadata("homes", "v9"),
        "shape": lambda: client.model_infer("homes", request=other),
    }
    for name, call in refused.items():
        try:
            await result(call())
        except ApiError as error:
            found[name] = [error.status_code, error.body]
    return found


async def main(port: str) -> None:
    """Makes all calls with a client of each kind."""
    found = {}
    for kind in (OpenInferenceClient, AsyncOpenInferenceClient):
        client = kind(base_url=f"http://127.0.0.1:{port}")
        found[kind.__name__] = {"calls": await calls(client), "errors": await errors(client)}
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
