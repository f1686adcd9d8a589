"""What pods may do and how they are reached: accounts, roles, Services and disruption budgets. Every right is
narrow.
"""

from collections.abc import Iterable

from linplane_api import names
from linplane_api.kinds import DISRUPTION_BUDGET, ROLE, ROLE_BINDING, SERVICE, SERVICE_ACCOUNT
from linplane_api.resources import ServiceSettings

from .objects import Object, child, meta, name_of, server_of, with_users
from .server import selector
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


def make_server_network(server: Object) -> tuple[Object, ...]:
    """The admin port's Service, and the budget that lets one replica go at a time and never keeps a broken one."""
    name = name_of(server)
    service = child(SERVICE, f"linplane-{name}-admin", server, "server", {names.LABEL_SERVER: name})
    service["spec"] = {
        "selector": selector(name),
        "ports": [{"name": "admin", "port": names.ADMIN_PORT, "targetPort": "admin", "protocol": "TCP"}],
    }
    budget = child(DISRUPTION_BUDGET, names.server_name(name), server, "server")
    budget["spec"] = {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": selector(name)},
    }
    return service, budget


def make_route_service(route: Object, settings: ServiceSettings | None) -> Object:
    """The Service of the route's own name, in front of its ModelServer's pods, with what its spec adds to it."""
    service = child(SERVICE, name_of(route), route, "route", {names.LABEL_ROUTE: name_of(route)})
    service["spec"] = {
        "selector": selector(server_of(route)),
        "ports": [{"name": "http", "port": names.SERVICE_PORT, "targetPort": "http", "protocol": "TCP"}],
    }
    return with_users(service, settings.labels, settings.annotations) if settings else service


def make_trainer_access(namespace: str, owners: Iterable[Object], results: Iterable[str]) -> tuple[Object, ...]:
    """The account that trainers of a namespace share, and its right to the results that are waited for, by name:
    a patch that changes nothing reads.

    Nobody controls them: they belong to every LinearModel that trains, and go with the last one. A policy narrows each
    trainer to the result of its own Job.
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
