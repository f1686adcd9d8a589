"""The objects of a namespace, without the parts that differ between two equal runs: UIDs, times, versions, names made
of them, and sequences.

A sequence may differ: a crash can make two writes of the routing ConfigMap one, or one document come in before the
version that it waits for. That it is right is what `Converged` goes by, and that is compared.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from cluster.client import Client
from linplane_api.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    JOB,
    OURS,
    POD,
    REPLICA_REPORT,
    ROLE,
    ROLE_BINDING,
    SERVICE,
    SERVICE_ACCOUNT,
    Kind,
)

Object = dict[str, Any]
Snapshot = dict[str, Any]

KINDS = (*OURS, CONFIG_MAP, JOB, DEPLOYMENT, SERVICE, SERVICE_ACCOUNT, DISRUPTION_BUDGET, ROLE, ROLE_BINDING, POD)
NOT_OURS = {"kube-root-ca.crt", "the-operator", "operator"}  # created by the cluster, or by the site
RUN = ("creationTimestamp", "uid", "resourceVersion", "managedFields", "generateName", "selfLink")
MASKS = [
    (re.compile(pattern), instead)
    for pattern, instead in (
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
        (r"(sequence[\": ]+)\d+", r"\1N"),
        (r"\b(\d+)/\1\b", "ALL"),  # replicas, whose count depends on timing
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UID"),
        (r"\b(linplane-server-[a-z0-9-]+?)-[0-9a-z]{8,10}-[0-9a-z]{5}\b", r"\1-POD"),
        (r"\b(linplane-[a-z0-9.-]+?)-[0-9a-f]{10}(-[0-9a-z]{5})?\b", r"\1-HASH"),
    )
]


def snapshot(admin: Client, namespace: str) -> Snapshot:
    """Every object of a namespace that users or the operator created, by kind and name."""
    found: dict[str, Any] = {}
    for kind in KINDS:
        for body in admin.list(kind, namespace):
            name = body["metadata"]["name"]
            if name not in NOT_OURS and not (kind is SERVICE_ACCOUNT and name == "default"):
                key, value = _masked(kind, body, namespace)
                while key in found:  # pods and their reports have random names
                    key += "+"
                found[key] = value
    return found


def _masked(kind: Kind, body: Object, namespace: str) -> tuple[str, Any]:
    metadata = {key: value for key, value in body["metadata"].items() if key not in RUN}
    annotations = {k: v for k, v in (metadata.get("annotations") or {}).items() if k != "linplane.dev/applied"}
    slim = {**body, "metadata": {**metadata, "annotations": annotations}}
    if kind in _LESS:
        slim = _LESS[kind](slim)
    masked = _mask(slim, namespace)
    name = kind.plural if kind in (POD, REPLICA_REPORT) else f"{kind.plural}/{masked['metadata']['name']}"
    return name, masked


def _mask(value: Any, namespace: str) -> Any:
    if isinstance(value, dict):
        return {_mask(k, namespace): "N" if k == "sequence" else _mask(v, namespace) for k, v in value.items()}
    if isinstance(value, list):
        return [_mask(item, namespace) for item in value]
    if isinstance(value, str):
        value = value.replace(namespace, "NAMESPACE")
        for pattern, instead in MASKS:
            value = pattern.sub(instead, value)
    return value


def _pod(body: Object) -> Object:
    """A pod's labels; its other fields are set by controllers and the kubelet."""
    return {
        "metadata": {"labels": {k: v for k, v in body["metadata"]["labels"].items() if "linplane" in v}},
        "phase": body["status"]["phase"],
        "leaving": "deletionTimestamp" in body["metadata"],
    }


def _deployment(body: Object) -> Object:
    status = {key: body["status"].get(key) for key in ("replicas", "readyReplicas")}
    return {**body, "status": status}


def _job(body: Object) -> Object:
    """A Job with only the counts of its status."""
    status = {key: body["status"].get(key) for key in ("succeeded", "failed", "active")}
    return {**body, "status": status}


def _service(body: Object) -> Object:
    spec = {key: value for key, value in body["spec"].items() if not key.startswith("clusterIP")}
    return {**body, "spec": spec}


def _budget(body: Object) -> Object:
    return {key: value for key, value in body.items() if key != "status"}


def _report(body: Object) -> Object:
    """A report without its generation, which grows with repeated writes."""
    return {**body, "metadata": {key: value for key, value in body["metadata"].items() if key != "generation"}}


_LESS: dict[Kind, Callable[[Object], Object]] = {
    POD: _pod,
    REPLICA_REPORT: _report,
    DEPLOYMENT: _deployment,
    JOB: _job,
    SERVICE: _service,
    DISRUPTION_BUDGET: _budget,
}


def differences(one: Any, other: Any, at: str = "") -> Iterator[str]:
    """The paths at which two worlds differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            yield from differences(one.get(key), other.get(key), f"{at}/{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, pair in enumerate(zip(one, other, strict=True)):
            yield from differences(*pair, f"{at}/{number}")
    elif one != other:
        yield f"{at}: {json.dumps(one)[:300]} is {json.dumps(other)[:300]}"
