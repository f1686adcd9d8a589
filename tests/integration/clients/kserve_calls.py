"""Makes the calls of KServe's client, V2 and V1, and prints the results as JSON; the argument is the port.

It runs in the environment `kserve` of `cluster.clients`.
"""

import asyncio
import itertools
import json
import sys
from typing import Any

import httpx
import numpy as np
from kserve import InferInput, InferRequest, RESTConfig
from kserve.inference_client import InferenceRESTClient

ROWS = np.arange(400, dtype=np.float64).reshape(200, 2)


def request(binary: bool, binary_out: bool, datatype: str = "FP64") -> InferRequest:
    """The rows as one tensor."""
    tensor = InferInput("x", [200, 2], datatype)
    tensor.set_data_from_numpy(ROWS.astype(np.float32 if datatype == "FP32" else np.float64), binary_data=binary)
    return InferRequest(model_name="homes", infer_inputs=[tensor], parameters={"binary_data_output": binary_out})


async def predictions(client: Any, url: str) -> dict[str, Any]:
    """What the client reads of the answers, by the form of the request."""
    found = {}
    for binary, binary_out in itertools.product((True, False), repeat=2):
        answer = await client.infer(url, request(binary, binary_out), model_name="homes")
        found[f"binary {binary}, {binary_out}"] = answer.outputs[0].as_numpy().ravel().tolist()
    answer = await client.infer(url, request(True, True, "FP32"), model_name="homes")
    found["FP32"] = answer.outputs[0].as_numpy().ravel().tolist()
    return found


async def facts(client: Any, url: str) -> dict[str, Any]:
    """The answers to all other calls, and the text of an error as the client shows it."""
    found = {
        "live": await client.is_server_live(url),
        "ready": await client.is_server_ready(url),
        "model ready": await client.is_model_ready(url, "homes"),
        "other ready": await client.is_model_ready(url, "other"),
    }
    try:
        await client.infer(url, request(False, False), model_name="other")
    except httpx.HTTPStatusError as error:
        found["error"] = str(error)
    return found


async def main(port: str) -> None:
    """Makes all calls."""
    url = f"http://127.0.0.1:{port}"
    async with InferenceRESTClient(RESTConfig(protocol="v2", retries=0)) as client:
        found = {"predictions": await predictions(client, url), "facts": await facts(client, url)}
    async with InferenceRESTClient(RESTConfig(protocol="v1", retries=0)) as client:
        instances = {"instances": ROWS.tolist()}
        answer = await client.infer(url, instances, model_name="homes")
        found["v1"] = {"answer": answer, "ready": await client.is_model_ready(url, "homes")}
    print(json.dumps(found))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
