"""A ModelServer's Deployment and routing ConfigMap."""

from dataclasses import dataclass

from linplane_api import names
from linplane_api.kinds import CONFIG_MAP, DEPLOYMENT
from linplane_api.resources import ModelServerSpec

from .objects import Object, child, name_of
from .pods import container_security, pod_placement, pod_resources, pod_security, pull_policy
from .services import selector
from .settings import Settings

CONFIG_DIR = "/var/lib/linplane/config"
STOP_SECONDS = 35  # the preStop sleep, the drain and the graceful time-out, with room
SLEEP_SECONDS = 5  # until no new connection is sent here
DRAIN_SECONDS = 3  # then each connection that is kept is closed with an answer: closed between two, a request is lost


def make_default_server(namespace: str) -> Object:
    """The ModelServer that is made if a route names `default` and it is absent: an empty spec, without an owner."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": "ModelServer",
        "metadata": {"name": names.DEFAULT_SERVER, "namespace": namespace},
        "spec": {},
    }


def make_routing(server: Object, data: dict[str, str]) -> Object:
    """The routing ConfigMap."""
    labels = {names.LABEL_SERVER: name_of(server)}
    return {**child(CONFIG_MAP, names.routing_name(name_of(server)), server, "routing", labels), "data": data}


def make_deployment(server: Object, spec: ModelServerSpec, settings: Settings) -> Object:
    """The server pods: restricted, and never fewer than desired during a rollout."""
    name = name_of(server)
    labels = selector(name)
    body = child(DEPLOYMENT, names.server_name(name), server, "server", labels)
    pod_spec: Object = {
        "serviceAccountName": names.server_name(name),
        "automountServiceAccountToken": True,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": STOP_SECONDS,
        "securityContext": pod_security(),
        "containers": [_container(name, spec, settings)],
        "volumes": [{"name": "config", "emptyDir": {"sizeLimit": "64Mi"}}],
        "topologySpreadConstraints": [_spread(key, labels) for key in SPREAD_OVER],
    }
    body["spec"] = {
        "replicas": settings.replicas(spec.replicas),
        "selector": {"matchLabels": labels},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": {
            "metadata": {"labels": {**(spec.labels or {}), **labels}, "annotations": spec.annotations or {}},
            "spec": pod_spec | pod_placement(spec),
        },
    }
    return body


SPREAD_OVER = ("kubernetes.io/hostname", "topology.kubernetes.io/zone")


def _spread(key: str, labels: dict[str, str]) -> Object:
    """Spreads replicas if possible: they never wait for it."""
    return {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": labels},
    }


@dataclass(frozen=True)
class ServerArguments:
    """The part of a server's command line that ModelServer and settings decide, in a cluster and in local mode."""

    server_name: str
    trusted_proxies: tuple[str, ...] = ()
    root_path: str = ""
    public_names: bool = True
    max_body_bytes: int | None = None

    def identity(self) -> list[str]:
        """Which server it is, as arguments."""
        return ["--server-name", self.server_name]

    def options(self) -> list[str]:
        """The settings of users, as arguments."""
        return [
            *(word for cidr in self.trusted_proxies for word in ("--trusted-proxy", cidr)),
            *(("--root-path", self.root_path) if self.root_path else ()),
            *(() if self.public_names else ("--no-public-names",)),
            *(() if self.max_body_bytes is None else ("--body-bytes", str(self.max_body_bytes))),
        ]


def server_arguments(name: str, spec: ModelServerSpec, settings: Settings) -> ServerArguments:
    """The arguments of the servers of a ModelServer."""
    return ServerArguments(
        name,
        spec.trusted_proxies or (),
        (spec.root_path or "") if settings.root_path is None else settings.root_path,
        settings.public_names,
        spec.max_body_bytes if settings.max_body_bytes is None else settings.max_body_bytes,
    )


def _container(name: str, spec: ModelServerSpec, settings: Settings) -> Object:
    own = server_arguments(name, spec, settings)
    arguments = ["--kubernetes", "--config", CONFIG_DIR, *own.identity(), "--host", "::", "--admin-host", "::"]
    arguments += ["--pod-name", "$(POD_NAME)", "--pod-uid", "$(POD_UID)", "--drain-seconds", str(DRAIN_SECONDS)]
    arguments += own.options()  # another order would replace every pod
    if spec.grpc is not None:
        arguments += ["--grpc-port", str(names.GRPC_PORT)]
    return {
        "name": names.SERVER_CONTAINER,
        "image": spec.image or settings.server_image,
        **pull_policy(settings),
        "args": arguments,
        "env": [_field_variable("POD_NAME", "metadata.name"), _field_variable("POD_UID", "metadata.uid")],
        "ports": [
            {"name": "http", "containerPort": names.PUBLIC_PORT},
            {"name": "admin", "containerPort": names.ADMIN_PORT},
            *([{"name": "grpc", "containerPort": names.GRPC_PORT}] if spec.grpc is not None else []),
        ],
        "securityContext": container_security(),
        "resources": pod_resources(spec, settings.server_resources),
        "volumeMounts": [{"name": "config", "mountPath": CONFIG_DIR}],
        "startupProbe": {"httpGet": {"path": "/livez", "port": "admin"}, "periodSeconds": 1, "failureThreshold": 60},
        "livenessProbe": {"httpGet": {"path": "/livez", "port": "admin"}, "timeoutSeconds": 5, "failureThreshold": 6},
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "admin"}, "periodSeconds": 1},
        "lifecycle": {"preStop": {"sleep": {"seconds": SLEEP_SECONDS}}},
    }


def _field_variable(variable: str, field: str) -> Object:
    """An environment variable with a field of the pod."""
    return {"name": variable, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": field}}}
