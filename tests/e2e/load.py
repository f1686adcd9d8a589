"""Sends requests to a route at a constant rate until it is stopped, and prints the answers: runs in a pod.

    python load.py '{"host": "flat", "rate": 200, "connections": 8, "versions": {"v1": [2.5, 1]}}' FILE

Half of the requests use kept connections, half a new one each. Nothing is retried. A line of FILE:
the request's start, its duration in seconds, the version that answered or `-`, and `ok` or the error.
"""

import http.client
import json
import math
import sys
import threading
import time
from itertools import count
from typing import Any, TextIO

TIMEOUT = 10.0


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
            began = time.time()
            version, outcome = "-", "ok"
            try:
                version, outcome = self._ask(connection, "keep-alive" if kept else "close")
            except (OSError, http.client.HTTPException, ValueError) as error:
                outcome = f"{'kept' if kept else 'own'}: {error!r}"
            if outcome != "ok" or not kept:
                connection.close()
            self._file.write(f"{began:.4f} {time.time() - began:.4f} {version} {outcome}\n")

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._host, timeout=TIMEOUT)

    def _ask(self, connection: http.client.HTTPConnection, keep: str) -> tuple[str, str]:
        number = next(self._numbers)
        area = number * 0.37 % 11
        body = json.dumps({"features": {"area": area}, "key": f"user-{number % 997}"})
        connection.request("POST", "/predict", body, {"Content-Type": "application/json", "Connection": keep})
        response = connection.getresponse()
        text = response.read()
        if response.status != 200:
            return "-", f"{response.status} {text.decode('utf-8', 'replace')[:200]}"
        answer = json.loads(text)
        slope, intercept = self._versions[answer["version"]]
        right = answer["prediction"] == math.fsum((intercept, slope * area))
        return answer["version"], "ok" if right else f"{answer['prediction']!r} for {area!r}"


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
