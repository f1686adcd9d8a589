"""Objects that the tests of this folder start from."""

from typing import Any

from linplane_api.names import API_VERSION

Object = dict[str, Any]
DIGEST = f"sha256:{'0' * 64}"


def version(name: str, model: str = "iris", **spec: object) -> Object:
    """A LinearModel with hand-written weights, unless training is given."""
    given = {} if "training" in spec else {"weights": {"configMapKeyRef": {"name": model, "key": "model.json"}}}
    return {
        "apiVersion": API_VERSION,
        "kind": "LinearModel",
        "metadata": {"name": f"{model}-{name}"},
        "spec": {"model": model, "version": name, **given, **spec},
    }


def route(current: str, *candidates: str, name: str = "iris", model: str = "iris") -> Object:
    """A ModelRoute with ten percent for each candidate."""
    spec: Object = {"model": model, "version": current}
    if candidates:
        spec["split"] = [{"version": candidate, "percent": 10} for candidate in candidates]
    return {"apiVersion": API_VERSION, "kind": "ModelRoute", "metadata": {"name": name}, "spec": spec}


def model_server(name: str = "default") -> Object:
    """A ModelServer with an empty spec."""
    return {"apiVersion": API_VERSION, "kind": "ModelServer", "metadata": {"name": name}, "spec": {}}


def config_map(name: str, **data: str) -> Object:
    """A ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def pod(name: str, service_account: str, **spec: object) -> Object:
    """A pod that nothing runs."""
    container = {"name": "main", "image": "registry.invalid/none"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"serviceAccountName": service_account, "containers": [container], **spec},
    }


def role(name: str, group: str, resource: str, *verbs: str) -> Object:
    """A Role for one resource."""
    rule = {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": name},
        "rules": [rule],
    }


def binding(role_name: str, service_account: str, namespace: str) -> Object:
    """A RoleBinding of a Role to the ServiceAccount of a namespace."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": f"{role_name}-{service_account}-{namespace}"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role_name},
        "subjects": [{"kind": "ServiceAccount", "name": service_account, "namespace": namespace}],
    }


def report(pod_name: str, pod_uid: str, server: str = "default") -> Object:
    """A ReplicaReport as a server writes it: owned by its pod."""
    owner = {"apiVersion": "v1", "kind": "Pod", "name": pod_name, "uid": pod_uid}
    body: Object = {
        "serverName": server,
        "podUID": pod_uid,
        "startedAt": "2026-01-01T00:00:00Z",
        "configMapUID": "",
        "sequence": 0,
        "routes": 0,
    }
    metadata = {"name": pod_name, "ownerReferences": [owner]}
    return {"apiVersion": API_VERSION, "kind": "ReplicaReport", "metadata": metadata, "report": body}
