"""The kinds of the API with their names in URLs and command lines."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from .names import API_VERSION


class Kind(NamedTuple):
    """One kind: its plural is the resource's name in URLs and folders."""

    kind: str
    plural: str
    api_version: str
    short: str


LINEAR_MODEL = Kind("LinearModel", "linearmodels", API_VERSION, "lmod")
MODEL_ROUTE = Kind("ModelRoute", "modelroutes", API_VERSION, "mroute")
MODEL_SERVER = Kind("ModelServer", "modelservers", API_VERSION, "mserver")
REPLICA_REPORT = Kind("ReplicaReport", "replicareports", API_VERSION, "mrep")
OURS = (LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, REPLICA_REPORT)

CONFIG_MAP = Kind("ConfigMap", "configmaps", "v1", "cm")
POD = Kind("Pod", "pods", "v1", "po")
SERVICE = Kind("Service", "services", "v1", "svc")
SERVICE_ACCOUNT = Kind("ServiceAccount", "serviceaccounts", "v1", "sa")
JOB = Kind("Job", "jobs", "batch/v1", "job")
DEPLOYMENT = Kind("Deployment", "deployments", "apps/v1", "deploy")
DISRUPTION_BUDGET = Kind("PodDisruptionBudget", "poddisruptionbudgets", "policy/v1", "pdb")
ROLE = Kind("Role", "roles", "rbac.authorization.k8s.io/v1", "role")
ROLE_BINDING = Kind("RoleBinding", "rolebindings", "rbac.authorization.k8s.io/v1", "rolebinding")
THEIRS = (CONFIG_MAP, POD, SERVICE, SERVICE_ACCOUNT, JOB, DEPLOYMENT, DISRUPTION_BUDGET, ROLE, ROLE_BINDING)

BY_KIND = {(kind.api_version, kind.kind): kind for kind in (*OURS, *THEIRS)}


def kind_of(body: Mapping[str, Any]) -> Kind:
    """The kind of an object. Raises KeyError if it is none of BY_KIND."""
    return BY_KIND[body["apiVersion"], body["kind"]]
