"""A namespace with an operator that holds its rights and no others, and a kubelet for what it makes."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from cluster.audit import Right, used
from cluster.client import Client
from cluster.controlplane import ControlPlane
from cluster.kinds import CLUSTER_ROLE_BINDING
from integration.operator.kubelet import Container, Kubelet, any_ports
from integration.operator.programs import Programs
from integration.server.running import send_request
from linplane_api.kinds import Kind
from linplane_operator.kube.permissions import rules
from support import eventually

EXAMPLES = Path(__file__).parents[3] / "manifests" / "examples" / "penguins"
ACCOUNT = "the-operator"
RBAC = "rbac.authorization.k8s.io"
PENGUIN = {"flipper_length_mm": 200.0, "bill_length_mm": 45.0, "bill_depth_mm": 17.0}

Object = dict[str, Any]


class Operator:
    """The process."""

    def __init__(self, programs: Programs, kubeconfig: Path, log: Path, *flags: str) -> None:
        self.log = log
        with socket.create_server(("127.0.0.1", 0)) as sock:
            self.health_port = sock.getsockname()[1]
        command = ["operator", "--kubeconfig", str(kubeconfig), *flags]
        command += ["--health-host", "127.0.0.1", "--health-port", str(self.health_port)]
        self.process = programs.start("linplane_cli", command, dict(os.environ), log)

    def stop(self) -> int:
        """Its exit code after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        finally:
            self.kill()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdin
        self.process.stdin.close()

    def died_within(self, seconds: float) -> bool:
        """Rights that were just given may take a moment to be in force."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def get(self, path: str) -> tuple[int, str]:
        """Of its own port."""
        status, _, body = send_request(self.health_port, "GET", path, None, {})
        return status, body.decode()

    def metric(self, name: str, **labels: str) -> float:
        """The sum of its samples that have these labels."""
        families = text_string_to_metric_families(self.get("/metrics")[1])
        samples = (sample for family in families for sample in family.samples if sample.name == name)
        return sum(s.value for s in samples if labels.items() <= s.labels.items())

    def logged(self) -> list[dict[str, Any]]:
        """Every line of its log is one JSON object: its libraries' and tracebacks too."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


