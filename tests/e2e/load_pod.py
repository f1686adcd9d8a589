"""Pods that continuously send requests to a route (see `load`, `grpc_calls`), and their outcomes."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e.kubectl import CLIENT, Kubectl, first_answer, restricted_pod
from e2e.objects import config_map
from support import eventually

SCRIPT = Path(__file__).with_name("load.py").read_text("utf-8")
BY_GRPC = Path(__file__).with_name("grpc_calls.py").read_text("utf-8")
FILE = "/tmp/answers"


@dataclass(frozen=True)
class Answer:
    """One request: its start (seconds since the epoch), its duration, its form, the version that answered, `ok` or the
    error.
    """

    began: float
    took: float
    form: str
    version: str
    outcome: str


class Load:
    """A running load pod."""

    def __init__(self, kubectl: Kubectl) -> None:
        """Its pod is called `load`."""
        self._kubectl = kubectl

    def answers(self) -> list[Answer]:
        """All requests so far, by start."""
        text = self._kubectl("exec", "load", "--", "cat", FILE)
        fields = (line.split(" ", 4) for line in text.splitlines() if line.count(" ") >= 4)
        found = [Answer(float(began), float(took), *rest) for began, took, *rest in fields]
        return sorted(found, key=lambda answer: answer.began)


@contextmanager
def load(kubectl: Kubectl, host: str, rate: int, versions: Mapping[str, tuple[float, float]]) -> Iterator[Load]:
    """Sends `rate` requests a second to `host`, the Service of a route of that name, whose versions have one slope and
    one intercept each.
    """
    wanted = json.dumps({"host": host, "rate": rate, "connections": 8, "versions": versions})
    pod = restricted_pod(
        "load",
        {
            "command": ["python", "/script/load.py", wanted, FILE],
            "volumeMounts": [{"name": "script", "mountPath": "/script"}],
        },
        volumes=[{"name": "script", "configMap": {"name": "load"}}],
    )
    first_answer(kubectl, f"http://{host}/predict", {"features": {"area": 1}})
    kubectl.apply(config_map("load", {"load.py": SCRIPT}), pod)
    kubectl.wait("Ready", "pod/load")
    made = Load(kubectl)
    eventually(lambda: len(made.answers()) > rate, 60, interval=1)
    yield made


@contextmanager
def grpc_calls(kubectl: Kubectl, host: str, versions: Mapping[str, tuple[float, float]]) -> Iterator[Iterator[str]]:
    """Calls the route by gRPC from the client's pod, which is running: the line of each call, as it is made."""
    command = ["python", "-c", BY_GRPC, host, json.dumps(versions)]
    argv = ["kubectl", "--namespace", kubectl.namespace, "exec", "--stdin", CLIENT, "--", *command]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield (line.rstrip("\n") for line in process.stdout)
        finally:
            process.kill()  # its end of standard input ends the script
