"""Plays the kubelet of one namespace: runs its pods as processes of this machine and reports their status.

A pod is bound to a node that exists by name alone. Its container is the real program, with the token that is bound to
the pod, its volumes as folders, and sockets of its own for its ports. Pods that are deleted get SIGTERM first. What a
kubelet does beyond that (images, limits, hooks) happens if a test says so: see `fake_statuses`.
"""

import base64
import contextlib
import http.client
import itertools
import json
import os
import re
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cluster.client import ApiError, Client, path
from cluster.controlplane import ControlPlane
from integration.operator.fake_statuses import FakeStatus, now
from integration.operator.programs import Process, Programs
from integration.server.running import Response, listening, send_request
from linplane_api.kinds import CONFIG_MAP, POD, SERVICE_ACCOUNT, Kind
from linplane_api.names import LABEL_MODEL

NODE = "node-of-tests"
SECRET = Kind("Secret", "secrets", "v1", "secret")  # of no kind that our programs read
MODULES = {"server": "linplane_server", "trainer": "linplane_trainer"}
PAUSE = 0.05
PROBE_SECONDS = 0.1
GRACE_SECONDS = 2.0
LOG_TAIL = 2048  # bytes of the log that become a termination message

Object = dict[str, Any]
_addresses = itertools.count(1)


class NotYetError(Exception):
    """A pod cannot start before something else is there."""


