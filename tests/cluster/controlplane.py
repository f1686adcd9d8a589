"""A control plane on loopback: etcd, kube-apiserver, kube-controller-manager, with certificates and users of its own.

Everything is in one temporary folder, and ends and vanishes with the process that started it (see `keeper`). The
controller manager runs the controllers that the project meets; there is no scheduler and no kubelet, so pods stay
Pending until a test says otherwise.
"""

import base64
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from linplane_api.kinds import POD, SERVICE_ACCOUNT

from .audit import POLICY, AuditLog
from .client import ApiError, Client, path
from .signing_key import make_key

CONTEXT = "linplane-cluster"
_ACCOUNT_KEY = "pki/service-account.key"
_START_SECONDS = 60.0
_ATTEMPTS = 3  # a port that was free a moment ago may be taken
_CONTROLLERS = (
    *("garbage-collector-controller", "namespace-controller", "serviceaccount-controller"),
    *("root-ca-certificate-publisher-controller", "clusterrole-aggregation-controller", "resourcequota-controller"),
    *("deployment-controller", "replicaset-controller", "job-controller", "ttl-after-finished-controller"),
    *("disruption-controller", "endpoints-controller", "endpointslice-controller"),
    "validatingadmissionpolicy-status-controller",
)


class StartError(Exception):
    """The control plane did not come up; the message has the end of the logs."""


