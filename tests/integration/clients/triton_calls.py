"""Makes every call of tritonclient to the route `homes`, and prints the results as JSON. Arguments: http or aio, port.

It runs in the environment `oip` of `cluster.clients`.
"""

import asyncio
import inspect
import itertools
import json
import sys
from typing import Any

import numpy as np
import tritonclient.http
import tritonclient.http.aio

ROWS = np.arange(400, dtype=np.float64).reshape(200, 2)
FEATURES = ("area", "rooms")


class Caller:
    """Calls a client, of either kind."""

    def __init__(self, client: Any) -> None:
        self.client = client

    async def __call__(self, name: str, *args: Any, **options: Any) -> Any:
        result = getattr(self.client, name)(*args, **options)
        return await result if inspect.isawaitable(result) else result


def matrix(binary: bool, datatype: str = "FP64") -> list[Any]:
    """The rows as one tensor."""
    tensor = tritonclient.http.InferInput("x", [200, 2], datatype)
    tensor.set_data_from_numpy(ROWS.astype(np.float32 if datatype == "FP32" else np.float64), binary_data=binary)
    return [tensor]


def columns(binary: bool) -> list[Any]:
    """The rows as a tensor for each feature."""
    tensors = [tritonclient.http.InferInput(name, [200, 1], "FP64") for name in FEATURES]
    for number, tensor in enumerate(tensors):
        tensor.set_data_from_numpy(ROWS[:, number : number + 1], binary_data=binary)
    return tensors


async def predictions(call: Caller) -> dict[str, Any]:
    """What the client reads of the answers to all forms of a request; a name for each."""
    found = {}
    outputs = {
        "default": None,
        "binary": [tritonclient.http.InferRequestedOutput("prediction", binary_data=True)],
        "json": [tritonclient.http.InferRequestedOutput("prediction", binary_data=False)],
    }
    for binary, wanted, coding in itertools.product((True, False), outputs, (None, "gzip", "deflate")):
        codings = {"request_compression_algorithm": coding, "response_compression_algorithm": coding}
        options = {"outputs": outputs[wanted], "request_id": "abc", **codings}
        for form, inputs in (("matrix", matrix(binary)), ("columns", columns(binary))):
            result = await call("infer", "homes", inputs, **options)
            read = result.get_response()
            assert (read["id"], read["model_name"], read["model_version"]) == ("abc", "homes", "v1")
            assert result.as_numpy("prediction").shape == (200, 1)
            found[f"{form}, binary {binary}, {wanted}, {coding}"] = result.as_numpy("prediction").ravel().tolist()
    by_version = await call("infer", "homes", matrix(True), model_version="v2", parameters={"key": "user-1"})
    found["by version"] = by_version.as_numpy("prediction").ravel().tolist()
    fp32 = await call("infer", "homes", matrix(True, "FP32"))
    found["FP32"] = fp32.as_numpy("prediction").ravel().tolist()
    return found


async def facts(call: Caller) -> dict[str, Any]:
    """The answers to all other calls."""
    return {
        "live": await call("is_server_live"),
        "ready": await call("is_server_ready"),
        "model ready": await call("is_model_ready", "homes"),
        "version ready": await call("is_model_ready", "homes", "v2"),
        "other ready": await call("is_model_ready", "other"),
        "server": await call("get_server_metadata"),
        "model": await call("get_model_metadata", "homes"),
        "version": await call("get_model_metadata", "homes", "v2"),
        "index": await call("get_model_repository_index"),
    }


async def errors(call: Caller) -> dict[str, list[str]]:
    """Status and message of refused calls, as the client shows them."""
    found = {}
    tensor = tritonclient.http.InferInput("x", [1, 3], "FP64")
    tensor.set_data_from_numpy(np.zeros((1, 3)))
    calls: dict[str, tuple[Any, ...]] = {
        "model": ("infer", "other", matrix(True)),
        "version": ("infer", "homes", matrix(True), "v9"),
        "shape": ("infer", "homes", [tensor]),
        "metadata": ("get_model_metadata", "other"),
        "load": ("load_model", "homes"),
        "statistics": ("get_inference_statistics", "homes"),
    }
    for name, arguments in calls.items():
        try:
            await call(*arguments)
        except tritonclient.http.InferenceServerException as error:
            found[name] = [str(error.status()), str(error.message())]
    return found


async def main(kind: str, port: str) -> None:
    """Makes all calls with one client."""
    module = tritonclient.http if kind == "http" else tritonclient.http.aio
    call = Caller(module.InferenceServerClient(f"127.0.0.1:{port}"))
    result: dict[str, Any] = {
        "predictions": await predictions(call),
        "facts": await facts(call),
        "errors": await errors(call),
    }
    if kind == "http":
        pending = [call.client.async_infer("homes", matrix(True)) for _ in range(5)]
        result["async"] = [one.get_result().as_numpy("prediction").ravel().tolist() for one in pending]
    await call("close")
    print(json.dumps(result))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