class Site:
    """See the module."""

    pause = 0.05  # seconds between two looks at a condition

    def __init__(
        self,
        plane: ControlPlane,
        namespace: str,
        folder: Path,
        programs: Programs,
        *,
        api_url: str = "",
        listen: Callable[[], list[socket.socket]] = any_ports,
    ) -> None:
        """`namespace` exists; `api_url`: by which the operator reaches the API server, if not directly."""
        self.plane, self.namespace, self.folder, self.programs = plane, namespace, folder, programs
        self._ends = ExitStack()
        self.admin = self.client()
        self.kubeconfig = folder / "operator.kubeconfig"
        self.token = plane.token_for(ACCOUNT, namespace)
        plane.write_kubeconfig(self.kubeconfig, self.token, api_url or None, namespace)
        give_rights(self.admin, namespace, ACCOUNT)
        self.began = plane.audit.mark()
        (folder / "pods").mkdir()
        self.kubelet = Kubelet(plane, namespace, folder / "pods", programs, listen)
        self._ends.callback(self.kubelet.stop)
        self.operator = self.start_operator()

    def client(self) -> Client:
        """Another one of the administrator: two that share one wait for each other."""
        client = Client(self.plane.server, str(self.plane.certificate), self.plane.admin.token)
        self._ends.callback(client.close)
        return client

    def start_operator(self, *more: str, everywhere: bool = False, through: str = "") -> Operator:
        """A new process, with `more` flags; `everywhere`: for all namespaces; `through`: its URL of the API server."""
        flags = (*more, *(() if everywhere else ("--namespace", self.namespace)))
        kubeconfig = self.kubeconfig
        if through:
            kubeconfig = self.folder / "through.kubeconfig"
            kubeconfig.write_text(self.kubeconfig.read_text().replace(self.plane.server, through))
        self.operator = Operator(self.programs, kubeconfig, self.folder / "operator.log", *flags)
        return self.operator

    def close(self) -> None:
        self.operator.kill()
        self._ends.close()

    # ---- what users do ----

    def kubectl(self, *arguments: str, **options: Any) -> str:
        """Its output."""
        return self.plane.kubectl("-n", self.namespace, *arguments, **options).stdout

    def apply(self, *bodies: Object) -> None:
        for body in bodies:
            self.admin.apply(body, self.namespace, force=True)

    def patch_route(self, name: str, **spec: object) -> None:
        self.kubectl("patch", "mroute", name, "--type=merge", "-p", json.dumps({"spec": spec}))

    def patch_model(self, name: str, **spec: object) -> None:
        self.kubectl("patch", "lmod", name, "--type=merge", "-p", json.dumps({"spec": spec}))

    def wait(self, what: str, condition: str, seconds: int = 30) -> None:
        self.kubectl("wait", f"--for=condition={condition}", what, f"--timeout={seconds}s")

    # ---- what is seen ----

    def tracebacks(self) -> list[str]:
        """Exceptions that the operator did not expect, and lines that are no log lines."""
        lines = self.operator.log.read_text().splitlines()
        return [line for line in lines if not line.startswith("{") or '"exception"' in line or "Traceback" in line]

    def get(self, kind: Kind, name: str) -> Object:
        return self.admin.get(kind, name, self.namespace)

    def get_or_none(self, kind: Kind, name: str) -> Object | None:
        return self.admin.find(kind, name, self.namespace)

    def condition(self, kind: Kind, name: str, condition: str) -> tuple[str, str, str]:
        """A condition's status, reason and message; empty if it is of an earlier generation."""
        found = self.admin.find(kind, name, self.namespace) or {"metadata": {"generation": 0}}
        for item in (found.get("status") or {}).get("conditions") or ():
            if item["type"] == condition and item["observedGeneration"] == found["metadata"]["generation"]:
                return item["status"], item["reason"], item["message"]
        return "", "", ""

    def comes_to(
        self, kind: Kind, name: str, condition: str, status: str, reason: str = "", timeout: float = 60.0
    ) -> str:
        """The message of a condition once it is so."""

        def check() -> tuple[str, str, str]:
            seen = self.condition(kind, name, condition)
            assert seen[0] == status, (name, condition, seen)
            assert reason in ("", seen[1]), (name, condition, seen)
            return seen

        return eventually(check, timeout, self.pause)[2]

    def predict(
        self, route: str, features: Mapping[str, float] | Sequence[float], key: str | None = None
    ) -> list[Object]:
        """Each ready server's answer."""
        body = json.dumps({"features": features, **({"key": key} if key else {})}).encode()
        answers = []
        for server in self.kubelet.servers():
            status, _, text = server.request("POST", f"/routes/{route}/predict", body)
            answers.append({**json.loads(text), "status": status})
        return answers

    def versions(self, route: str = "penguin-mass", features: Mapping[str, float] = PENGUIN) -> set[Any]:
        """The versions, or the statuses of errors, that ready servers answer with now."""
        answers = self.predict(route, features)
        return {answer["version"] if answer["status"] == 200 else answer["status"] for answer in answers}

    def servers(self, count: int) -> list[Container]:
        return eventually(lambda: found if len(found := self.kubelet.servers()) == count else None, 90) or []

    def events(self, since: int | None = None) -> Iterator[dict[str, Any]]:
        """The API server's audit log, of this namespace and its accounts."""
        for event in self.plane.audit.events(self.began if since is None else since, self.namespace):
            who = event["user"].get("username", "")
            if who.startswith(f"system:serviceaccount:{self.namespace}:"):
                yield {**event, "who": who.rsplit(":", 1)[1]}

    def writes(self, since: int) -> list[str]:
        """The writes of our own programs after a mark."""
        changing = ("create", "update", "patch", "delete", "deletecollection")
        return [
            f"{e['who']} {e['verb']} {e['objectRef'].get('resource')}/{e['objectRef'].get('subresource', '')} "
            f"{e['objectRef'].get('name')} {e['responseStatus']['code']}"
            for e in self.events(since)
            if e["verb"] in changing and "objectRef" in e and not e["objectRef"]["resource"].endswith("reviews")
        ]

    def refused(self) -> list[tuple[Any, ...]]:
        """Calls of our own programs that were not allowed, or that made no sense."""
        return [
            (e["who"], e["verb"], e["requestURI"], e["responseStatus"].get("message"))
            for e in self.events()
            if e["responseStatus"]["code"] in (400, 401, 403, 405, 415, 422)
        ]

    def used(self, who: str) -> set[Right]:
        """The rights that an account made use of."""
        return used(event for event in self.events() if event["who"] == who)


def give_rights(admin: Client, namespace: str, account: str) -> None:
    """A role with what the operator says that it needs, in one namespace."""
    name = f"linplane-operator-{namespace}"
    role = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules()}
    admin.create(role)
    binding = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "operator"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
    }
    admin.create(binding, namespace)


@contextmanager
def rights_everywhere(admin: Client, namespace: str) -> Iterator[None]:
    """The same in the whole cluster."""
    name = f"linplane-operator-{namespace}"
    binding = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace}],
    }
    admin.create(binding)
    try:
        yield
    finally:
        admin.delete(CLUSTER_ROLE_BINDING, name)