class Container:
    """One running pod. `start` may be called again when its process has ended."""

    def __init__(self, kubelet: "Kubelet", pod: Object) -> None:
        self.kubelet, self.pod = kubelet, pod
        self.name, self.uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        self.spec = pod["spec"]["containers"][0]
        self.folder = kubelet.folder / self.uid
        self.folder.mkdir()
        number = next(_addresses)
        self.address = f"10.244.{number // 250}.{number % 250 + 1}"
        self.sockets: list[socket.socket] = []
        self.process: Process | None = None
        self.started = ""
        self.ready = False
        self.restarts = 0
        self.probed = 0.0
        self.killed_at: float | None = None
        self.said_code: int | None = None  # an exit code to report instead of the process's own

    @property
    def is_server(self) -> bool:
        return bool(self.spec["name"] == "server")

    @property
    def log(self) -> str:
        file = self.folder / "log"
        return file.read_text() if file.exists() else ""

    def request(self, method: str, where: str, body: bytes | None = None, **headers: str) -> Response:
        """A request to the public port."""
        return send_request(self.sockets[0].getsockname()[1], method, where, body, headers)

    def admin(self, method: str, where: str, **headers: str) -> Response:
        return send_request(self.sockets[1].getsockname()[1], method, where, None, headers)

    @property
    def grpc_address(self) -> str:
        """Host and port of gRPC, which the server logs."""
        lines = [json.loads(line) for line in self.log.splitlines()]
        port = next(line["grpc"] for line in lines if line["message"] == "started").rpartition(":")[2]
        return f"127.0.0.1:{port}"

    def start(self) -> None:
        """Raises NotYetError."""
        plane, namespace = self.kubelet.plane, self.kubelet.namespace
        mounts = self._lay_out()
        token = self.folder / "token"
        token.write_text(self._token())
        arguments = [_inside(_expanded(text, self._environment()), mounts) for text in self.spec["args"]]
        if "--grpc-port" in arguments:  # pods have addresses of their own, processes of this machine have not
            arguments += ["--grpc-port", "0"]
        arguments += ["--namespace", namespace, "--api-url", self.kubelet.api_url]
        arguments += ["--api-ca", str(plane.certificate), "--api-token-file", str(token)]
        if self.is_server:
            self.sockets = self.sockets or self.kubelet.listen()
            arguments += ["--public-fd", str(self.sockets[0].fileno()), "--admin-fd", str(self.sockets[1].fileno())]
        self.started = now(self.kubelet.ahead if self.is_server else 0.0)
        if self.process and self.process.stdin:  # of the one before
            self.process.stdin.close()
        self.process = self.kubelet.programs.start(
            MODULES[self.spec["name"]],
            [*arguments, "--exit-with-stdin"],
            {**self.kubelet.environment, **self._environment()},
            self.folder / "log",
            [sock.fileno() for sock in self.sockets],
        )

    def stop(self) -> None:
        """SIGTERM, and SIGKILL after the grace."""
        if self.process and self.process.poll() is None:
            if self.killed_at is None:
                self.killed_at = time.monotonic()
                self.process.send_signal(signal.SIGTERM)
            elif time.monotonic() - self.killed_at > GRACE_SECONDS:
                self.process.kill()

    def close(self) -> None:
        """Ends it, whatever it does."""
        if self.process:
            self.process.kill()
            self.process.wait()
            assert self.process.stdin
            self.process.stdin.close()
        for sock in self.sockets:
            sock.close()

    def status(self) -> Object:
        """The pod's status as it is now."""
        code = self.process.poll() if self.process and not self.is_server else None  # a server is started again
        if code is not None and self.said_code is not None:
            code = self.said_code
        phase = "Running" if code is None else ("Failed" if code else "Succeeded")
        state: Object = {"running": {"startedAt": self.started}, "waiting": None}
        if code is not None:
            reason = "Error" if code else "Completed"
            ended = {"exitCode": code if code >= 0 else 128 - code, "reason": reason, "startedAt": self.started}
            if code and self.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError":
                ended["message"] = self.log[-LOG_TAIL:]
            state = {"running": None, "waiting": None, "terminated": {**ended, "finishedAt": now()}}
        ready = str(self.ready)
        conditions = {"PodScheduled": "True", "Initialized": "True", "ContainersReady": ready, "Ready": ready}
        container = {
            "name": self.spec["name"], "image": self.spec["image"], "imageID": "none", "ready": self.ready,
            "started": code is None, "restartCount": self.restarts, "state": state,
        }  # fmt: skip
        return {
            "phase": phase,
            "podIP": self.address,
            "podIPs": [{"ip": self.address}],
            "startTime": self.started,
            "conditions": [{"type": kind, "status": value} for kind, value in conditions.items()],
            "containerStatuses": [container],
        }

    def is_ready(self) -> bool:
        """As its own probe says."""
        try:
            return self.is_server and self.admin("GET", self.spec["readinessProbe"]["httpGet"]["path"])[0] == 200
        except (OSError, http.client.HTTPException):  # killed before or within its answer
            return False

    def _token(self) -> str:
        """Bound to this pod."""
        where = path(SERVICE_ACCOUNT, self.kubelet.namespace, self.pod["spec"]["serviceAccountName"], "token")
        bound = {"kind": "Pod", "apiVersion": "v1", "name": self.name, "uid": self.uid}
        spec = {"expirationSeconds": 3600, "boundObjectRef": bound}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        try:
            return str(self.kubelet.client.call("POST", where, body)["status"]["token"])
        except ApiError as error:
            raise NotYetError(error.message) from error

    def _environment(self) -> dict[str, str]:
        values = {}
        for variable in self.spec.get("env", ()):
            where = variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath", "")
            _, _, key = where.partition("metadata.")
            values[variable["name"]] = self.pod["metadata"][key] if key else variable["value"]
        return values

    def _lay_out(self) -> dict[str, str]:
        """The folder of each mount path."""
        volumes = {volume["name"]: volume for volume in self.pod["spec"].get("volumes", ())}
        mounts = {}
        for mount in self.spec.get("volumeMounts", ()):
            if mount["name"].startswith("kube-api-access"):
                continue
            folder = self.folder / mount["name"]
            folder.mkdir(exist_ok=True)
            mounts[mount["mountPath"]] = str(folder)
            if source := volumes[mount["name"]].get("configMap"):
                found = self.kubelet.client.find(CONFIG_MAP, source["name"], self.kubelet.namespace)
                for item in source["items"]:
                    if found is None or item["key"] not in found.get("data", {}):
                        raise NotYetError(f"ConfigMap {source['name']} key {item['key']}")
                    (folder / item["path"]).write_text(found["data"][item["key"]])
            if source := volumes[mount["name"]].get("secret"):
                assert source["optional"], "the pod would wait for it"
                found = self.kubelet.client.find(SECRET, source["secretName"], self.kubelet.namespace)
                for key, value in ((found or {}).get("data") or {}).items():
                    (folder / key).write_bytes(base64.b64decode(value))
        return mounts


def _expanded(text: str, environment: Mapping[str, str]) -> str:
    return re.sub(r"\$\((\w+)\)", lambda found: environment.get(found[1], found[0]), text)


def _inside(text: str, mounts: Mapping[str, str]) -> str:
    return mounts.get(text, text)


def _model(pod: Object) -> str:
    """Whose trainer it is, empty for a server."""
    return str(pod["metadata"].get("labels", {}).get(LABEL_MODEL, ""))


def any_ports() -> list[socket.socket]:
    """A server's public and admin socket, on free ports."""
    return [listening(), listening()]


