"""Sends requests to a route at a constant rate until it is stopped, and prints the answers: runs in a pod.

    python load.py '{"host": "flat", "rate": 200, "connections": 8, "versions": {"v1": [2.5, 1]}}' FILE

Half of the requests use kept connections, half a new one each. Of both, half are of /predict, a quarter of the Open
Inference Protocol v2 as JSON, and a quarter of the same with binary tensors. Nothing is retried. A line of FILE:
the request's start, its duration in seconds, its form, the version that answered or `-`, and `ok` or the error.
"""

import http.client
import json
import math
import struct
import sys
import threading
import time
from itertools import count
from typing import Any, TextIO

TIMEOUT = 10.0
FORMS = ("predict", "v2", "predict", "v2-binary")
TYPE, LENGTH = "Content-Type", "Inference-Header-Content-Length"
Body = tuple[bytes, dict[str, str]]
"""A request's body and headers."""


def predict_body(area: float, key: str) -> Body:
    return json.dumps({"features": {"area": area}, "key": key}).encode(), {TYPE: "application/json"}


def v2_body(area: float, key: str, *, binary: bool) -> Body:
    """One tensor, for the one feature; `binary`: its data, and that of the answer, is after the JSON."""
    data = struct.pack("<d", area)
    form = {"parameters": {"binary_data_size": len(data)}} if binary else {"data": [area]}
    tensor = {"name": "area", "shape": [1], "datatype": "FP64", **form}
    head = json.dumps({"inputs": [tensor], "parameters": {"key": key, "binary_data_output": binary}}).encode()
    if not binary:
        return head, {TYPE: "application/json"}
    return head + data, {TYPE: "application/octet-stream", LENGTH: str(len(head))}


def v2_answer(content: bytes, length: int | None) -> tuple[str, float]:
    """Version and prediction of an answer whose JSON has so many bytes; None: all."""
    answer = json.loads(content[:length])
    (output,) = answer["outputs"]
    (prediction,) = output["data"] if length is None else struct.unpack("<d", content[length:])
    return answer["parameters"]["version"], prediction


class Load:
    def __init__(self, wanted: dict[str, Any], file: TextIO) -> None:
        self._host = wanted["host"]
        self._pause = 2 * wanted["connections"] / wanted["rate"]
        self._versions = wanted["versions"]
        self._file = file
        self._numbers = count()

    def run(self, index: int, *, kept: bool) -> None:
        connection = self._connection()
        due = time.monotonic() + self._pause * index
        while True:
            time.sleep(max(0.0, due - time.monotonic()))
            due += self._pause
            if not kept:
                connection = self._connection()
            began, number = time.time(), next(self._numbers)
            form, version, outcome = FORMS[number % len(FORMS)], "-", "ok"
            try:
                version, outcome = self._ask(connection, number, form, "keep-alive" if kept else "close")
            except (OSError, http.client.HTTPException, ValueError, KeyError, struct.error) as error:
                outcome = f"{'kept' if kept else 'own'}: {error!r}"
            if outcome != "ok" or not kept:
                connection.close()
            self._file.write(f"{began:.4f} {time.time() - began:.4f} {form} {version} {outcome}\n")

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._host, timeout=TIMEOUT)

    def _ask(self, connection: http.client.HTTPConnection, number: int, form: str, keep: str) -> tuple[str, str]:
        area, key = number * 0.37 % 11, f"user-{number % 997}"
        of_v2 = form != "predict"
        body, headers = v2_body(area, key, binary=form == "v2-binary") if of_v2 else predict_body(area, key)
        path = f"/v2/models/{self._host}/infer" if of_v2 else "/predict"
        connection.request("POST", path, body, {**headers, "Connection": keep})
        response = connection.getresponse()
        content = response.read()
        if response.status != 200:
            return "-", f"{response.status} {content.decode('utf-8', 'replace')[:200]}"
        if of_v2:
            length = response.getheader(LENGTH)
            version, prediction = v2_answer(content, int(length) if length else None)
        else:
            answer = json.loads(content)
            version, prediction = answer["version"], answer["prediction"]
        slope, intercept = self._versions[version]
        right = prediction == math.fsum((intercept, slope * area))
        return version, "ok" if right else f"{prediction!r} for {area!r}"


def main() -> None:
    wanted = json.loads(sys.argv[1])
    with open(sys.argv[2], "w", buffering=1) as file:  # noqa: PTH123 - a script of its own
        load = Load(wanted, file)
        for index in range(wanted["connections"]):
            for kept in (True, False):
                threading.Thread(target=load.run, args=(index + kept / 2,), kwargs={"kept": kept}, daemon=True).start()
        threading.Event().wait()


if __name__ == "__main__":
    main()
