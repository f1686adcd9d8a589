"""The rights of pods: ServiceAccounts, Roles and RoleBindings, each as narrow as possible."""

from collections.abc import Iterable

from linplane_api import names
from linplane_api.kinds import ROLE, ROLE_BINDING, SERVICE_ACCOUNT

from .objects import Object, child, meta, name_of
from .training import SERVICE_ACCOUNT as TRAINER

RBAC_GROUP = "rbac.authorization.k8s.io"


def make_server_access(server: Object) -> tuple[Object, ...]:
    """A server's account, and its right to its one routing ConfigMap and to reports.

    To watch needs the field selector on that one name; a policy narrows reports to the pod's own.
    """
    name = names.server_name(name_of(server))
    account = {**child(SERVICE_ACCOUNT, name, server, "server"), "automountServiceAccountToken": False}
    role = child(ROLE, name, server, "server")
    role["rules"] = [
        {
            "apiGroups": [""],
            "resources": ["configmaps"],
            "resourceNames": [names.routing_name(name_of(server))],
            "verbs": ["get", "watch"],
        },
        {"apiGroups": [names.GROUP], "resources": ["replicareports"], "verbs": ["create", "patch"]},
    ]
    return account, role, _binding(child(ROLE_BINDING, name, server, "server"), name)


def make_trainer_access(namespace: str, owners: Iterable[Object], results: Iterable[str]) -> tuple[Object, ...]:
    """The account that trainers of a namespace share, and its right to the results that are waited for, by name:
    a patch that changes nothing reads.

    They have no controller: every LinearModel that trains owns them, and they go with the last one. A policy narrows
    each trainer to the result of its own Job.
    """
    parts: list[Object] = []
    for kind in (SERVICE_ACCOUNT, ROLE, ROLE_BINDING):
        owned = [
            {"apiVersion": o["apiVersion"], "kind": o["kind"], "name": name_of(o), "uid": meta(o)["uid"]}
            for o in owners
        ]
        metadata = {
            "name": TRAINER,
            "namespace": namespace,
            "labels": {
                names.LABEL_NAME: names.APP,
                names.LABEL_COMPONENT: "trainer",
                names.LABEL_MANAGED_BY: names.APP,
            },
            "ownerReferences": owned,
        }
        parts.append({"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata})
    account, role, binding = parts
    account["automountServiceAccountToken"] = False
    names_of_results = sorted(results)
    rule = {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": names_of_results,
        "verbs": ["patch"],
    }
    role["rules"] = [rule] if names_of_results else []
    return account, role, _binding(binding, TRAINER)


def _binding(body: Object, name: str) -> Object:
    body["roleRef"] = {"apiGroup": RBAC_GROUP, "kind": ROLE.kind, "name": name}
    body["subjects"] = [{"kind": SERVICE_ACCOUNT.kind, "name": name, "namespace": meta(body)["namespace"]}]
    return body