class Kubelet:
    """Runs until it is stopped. `holding`: pods stay Pending while it is set, as if no node had room.
    `fake_statuses`: by model, statuses of trainers that do not run. `codes`: by model, the exit codes to report for its
    next pods.
    """

    def __init__(
        self,
        plane: ControlPlane,
        namespace: str,
        folder: Path,
        programs: Programs,
        listen: Callable[[], list[socket.socket]] = any_ports,
    ) -> None:
        """`listen` makes the sockets of one server pod."""
        self.plane, self.namespace, self.folder, self.programs = plane, namespace, folder, programs
        self.environment: Mapping[str, str] = dict(os.environ)
        self.listen = listen
        self.api_url = plane.server
        self.client = Client(plane.server, str(plane.certificate), plane.admin.token)
        self.holding = threading.Event()
        self.fake_statuses: dict[str, FakeStatus] = {}
        self.codes: dict[str, list[int]] = {}
        self.containers: dict[str, Container] = {}  # by UID
        self.problems: list[str] = []
        self.pause, self.probe_seconds = PAUSE, PROBE_SECONDS
        self.ahead = 0.0  # seconds that this clock is ahead of the servers' own
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends every process."""
        self._ended.set()
        self._thread.join()
        for container in self.containers.values():
            container.close()
        self.client.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def be_calm(self) -> None:
        """As slow as a real one, so that it takes no time from what is measured."""
        self.pause = self.probe_seconds = 1.0

    def servers(self) -> list[Container]:
        """Those that are ready."""
        return [c for c in list(self.containers.values()) if c.is_server and c.ready and c.killed_at is None]

    def _run(self) -> None:
        while not self._ended.wait(self.pause):
            try:
                self._look()
            except (OSError, ApiError) as error:
                self.problems.append(str(error))

    def _look(self) -> None:
        found = {pod["metadata"]["uid"]: pod for pod in self.client.list(POD, self.namespace)}
        for uid in self.containers.keys() - found.keys():
            self.containers.pop(uid).close()
        for uid, pod in found.items():
            with contextlib.suppress(ApiError):  # it changed, or went, meanwhile: the next look is soon
                self._tend(pod, self.containers.get(uid))

    def _tend(self, pod: Object, container: Container | None) -> None:
        if pod["metadata"].get("deletionTimestamp"):
            self._end(pod, container)
        elif container is None:
            if pod["status"]["phase"] == "Pending" and not self.holding.is_set() and not self._suffers(pod):
                self._start(pod)
        elif container.process is None:
            self._try(container)
        elif container.process.poll() is not None:
            self._ended_by_itself(pod, container)
        elif container.is_server and time.monotonic() - container.probed > self.probe_seconds:
            container.probed = time.monotonic()
            if container.ready != (ready := container.is_ready()):
                container.ready = ready
                self._report(container)

    def _suffers(self, pod: Object) -> bool:
        """True if a pod has a fake status, which is written once."""
        fake_status = self.fake_statuses.get(_model(pod))
        status = fake_status(pod) if fake_status else None
        if status is None:
            return False
        reported = {condition["type"] for condition in pod["status"].get("conditions", ())}
        if not reported >= {condition["type"] for condition in status["conditions"]}:
            if status["conditions"][0]["status"] == "True":
                self._bind(pod)
            self.client.patch(POD, pod["metadata"]["name"], {"status": status}, self.namespace, "status")
        return True

    def _bind(self, pod: Object) -> None:
        if not pod["spec"].get("nodeName"):
            name = pod["metadata"]["name"]
            target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
            body = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
            self.client.call("POST", path(POD, self.namespace, name, "binding"), body)

    def _start(self, pod: Object) -> None:
        self._bind(pod)
        container = self.containers[pod["metadata"]["uid"]] = Container(self, pod)
        container.said_code = next(iter(self.codes.get(_model(pod), ())), None)
        self.codes[_model(pod)] = self.codes.get(_model(pod), [])[1:]
        self._try(container)

    def _try(self, container: Container) -> None:
        try:
            container.start()
        except NotYetError:
            return
        self._report(container)

    def _ended_by_itself(self, pod: Object, container: Container) -> None:
        container.ready = False
        if container.is_server:
            container.restarts += 1
            self._try(container)
        elif pod["status"]["phase"] == "Running":
            self._report(container)

    def _end(self, pod: Object, container: Container | None) -> None:
        if container and container.process and container.process.poll() is None:
            container.stop()
            return
        if container and container.process and pod["status"]["phase"] == "Running":
            container.ready = False
            self._report(container)  # a Job counts how its pod ended
        self.client.delete(POD, pod["metadata"]["name"], self.namespace, gracePeriodSeconds="0")

    def _report(self, container: Container) -> None:
        self.client.patch(POD, container.name, {"status": container.status()}, self.namespace, "status")
