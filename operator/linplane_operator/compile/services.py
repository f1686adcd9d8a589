"""How pods are reached and protected: Services and disruption budgets."""

from linplane_api import names
from linplane_api.kinds import DISRUPTION_BUDGET, SERVICE
from linplane_api.resources import ServiceSettings

from .objects import Object, child, name_of, server_of, with_users


def selector(server: str) -> dict[str, str]:
    """The labels by which a ModelServer's pods are found: never to be changed, for a Deployment's selector cannot
    be.
    """
    return {names.LABEL_NAME: names.APP, names.LABEL_COMPONENT: "server", names.LABEL_SERVER: server}


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


def make_route_service(route: Object, settings: ServiceSettings | None, *, grpc: bool) -> Object:
    """The Service of the route's own name, in front of its ModelServer's pods, with what its spec adds to it. `grpc`:
    whether these pods answer by gRPC.
    """
    service = child(SERVICE, name_of(route), route, "route", {names.LABEL_ROUTE: name_of(route)})
    service["spec"] = {
        "selector": selector(server_of(route)),
        "ports": [{"name": "http", "port": names.SERVICE_PORT, "targetPort": "http", "protocol": "TCP"}],
    }
    if grpc:
        port = {"name": "grpc", "port": names.GRPC_PORT, "targetPort": "grpc", "protocol": "TCP"}
        service["spec"]["ports"].append(port | {"appProtocol": "kubernetes.io/h2c"})  # Gateways forward HTTP/2 to it
    return with_users(service, settings.labels, settings.annotations) if settings else service
