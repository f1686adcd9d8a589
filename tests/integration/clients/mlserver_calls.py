"""Sends what MLServer's codecs make to the route `homes`, and prints what they read of the answers as JSON; the
argument is the port.

It runs in the environment `mlserver` of `cluster.clients`.
"""

import json
import sys
import urllib.request
from typing import Any

import numpy as np
import pandas as pd
from mlserver.codecs import NumpyCodec, NumpyRequestCodec, PandasCodec
from mlserver.types import InferenceRequest, InferenceResponse, MetadataModelResponse, MetadataServerResponse

ROWS = np.array([[2.0, 3.0], [0.0, 0.0]])


def infer(url: str, request: InferenceRequest) -> Any:
    """The prediction, as the codec of arrays reads it."""
    body = request.model_dump_json().encode()
    with urllib.request.urlopen(f"{url}/v2/models/homes/infer", body, timeout=10) as answer:
        response = InferenceResponse.model_validate_json(answer.read())
    return {"values": NumpyCodec.decode_output(response.outputs[0]).ravel().tolist(), "id": response.id}


def read(url: str) -> bytes:
    """The body at a path."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        body: bytes = answer.read()
        return body


def main(port: str) -> None:
    """Sends all forms."""
    url = f"http://127.0.0.1:{port}"
    frame = pd.DataFrame({"rooms": ROWS[:, 1].astype(int), "area": ROWS[:, 0]})
    requests = {
        "array": InferenceRequest(id="n1", inputs=[NumpyCodec.encode_input("x", ROWS)]),
        "request": NumpyRequestCodec.encode_request(ROWS),
        "frame": PandasCodec.encode_request(frame),
    }
    found: dict[str, Any] = {name: infer(url, request) for name, request in requests.items()}
    found["model"] = MetadataModelResponse.model_validate_json(read(f"{url}/v2/models/homes")).model_dump()
    found["server"] = MetadataServerResponse.model_validate_json(read(f"{url}/v2")).model_dump()
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