class ControlPlane:
    """A running control plane. Created by `control_plane`; `start_controllers` starts the controller manager.

    `server`: its URL. `kubeconfig`: for the administrator. `admin`: a client of the administrator. `certificate` and
    `private_key`: what it serves with, valid for 127.0.0.1 and localhost, so that a proxy can serve with it too; the
    certificate's file is also the authority to trust. `audit`: the audit log. `folder`: for files of the tests' own,
    removed at the end.
    """

    def __init__(self, binaries: Mapping[str, Path], folder: Path, keeper: subprocess.Popen[bytes]) -> None:
        """`folder` is empty; `keeper` runs over it."""
        self.binaries = binaries
        self.folder = folder
        self.certificate = folder / "pki" / "apiserver.crt"
        self.private_key = folder / "pki" / "apiserver.key"
        self.kubeconfig = folder / "kubeconfig"
        self.audit = AuditLog(folder / "audit.log")
        self.server = ""
        self.admin: Client
        self._keeper = keeper
        self._clients: list[Client] = []

    # ---- users ----

    def client(self, token: str) -> Client:
        """A client with a token; closed at the end."""
        client = Client(self.server, str(self.certificate), token)
        self._clients.append(client)
        return client

    def client_for(self, service_account: str, namespace: str, pod: str | None = None) -> Client:
        """A client of a ServiceAccount, which is created if it is absent; see `token_for`."""
        return self.client(self.token_for(service_account, namespace, pod))

    def token_for(self, service_account: str, namespace: str, pod: str | None = None) -> str:
        """A ServiceAccount token as in a pod; bound to `pod`, which must exist, if given."""
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": service_account}}
        try:
            self.admin.create(account, namespace)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
        spec: dict[str, object] = {"expirationSeconds": 3600}
        if pod is not None:
            uid = self.admin.get(POD, pod, namespace)["metadata"]["uid"]
            spec["boundObjectRef"] = {"kind": "Pod", "apiVersion": "v1", "name": pod, "uid": uid}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        answer = self.admin.call("POST", path(SERVICE_ACCOUNT, namespace, service_account, "token"), body)
        return str(answer["status"]["token"])

    def write_kubeconfig(self, file: Path, token: str, server: str | None = None, namespace: str = "default") -> Path:
        """A kubeconfig with a token, for this server or for a proxy that serves with its certificate."""
        authority = base64.b64encode(self.certificate.read_bytes()).decode()
        cluster = {"server": server or self.server, "certificate-authority-data": authority}
        context = {"cluster": CONTEXT, "user": CONTEXT, "namespace": namespace}
        body = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": CONTEXT, "cluster": cluster}],
            "users": [{"name": CONTEXT, "user": {"token": token}}],
            "contexts": [{"name": CONTEXT, "context": context}],
            "current-context": CONTEXT,
        }
        file.touch(0o600)
        file.write_text(json.dumps(body, indent=1))
        return file

    def kubectl(
        self, *arguments: str, stdin: str | None = None, check: bool = True, kubeconfig: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """kubectl as a user runs it, by default as the administrator. Raises AssertionError with what it
        said where it fails, unless `check` is false.
        """
        argv = [str(self.binaries["kubectl"]), "--cache-dir", str(self.folder / "kubectl"), *arguments]
        environment = {**os.environ, "KUBECONFIG": str(kubeconfig or self.kubeconfig)}
        done = subprocess.run(
            argv, input=stdin, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        if check:
            assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}{done.stdout}"
        return done

    # ---- life ----

    def log(self, name: str) -> str:
        """The log of a process so far: `etcd`, `kube-apiserver` or `kube-controller-manager`."""
        file = self.folder / f"{name}.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def start(self) -> None:
        """Raises StartError."""
        (self.folder / "pki").mkdir()
        make_key(self.folder / _ACCOUNT_KEY)
        admin, manager = secrets.token_hex(16), secrets.token_hex(16)
        tokens = self.folder / "tokens.csv"
        tokens.touch(0o600)
        tokens.write_text(f'{admin},admin,admin,"system:masters"\n{manager},system:kube-controller-manager,manager\n')
        (self.folder / "audit-policy.json").write_text(json.dumps(POLICY))
        etcd, port = _free_ports(2)
        self.server = f"https://127.0.0.1:{port}"
        self._run("etcd", _etcd_flags(etcd))
        self._run("kube-apiserver", apiserver_flags(port, etcd))
        deadline = time.monotonic() + _START_SECONDS
        self._wait(self.certificate.exists, deadline)
        self._wait(lambda: _accepts(port), deadline)
        self.admin = self.client(admin)
        self._wait(self._is_ready, deadline)
        self.write_kubeconfig(self.kubeconfig, admin)
        self.write_kubeconfig(self.folder / "manager.kubeconfig", manager)

    def start_controllers(self) -> None:
        """Starts the controller manager, and waits until it is at work. Raises StartError.

        Best after `install`: the garbage collector discovers new kinds at its start and every 30 s.
        """
        self._run("kube-controller-manager", manager_flags())
        deadline = time.monotonic() + _START_SECONDS
        self._wait(lambda: self.admin.find(SERVICE_ACCOUNT, "default", "default") is not None, deadline)

    def close(self) -> None:
        """Closes the clients."""
        for client in self._clients:
            client.close()

    def _run(self, name: str, flags: list[str]) -> None:
        assert self._keeper.stdin
        line = json.dumps([name, [str(self.binaries[name]), *flags]])
        self._keeper.stdin.write(line.encode() + b"\n")
        self._keeper.stdin.flush()

    def _is_ready(self) -> bool:
        try:
            return bool(self.admin.call("GET", "/readyz") == "ok")
        except (OSError, ApiError):
            return False

    def _wait(self, check: object, deadline: float) -> None:
        assert callable(check)
        while not check():
            ended = [file.stem for file in self.folder.glob("*.ended")]
            if ended or time.monotonic() > deadline:
                name = ended[0] if ended else "kube-apiserver"
                state = "ended" if ended else f"is not ready after {_START_SECONDS:.0f} s"
                raise StartError(f"{name} {state}; its log ends with:\n{self.log(name)[-3000:]}")
            time.sleep(0.02)


@contextmanager
def control_plane(binaries: Mapping[str, Path]) -> Iterator[ControlPlane]:
    """A control plane that ends with the `with`, and with this process even if it is killed. Raises StartError."""
    for attempt in range(1, _ATTEMPTS + 1):
        with _kept_folder() as (folder, keeper):
            plane = ControlPlane(binaries, folder, keeper)
            try:
                plane.start()
            except StartError as error:
                plane.close()
                if attempt < _ATTEMPTS and "address already in use" in str(error):
                    continue
                raise
            try:
                yield plane
            finally:
                plane.close()
            return


@contextmanager
def _kept_folder() -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """A temporary folder, and the keeper of the processes in it."""
    folder = Path(tempfile.mkdtemp(prefix="linplane-cluster-"))
    keeper = subprocess.Popen(
        [sys.executable, "-I", "-S", str(Path(__file__).with_name("keeper.py")), str(folder)],
        stdin=subprocess.PIPE,
        env={"GOGC": "400", **os.environ},  # a sixth less CPU time of the API server, for more memory
        start_new_session=True,  # ^C is for the parent, which then ends it
    )
    try:
        yield folder, keeper
    finally:
        assert keeper.stdin
        keeper.stdin.close()
        keeper.wait(30)


def _etcd_flags(port: int) -> list[str]:
    url = f"http://127.0.0.1:{port}"
    return [
        *("--data-dir=etcd", "--unsafe-no-fsync", "--log-level=warn", "--listen-peer-urls=http://127.0.0.1:0"),
        *(f"--listen-client-urls={url}", f"--advertise-client-urls={url}"),
    ]


def apiserver_flags(port: int, etcd: int) -> list[str]:
    """The API server creates its own certificate, in pki/."""
    return [
        *("--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", f"--secure-port={port}", "--cert-dir=pki"),
        *(f"--etcd-servers=http://127.0.0.1:{etcd}", "--endpoint-reconciler-type=none"),
        *("--service-cluster-ip-range=10.96.0.0/16", "--allow-privileged", "--profiling=false"),
        *("--token-auth-file=tokens.csv", "--anonymous-auth=false", "--authorization-mode=Node,RBAC"),
        "--enable-admission-plugins=NodeRestriction",  # PodSecurity and ValidatingAdmissionPolicy are on by default
        "--service-account-issuer=https://kubernetes.default.svc",
        *(f"--service-account-key-file={_ACCOUNT_KEY}", f"--service-account-signing-key-file={_ACCOUNT_KEY}"),
        *("--audit-policy-file=audit-policy.json", "--audit-log-path=audit.log", "--audit-log-maxsize=1000"),
    ]


def manager_flags() -> list[str]:
    return [
        *("--kubeconfig=manager.kubeconfig", "--use-service-account-credentials", "--leader-elect=false"),
        *("--secure-port=0", f"--controllers={','.join(_CONTROLLERS)}"),
        *(f"--service-account-private-key-file={_ACCOUNT_KEY}", "--root-ca-file=pki/apiserver.crt"),
    ]


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for sock in sockets:
            sock.bind(("127.0.0.1", 0))
        return [int(sock.getsockname()[1]) for sock in sockets]
    finally:
        for sock in sockets:
            sock.close()


def _accepts(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0
