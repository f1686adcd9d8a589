"""Saves objects, events and logs of a cluster whose tests failed."""

import subprocess
from pathlib import Path

from .clusters import Cluster

_KINDS = (
    "linearmodels,modelroutes,modelservers,replicareports,pods,jobs,deployments,replicasets,services,endpointslices,"
    "configmaps,poddisruptionbudgets,horizontalpodautoscalers,persistentvolumeclaims,resourcequotas,roles,rolebindings"
)


def save_diagnostics(made: Cluster, folder: Path) -> None:
    """Writes everything into `folder`; the file of a part that cannot be read has the reason instead."""
    folder.mkdir(parents=True)
    made.keep_logs(folder / "node")
    for name, arguments in {
        "summary.txt": ("get", "nodes,namespaces,linplane,pods,jobs,services", "--all-namespaces", "--output=wide"),
        "events.txt": ("get", "events", "--all-namespaces", "--sort-by=.lastTimestamp"),
        "objects.yaml": ("get", _KINDS, "--all-namespaces", "--output=yaml"),
        "describe.txt": ("describe", "pods,linearmodels,modelroutes,modelservers", "--all-namespaces"),
    }.items():
        (folder / name).write_text(_kubectl(made, *arguments))
    for line in _kubectl(made, "get", "pods", "--all-namespaces", _NAMES).splitlines():
        namespace, _, pod = line.removeprefix("pod ").partition(" ")
        if line.startswith("pod "):  # not kubectl's message about an API server that is down
            for suffix, more in (("log", ()), ("previous.log", ("--previous",))):
                text = _kubectl(made, "logs", "--namespace", namespace, pod, "--all-containers", "--timestamps", *more)
                (folder / f"{namespace}.{pod}.{suffix}").write_text(text)


_NAMES = '--output=jsonpath={range .items[*]}pod {.metadata.namespace} {.metadata.name}{"\\n"}{end}'


def _kubectl(made: Cluster, *arguments: str) -> str:
    try:
        done = subprocess.run(
            made.inside(["kubectl", "--request-timeout=20s", *arguments]),
            env=made.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return str(error)
    return done.stdout
