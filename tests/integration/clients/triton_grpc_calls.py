"""Makes the calls of tritonclient over gRPC to the route `homes`, and prints the results as JSON. Arguments: grpc or
aio, address.

It runs in the environment `oip` of `cluster.clients`.
"""

import asyncio
import inspect
import json
import sys
from typing import Any

import numpy as np
import tritonclient.grpc
import tritonclient.grpc.aio

ROWS = np.arange(400, dtype=np.float64).reshape(200, 2)
FEATURES = ("area", "rooms")


class Caller:
    """Calls a client, of either kind."""

    def __init__(self, client: Any) -> None:
        self.client = client

    async def __call__(self, name: str, *args: Any, **options: Any) -> Any:
        result = getattr(self.client, name)(*args, **options)
        return await result if inspect.isawaitable(result) else result


def tensor(name: str, rows: Any, datatype: str = "FP64") -> Any:
    """An input with these values."""
    found = tritonclient.grpc.InferInput(name, list(rows.shape), datatype)
    found.set_data_from_numpy(rows)
    return found


def matrix(datatype: str = "FP64") -> list[Any]:
    """The rows as one tensor."""
    return [tensor("x", ROWS.astype(np.float32 if datatype == "FP32" else np.float64), datatype)]


async def predictions(call: Caller) -> dict[str, Any]:
    """The values that the client reads of the answers to all forms of a request; a name for each."""
    found = {}
    columns = [tensor(name, ROWS[:, number : number + 1]) for number, name in enumerate(FEATURES)]
    for form, inputs in (("matrix", matrix()), ("columns", columns), ("FP32", matrix("FP32"))):
        for coding in (None, "gzip", "deflate"):
            options = {"request_id": "abc", "compression_algorithm": coding}
            outputs = [tritonclient.grpc.InferRequestedOutput("prediction")] if coding is None else None
            result = await call("infer", "homes", inputs, outputs=outputs, **options)
            read = result.get_response()
            assert (read.id, read.model_name, read.model_version) == ("abc", "homes", "v1")
            assert result.as_numpy("prediction").shape == (200, 1)
            found[f"{form}, {coding}"] = result.as_numpy("prediction").ravel().tolist()
    by_version = await call("infer", "homes", matrix(), model_version="v2", parameters={"key": "user-1"})
    found["by version"] = by_version.as_numpy("prediction").ravel().tolist()
    return found


async def facts(call: Caller) -> dict[str, Any]:
    """The answers to all other calls."""
    model = await call("get_model_metadata", "homes", as_json=True)
    return {
        "live": await call("is_server_live"),
        "ready": await call("is_server_ready"),
        "model ready": await call("is_model_ready", "homes"),
        "version ready": await call("is_model_ready", "homes", "v2"),
        "server": await call("get_server_metadata", as_json=True),
        "model": model,
        "index": await call("get_model_repository_index", as_json=True),
    }


async def errors(call: Caller) -> dict[str, list[str]]:
    """Status and message of refused calls, as the client shows them."""
    found = {}
    calls: dict[str, tuple[Any, ...]] = {
        "model": ("infer", "other", matrix()),
        "version": ("infer", "homes", matrix(), "v9"),
        "shape": ("infer", "homes", [tensor("x", np.zeros((1, 3)))]),
        "metadata": ("get_model_metadata", "other"),
        "ready": ("is_model_ready", "other"),
        "load": ("load_model", "homes"),
    }
    for name, arguments in calls.items():
        try:
            await call(*arguments)
        except tritonclient.grpc.InferenceServerException as error:
            found[name] = [str(error.status()), str(error.message())]
    return found


async def main(kind: str, address: str) -> None:
    """Makes all calls with one client."""
    module = tritonclient.grpc if kind == "grpc" else tritonclient.grpc.aio
    call = Caller(module.InferenceServerClient(address))
    result = {"predictions": await predictions(call), "facts": await facts(call), "errors": await errors(call)}
    await call("close")
    print(json.dumps(result))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
