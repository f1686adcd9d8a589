"""Records what MLflow's own client sends, and what MLflow's own scoring server answers, into exchanges.json.

Run by hand, in an environment of its own; see README.md.
"""

import json
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import requests
import uvicorn
from mlflow.models import convert_input_example_to_serving_input, infer_signature
from mlflow.pyfunc.scoring_server import init
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

HOST = "127.0.0.1"
FRAME = pd.DataFrame({"area": [2.0, 1.5], "rooms": [3.0, 1.0]})
REORDERED = pd.DataFrame({"rooms": [3.0], "area": [2.0], "note": ["a text"]})
JSON = {"Content-Type": "application/json"}


class Sum(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """1 + 2 area + 10 rooms."""

    def predict(self, context: object, model_input: pd.DataFrame, params: object = None) -> Any:
        """See the class."""
        return (1 + 2 * model_input["area"] + 10 * model_input["rooms"]).to_numpy()


class Recorder:
    """Passes each connection on to a port, and keeps what went over it."""

    def __init__(self, port: int) -> None:
        self.exchanges: list[tuple[bytes, bytes]] = []
        self._to = port
        self._listener = socket.create_server((HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            client, _ = self._listener.accept()
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with client, socket.create_connection((HOST, self._to)) as server:
            asked = _message(client)
            server.sendall(asked)
            answer = _message(server)
            self.exchanges.append((asked, answer))
            client.sendall(answer)


def _message(sock: socket.socket) -> bytes:
    """One request or response, whole."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += sock.recv(65_536)
    head, _, body = data.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    while len(body) < int(fields.get(b"content-length", 0)):
        more = sock.recv(65_536)
        body, data = body + more, data + more
    return data


def _serve() -> int:
    """The port of MLflow's server of the model, with a signature."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "model"))
        signature = infer_signature(FRAME, [33.0], params={"key": "a"})
        mlflow.pyfunc.save_model(path, python_model=Sum(), signature=signature, pip_requirements=[])
        app = init(mlflow.pyfunc.load_model(path))
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = int(free.getsockname()[1])
    server = uvicorn.Server(uvicorn.Config(app, host=HOST, port=port, log_level="warning"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.1)
    return port


def main() -> None:
    """Makes each call on a connection of its own."""
    recorder = Recorder(_serve())
    url = f"http://{HOST}:{recorder.port}"
    client = ScoringServerClient(HOST, recorder.port)
    names: list[str] = []

    def call(name: str, make: Callable[[], object]) -> None:
        before = len(recorder.exchanges)
        try:
            make()
        except Exception as error:
            print(f"{name}: {error!r}")
        assert len(recorder.exchanges) == before + 1, name
        names.append(name)

    def post(data: str, headers: dict[str, str] = JSON) -> None:
        requests.post(f"{url}/invocations", data=data, headers=headers, timeout=10)

    call("client, ping", client.ping)
    call("client, get_version", client.get_version)
    call("client, wait_server_ready", client.wait_server_ready)
    call("client, a frame", lambda: client.invoke(FRAME))
    call("client, a frame with columns in another order, and one more", lambda: client.invoke(REORDERED))
    call("client, a frame and params", lambda: client.invoke(FRAME, params={"key": "user-1"}))
    call("client, a frame that lacks a column", lambda: client.invoke(FRAME[["area"]]))
    call("client, a list of rows", lambda: client.invoke([{"area": 2.0, "rooms": 3.0}]))
    call("client, text", lambda: client.invoke('{"inputs": {"area": [2.0, 1.5], "rooms": [3, 1]}}'))
    for name, example in (
        ("a frame", FRAME), ("a dict", {"area": 2.0, "rooms": 3.0}), ("rows", [{"area": 2.0, "rooms": 3.0}]),
        ("a frame and params", (FRAME, {"key": "user-1"})),
    ):  # fmt: skip
        call(f"serving input, {name}", partial(post, convert_input_example_to_serving_input(example)))
    records = json.dumps({"dataframe_records": FRAME.to_dict("records")})
    call("documentation, dataframe_records", lambda: post(records))
    call("documentation, text/csv", lambda: post(FRAME.to_csv(index=False), {"Content-Type": "text/csv"}))
    call(
        "documentation, JSON with a charset", lambda: post(records, {"Content-Type": "application/json; charset=utf-8"})
    )
    call("no form", lambda: post("{}"))
    call("two forms", lambda: post('{"inputs": [], "instances": []}'))
    call("no JSON", lambda: post("{"))
    call("another content type", lambda: post("area,rooms", {"Content-Type": "text/plain"}))

    found = []
    for name, (asked, answer) in zip(names, recorder.exchanges, strict=True):
        head, _, body = answer.decode().partition("\r\n\r\n")
        request = asked.decode().replace(f"{HOST}:{recorder.port}", f"{HOST}:5000")
        found.append({"name": name, "request": request, "status": int(head.split()[1]), "answer": body})
    text = json.dumps({"mlflow": mlflow.__version__, "exchanges": found}, indent=1)
    Path(__file__).with_name("exchanges.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
