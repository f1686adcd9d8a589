"""The pods that the operator creates, for minimal and for complete specs."""

from collections.abc import Iterator

from linplane_api.resources import Data, ModelServerSpec, parse_spec
from linplane_operator.compile.data_sources import plan_data
from linplane_operator.compile.rbac import make_server_access
from linplane_operator.compile.server import make_deployment
from linplane_operator.compile.services import make_route_service, make_server_network
from linplane_operator.compile.settings import Settings
from linplane_operator.compile.training import make_job
from unit.operator.builders import Object, typed
from unit.operator.planning import model

SERVER: Object = {
    "apiVersion": "linplane.dev/v1alpha1",
    "kind": "ModelServer",
    "metadata": {"name": "default", "namespace": "team", "uid": "u1"},
}
ROUTE = {**SERVER, "kind": "ModelRoute", "metadata": {**SERVER["metadata"], "name": "rent"}, "spec": {"model": "rent"}}
SETTINGS = Settings(image_pull_policy="IfNotPresent")

SERVERS: dict[str, Object] = {
    "empty": {},
    "full": {
        "replicas": 3,
        "trustedProxies": ["10.0.0.0/8"],
        "rootPath": "/scoring",
        "maxBodyBytes": 4194304,
        "grpc": {},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "imagePullSecrets": [{"name": "registry"}],
        "priorityClassName": "high",
        "labels": {"team": "a"},
        "annotations": {"note": "x"},
        "image": "mine:2",
    },
}
DATA: dict[str, Object] = {
    "synthetic": {"synthetic": {"samples": 9, "featureCount": 2, "noise": "0.5"}},
    "configmap": {"configMapKeyRef": {"name": "rows", "key": "rows.csv"}},
    "claim": {"persistentVolumeClaim": {"claimName": "c", "path": "a/b.csv"}},
    "uri": {"uri": "https://data.example/rows.csv", "csv": {"separator": ";"}},
    "s3": {"s3": {"bucket": "rows", "path": "sales/", "secretName": "reader"}},
    "postgres": {"postgres": {"query": "select a, y from rows", "secretName": "warehouse"}},
}
assert {field for data in DATA.values() for field in data} == {*Data.__struct_encode_fields__}, (
    "a kind of data is missing"
)


def deployment(server: str) -> Object:
    """The Deployment of one of SERVERS."""
    return make_deployment(SERVER, parse_spec({"spec": SERVERS[server]}, ModelServerSpec), SETTINGS)


def job(data: str) -> Object:
    """The Job for one of DATA."""
    training: Object = {"data": DATA[data]} | ({} if data == "synthetic" else {"target": "y"})
    owner = model(training=training)
    spec = typed(owner)
    return make_job(owner, spec, plan_data(spec, SETTINGS, None), SETTINGS)


def everything() -> Iterator[tuple[str, Object]]:
    """All objects with pods in them, by a name for the test."""
    yield from ((f"server-{name}", deployment(name)) for name in SERVERS)
    yield from ((f"job-{name}", job(name)) for name in DATA)


def others() -> list[Object]:
    """The objects without pods that the operator creates for a ModelServer and a route."""
    return [*make_server_access(SERVER), *make_server_network(SERVER), make_route_service(ROUTE, None, grpc=True)]
