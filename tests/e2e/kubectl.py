"""kubectl and helm as a user runs them, and a pod to call services from."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from support import eventually

Object = dict[str, Any]

CLIENT = "client"


def image(name: str) -> str:
    """The full name of one of the product's images."""
    prefix, _, tag = os.environ["LINPLANE_E2E_IMAGES"].rpartition(":")
    return f"{prefix}/{name}:{tag}"


def run(argv: Sequence[str], stdin: str | None = None, *, timeout: float = 120, check: bool = True) -> str:
    """The output of a command. Raises AssertionError with its messages if it fails, unless `check` is false: then
    both are given.
    """
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
    if not check:
        return done.stdout + done.stderr
    assert done.returncode == 0, f"{' '.join(argv)[:300]}: {done.stderr}{done.stdout}"
    return done.stdout


class Kubectl:
    """kubectl in one namespace."""

    def __init__(self, namespace: str) -> None:
        """It need not exist yet."""
        self.namespace = namespace
        self._has_client = False

    def __call__(self, *arguments: str, stdin: str | None = None, timeout: float = 120, check: bool = True) -> str:
        """See `run`."""
        return run(["kubectl", "--namespace", self.namespace, *arguments], stdin, timeout=timeout, check=check)

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """Applies objects."""
        self("apply", "--filename=-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def get(self, kind: str, name: str) -> Object:
        """An object. Raises AssertionError if it does not exist."""
        found: Object = json.loads(self("get", kind, name, "--output=json"))
        return found

    def list(self, kind: str, selector: str = "") -> list[Object]:
        """Objects of a kind."""
        found = json.loads(self("get", kind, "--output=json", f"--selector={selector}"))
        items: list[Object] = found["items"]
        return items

    def condition(self, kind: str, name: str, condition: str) -> Object:
        """A condition of an object; empty if the object does not have it."""
        status = self.get(kind, name).get("status") or {}
        return next((c for c in status.get("conditions") or () if c["type"] == condition), {})

    def wait(self, condition: str, *what: str, timeout: float = 120) -> None:
        """`kubectl wait --for=condition`."""
        self("wait", f"--for=condition={condition}", f"--timeout={timeout:.0f}s", *what, timeout=timeout + 30)

    def in_client(self, *command: str) -> str:
        """The output of a command in the pod of `start_client`, which is waited for the first time."""
        if not self._has_client:
            self.wait("Ready", f"pod/{CLIENT}")
            self._has_client = True
        return self("exec", CLIENT, "--", *command)

    def patch(self, kind: str, name: str, change: Mapping[str, Any]) -> None:
        """A merge patch."""
        self("patch", kind, name, "--type=merge", f"--patch={json.dumps(change)}")


def helm(*arguments: str, timeout: float = 300, check: bool = True) -> str:
    """See `run`."""
    return run(["helm", *arguments], timeout=timeout, check=check)


# ---- a pod to call from ----


def restricted_pod(name: str, container: Mapping[str, Any], **spec: Any) -> Object:
    """A pod that meets the restricted profile, of the server's image, which has Python."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "automountServiceAccountToken": False,
            "restartPolicy": "Never",
            "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
            **spec,
            "containers": [
                {
                    "name": name,
                    "image": image("linplane-server"),
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                    **container,
                }
            ],
        },
    }


def start_client(kubectl: Kubectl) -> None:
    """A pod that does nothing, for `from_pod`, which waits for it: meanwhile a test creates what it calls."""
    pod = restricted_pod(CLIENT, {"command": ["python", "-c", "import time; time.sleep(1e6)"]})
    kubectl.apply(pod)


_CALL = """
import json, sys, urllib.error, urllib.request
method, url, body, headers = json.loads(sys.argv[1])
request = urllib.request.Request(url, body and body.encode(), headers, method=method)
try:
    answer = urllib.request.urlopen(request, timeout=10)
except urllib.error.HTTPError as error:
    answer = error
print(json.dumps([answer.status, answer.read().decode()]))
"""


def from_pod(
    kubectl: Kubectl, url: str, body: object = None, method: str = "", headers: Mapping[str, str] | None = None
) -> tuple[int, Any]:
    """Calls a URL from the client's pod: the status and the decoded answer. Raises AssertionError if
    there is none.
    """
    data = None if body is None else json.dumps(body)
    call = json.dumps([method or ("POST" if data else "GET"), url, data, dict(headers or {})])
    status, text = json.loads(kubectl.in_client("python", "-c", _CALL, call))
    return status, _decoded(text)


def first_answer(kubectl: Kubectl, url: str, body: object) -> tuple[int, Any]:
    """As `from_pod`, of a Service that is new: kube-proxy sends it nothing for its first second."""
    return eventually(lambda: from_pod(kubectl, url, body), 15, interval=0.2)


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


@contextmanager
def port_forward(kubectl: Kubectl, target: str, port: int) -> Iterator[str]:
    """`kubectl port-forward` to a port of `target`: the URL of this end."""
    argv = ["kubectl", "--namespace", kubectl.namespace, "port-forward", target, f":{port}"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            said = process.stdout.readline()  # "Forwarding from 127.0.0.1:36137 -> 8080"
            assert said.startswith("Forwarding from "), said
            yield f"http://{said.split()[2]}"
        finally:
            process.kill()


def gone(kubectl: Kubectl, kind: str, name: str) -> bool:
    """There is no such object."""
    return "NotFound" in kubectl("get", kind, name, check=False)


def wait_until_gone(kubectl: Kubectl, kind: str, name: str, timeout: float = 60) -> None:
    """Waits for that."""
    eventually(lambda: gone(kubectl, kind, name), timeout, interval=0.5)
