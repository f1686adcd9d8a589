"""A whole cluster of one node with real containers: control plane, scheduler, containerd, kubelet, proxy, CoreDNS.

It runs in namespaces of its own (see `nodekeeper`), so it needs root and Debian's containerd, runc, iptables, conntrack
and containernetworking-plugins; it leaves nothing behind. It is reached from inside its network: see `Node.inside`.
"""

import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml

from .audit import POLICY
from .controlplane import StartError, apiserver_flags, manager_flags
from .images import PAUSE
from .nodekeeper import ADDRESS
from .signing_key import make_key

CONTEXT = "linplane-e2e"
NODE = "node0"
_CLUSTER = "10.244.0.0/16"
_TOOLS = ("unshare", "nsenter", "ip", "containerd", "ctr", "runc", "iptables", "conntrack", "openssl")
_START_SECONDS = 120.0
_METRICS_PORT = 10443
_USERS = {  # each with a token and a kubeconfig
    "admin": ("admin", "system:masters"),
    "manager": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "proxy": ("system:kube-proxy", ""),
    "kubelet": (f"system:node:{NODE}", "system:nodes"),
}


class Node:
    """One that is up. Made by `node`. `kubeconfig`: for the administrator. `folder`: logs are there, as NAME.log, and
    the audit log; a file NAME.hold keeps a process down until it is removed.
    """

    def __init__(self, binaries: Mapping[str, Path], folder: Path, keeper: "subprocess.Popen[bytes]") -> None:
        """`folder` is empty; `keeper` runs over it."""
        self.binaries = binaries
        self.folder = folder
        self.kubeconfig = folder / "admin.kubeconfig"
        self.audit = folder / "audit.log"
        self._keeper = keeper

    def inside(self, *argv: str) -> list[str]:
        """A command, such that it runs in the node's network."""
        # not `ip netns exec`, which mounts a fresh /sys
        return ["nsenter", f"--net=/proc/{(self.folder / 'init.pid').read_text()}/ns/net", *argv]

    def kubectl(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Runs as the administrator; the caller checks the exit code."""
        argv = self.inside(str(self.binaries["kubectl"]), "--kubeconfig", str(self.kubeconfig), *arguments)
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)

    def load(self, archive: Path) -> None:
        """Takes images in, from an archive."""
        self._ctr("--namespace", "k8s.io", "images", "import", str(archive))

    def start(self, archives: Iterable[Path]) -> None:
        """Starts all of it, takes each image in as it comes, and waits until the node is Ready. Raises StartError, and
        what making the archives raises.
        """
        self._wait("init", (self.folder / "init.pid").exists)
        self._write_files()
        here = str(self.folder)
        self._run("etcd", *_etcd_flags())
        self._run("kube-apiserver", *_apiserver_flags())
        self._run("containerd", "--config", "containerd.toml")
        self._wait("kube-apiserver", lambda: self.kubectl("get", "--raw", "/readyz").returncode == 0)
        self._run("kube-controller-manager", *_manager_flags())
        self._run("kube-scheduler", "--kubeconfig=scheduler.kubeconfig", "--leader-elect=false")
        self._wait("containerd", lambda: self._answers("version"))
        self._run("kubelet", *_kubelet_flags(here))
        self._run("kube-proxy", "--config=proxy.yaml", f"--hostname-override={NODE}")
        self._run("coredns", "-conf", "Corefile")
        self._run("metrics-server", *_metrics_flags())
        self._apply_metrics()
        for archive in archives:
            self.load(archive)
        self._wait("kubelet", lambda: " Ready" in self.kubectl("get", "node", NODE).stdout)
        # an API that does not answer keeps every namespace from going
        self._wait(
            "metrics-server", lambda: self.kubectl("get", "--raw", "/apis/metrics.k8s.io/v1beta1").returncode == 0
        )

    def _apply_metrics(self) -> None:
        (self.folder / "metrics.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": _METRICS}))
        done = self.kubectl("apply", f"--filename={self.folder}/metrics.json")
        if done.returncode:
            raise StartError(f"the metrics API: {done.stderr}")

    def _run(self, name: str, *flags: str) -> None:
        assert self._keeper.stdin
        line = json.dumps([name, [str(self.binaries.get(name, name)), *flags]])
        self._keeper.stdin.write(line.encode() + b"\n")
        self._keeper.stdin.flush()

    def _wait(self, name: str, check: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not check():
            ended = [file.stem for file in self.folder.glob("*.ended")]
            log = self.folder / f"{(ended or [name])[0]}.log"
            if ended or self._keeper.poll() is not None or time.monotonic() > deadline:
                file = self.folder / (ended[0] + ".ended" if ended and not log.exists() else log.name)
                said = file.read_text(errors="replace")[-3000:] if file.exists() else ""
                raise StartError(f"{', '.join(ended) or name} did not come up; its log ends with:\n{said}")
            time.sleep(0.1)

    def _answers(self, *arguments: str) -> bool:
        argv = ["ctr", "--address", str(self.folder / "containerd.sock"), *arguments]
        return subprocess.run(argv, capture_output=True, timeout=60, check=False).returncode == 0

    def _ctr(self, *arguments: str) -> None:
        argv = ["ctr", "--address", str(self.folder / "containerd.sock"), *arguments]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            raise StartError(f"ctr {' '.join(arguments)}: {done.stderr[-2000:]}")

    def _write_files(self) -> None:
        here = self.folder
        (here / "pki").mkdir()
        make_key(here / "pki" / "service-account.key")
        _make_certificates(here)
        tokens = {name: secrets.token_hex(16) for name in _USERS}
        lines = [f'{tokens[name]},{user},{name},"{group}"\n' for name, (user, group) in _USERS.items()]
        _write_secret(here / "tokens.csv", "".join(lines))
        for name, token in tokens.items():
            _write_secret(here / f"{name}.kubeconfig", json.dumps(_kubeconfig(here, token)))
        (here / "audit-policy.json").write_text(json.dumps(POLICY))
        (here / "containerd.toml").write_text(_CONTAINERD.format(folder=here, pause=PAUSE))
        (here / "cni").mkdir()
        (here / "cni" / "pods.conflist").write_text(json.dumps(_PODS_NETWORK))
        (here / "kubelet.yaml").write_text(yaml.safe_dump(_kubelet(here)))
        (here / "proxy.yaml").write_text(yaml.safe_dump(_proxy(here)))
        (here / "Corefile").write_text(_COREFILE.format(address=ADDRESS, folder=here, context=CONTEXT))


@contextmanager
def node(binaries: Mapping[str, Path], archives: Iterable[Path]) -> Iterator[Node]:
    """A cluster with the images of `archives`, that ends with the `with`, and with this process however that ends.

    `binaries`: of NODE_PROGRAMS. Raises StartError, and what making the archives raises.
    """
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        raise StartError(f"a node needs {', '.join(missing)}")
    folder = Path(tempfile.mkdtemp(prefix="linplane-e2e-"))
    folder.chmod(0o755)  # pods' users read their files below it
    keeper = subprocess.Popen(
        [sys.executable, "-I", "-S", str(Path(__file__).with_name("nodekeeper.py")), str(folder)],
        stdin=subprocess.PIPE,
        start_new_session=True,  # ^C is for the parent, which then ends it
    )
    try:
        made = Node(binaries, folder, keeper)
        made.start(archives)
        yield made
    finally:
        assert keeper.stdin
        keeper.stdin.close()
        keeper.wait(90)


def _etcd_flags() -> list[str]:
    client = "http://127.0.0.1:2379"
    return [
        *("--data-dir=etcd", "--unsafe-no-fsync", "--log-level=warn", "--listen-peer-urls=http://127.0.0.1:0"),
        *(f"--listen-client-urls={client}", f"--advertise-client-urls={client}"),
    ]


def _apiserver_flags() -> list[str]:
    return [
        *apiserver_flags(6443, 2379),
        *(f"--bind-address={ADDRESS}", f"--advertise-address={ADDRESS}", "--endpoint-reconciler-type=lease"),
        "--kubelet-client-certificate=pki/kubelet-client.crt",
        *("--kubelet-client-key=pki/kubelet-client.key", "--kubelet-preferred-address-types=InternalIP"),
        # for API servers behind this one, such as that of metrics
        *("--requestheader-client-ca-file=pki/ca.crt", "--requestheader-allowed-names=front-proxy"),
        *("--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group"),
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        *("--proxy-client-cert-file=pki/front-proxy.crt", "--proxy-client-key-file=pki/front-proxy.key"),
        "--enable-aggregator-routing",
    ]


def _manager_flags() -> list[str]:
    own = [f"--cluster-cidr={_CLUSTER}", "--horizontal-pod-autoscaler-sync-period=5s"]  # no test waits for 15
    return [*manager_flags(), "--controllers=*", "--allocate-node-cidrs", *own]


def _metrics_flags() -> list[str]:
    own = [f"--{use}kubeconfig=admin.kubeconfig" for use in ("", "authentication-", "authorization-")]
    return [
        *own,
        *(f"--bind-address={ADDRESS}", f"--secure-port={_METRICS_PORT}", "--cert-dir=metrics"),
        *("--kubelet-insecure-tls", "--kubelet-preferred-address-types=InternalIP", "--metric-resolution=15s"),
    ]


def _kubelet_flags(folder: str) -> list[str]:
    return [
        *("--config=kubelet.yaml", "--kubeconfig=kubelet.kubeconfig", f"--hostname-override={NODE}"),
        *(f"--root-dir={folder}/kubelet", f"--node-ip={ADDRESS}"),
    ]


def _kubeconfig(folder: Path, token: str) -> dict[str, object]:
    cluster = {"server": f"https://{ADDRESS}:6443", "certificate-authority": str(folder / "pki" / "apiserver.crt")}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CONTEXT,
        "clusters": [{"name": CONTEXT, "cluster": cluster}],
        "users": [{"name": CONTEXT, "user": {"token": token}}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": CONTEXT}}],
    }


def _kubelet(folder: Path) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{folder}/containerd.sock",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{folder.name}",
        "failSwapOn": False,
        "failCgroupV1": False,  # this kubelet still takes it
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{folder}/pki/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "evictionHard": {"nodefs.available": "1%", "imagefs.available": "1%", "memory.available": "50Mi"},
        "imageGCHighThresholdPercent": 100,  # there is nowhere to pull from again
        "clusterDomain": "cluster.local",
        "clusterDNS": [ADDRESS],
        "resolvConf": "/dev/null",
        "podLogsDir": f"{folder}/pods",
    }


def _proxy(folder: Path) -> dict[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": f"{folder}/proxy.kubeconfig"},
        "mode": "iptables",
        "clusterCIDR": _CLUSTER,
        # these would be settings of the whole machine
        "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }


# restrict_oom_score_adj: if lowering it is not permitted, runc fails ("can't get final child's PID from pipe: EOF")
_CONTAINERD = """\
version = 2
root = "{folder}/containerd/root"
state = "{folder}/containerd/state"
[grpc]
  address = "{folder}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{folder}/cni"
"""

_PODS_NETWORK = {
    "cniVersion": "0.4.0",
    "name": "pods",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "cni0",
            "isGateway": True,
            "hairpinMode": True,
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": "10.244.0.0/24"}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ],
}

# metrics-server is no pod: a Service in front of where it listens
_METRICS: list[dict[str, object]] = [
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "metrics-server", "namespace": "kube-system"},
        "spec": {"ports": [{"port": 443, "targetPort": _METRICS_PORT}]},
    },
    {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "metrics-server",
            "namespace": "kube-system",
            "labels": {"kubernetes.io/service-name": "metrics-server"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [ADDRESS]}],
        "ports": [{"port": _METRICS_PORT}],
    },
    {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1beta1.metrics.k8s.io"},
        "spec": {
            "group": "metrics.k8s.io",
            "version": "v1beta1",
            "service": {"name": "metrics-server", "namespace": "kube-system"},
            "insecureSkipTLSVerify": True,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
        },
    },
]

_COREFILE = """\
cluster.local:53 {{
  bind {address}
  kubernetes cluster.local {{
    kubeconfig {folder}/admin.kubeconfig {context}
  }}
}}
"""


def _make_certificates(folder: Path) -> None:
    """An authority, and what the API server shows to kubelet and to API servers behind it."""
    pki = folder / "pki"
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    _openssl(pki, "req", "-x509", *key, "-days", "30", "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=ca")
    for name, subject in (
        ("kubelet-client", "/O=system:masters/CN=kube-apiserver-kubelet-client"),
        ("front-proxy", "/CN=front-proxy"),
    ):
        _openssl(pki, "req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject)
        (pki / "extensions").write_text("extendedKeyUsage=clientAuth\n")
        signing = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30", "-extfile", "extensions"]
        _openssl(pki, "x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.crt", *signing)


def _openssl(folder: Path, *arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise StartError(f"openssl {arguments[0]}: {done.stderr[-1000:]}")


def _write_secret(file: Path, text: str) -> None:
    file.touch(0o600)
    file.write_text(text)
