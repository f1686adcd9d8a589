"""A ModelServer: its Deployment and its status."""

from collections.abc import Sequence
from dataclasses import dataclass

from linplane_api import names
from linplane_api.condition_table import Progress
from linplane_api.conditions import Cause, Condition, ConditionType, Reason
from linplane_api.kinds import CONFIG_MAP, DEPLOYMENT
from linplane_api.resources import ModelServerSpec, ModelServerStatus

from .acknowledgements import Acknowledged
from .conditions import condition
from .kstatus import with_progress
from .objects import Object, Settings, child, generation_of, name_of
from .rollout import Rollout
from .training import container_security, pod_placement, pod_resources, pod_security, pull_policy

CONFIG_DIR = "/var/lib/linplane/config"
STOP_SECONDS = 35  # the preStop sleep, the drain and the graceful time-out, with room
SLEEP_SECONDS = 5  # until no new connection is sent here
DRAIN_SECONDS = 3  # then each connection that is kept is closed with an answer: closed between two, a request is lost


def make_default_server(namespace: str) -> Object:
    """The ModelServer that is made where a route names `default` and it is absent: an empty spec, nobody's child."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": "ModelServer",
        "metadata": {"name": names.DEFAULT_SERVER, "namespace": namespace},
        "spec": {},
    }


def selector(server: str) -> dict[str, str]:
    """The labels by which a ModelServer's pods are found: never to be changed, for a Deployment's selector cannot
    be.
    """
    return {names.LABEL_NAME: names.APP, names.LABEL_COMPONENT: "server", names.LABEL_SERVER: server}


def make_routing(server: Object, data: dict[str, str]) -> Object:
    """The routing ConfigMap."""
    labels = {names.LABEL_SERVER: name_of(server)}
    return {**child(CONFIG_MAP, names.routing_name(name_of(server)), server, "routing", labels), "data": data}


def make_deployment(server: Object, spec: ModelServerSpec, settings: Settings) -> Object:
    """The server pods: restricted, never fewer than asked for while they are replaced."""
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
    """Replicas apart where that can be: they never wait for it."""
    return {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": labels},
    }


@dataclass(frozen=True)
class ServerArguments:
    """The part of a server's command line that its ModelServer decides, in a cluster and in local mode."""

    server_name: str
    trusted_proxies: tuple[str, ...] = ()

    def identity(self) -> list[str]:
        """Which server it is, as arguments."""
        return ["--server-name", self.server_name]

    def options(self) -> list[str]:
        """What users set, as arguments."""
        return [word for cidr in self.trusted_proxies for word in ("--trusted-proxy", cidr)]


def server_arguments(name: str, spec: ModelServerSpec) -> ServerArguments:
    """The arguments of the servers of a ModelServer."""
    return ServerArguments(name, spec.trusted_proxies or ())


def _container(name: str, spec: ModelServerSpec, settings: Settings) -> Object:
    own = server_arguments(name, spec)
    arguments = ["--kubernetes", "--config", CONFIG_DIR, *own.identity(), "--host", "::", "--admin-host", "::"]
    arguments += ["--pod-name", "$(POD_NAME)", "--pod-uid", "$(POD_UID)", "--drain-seconds", str(DRAIN_SECONDS)]
    arguments += own.options()  # another order would replace every pod
    return {
        "name": names.SERVER_CONTAINER,
        "image": spec.image or settings.server_image,
        **pull_policy(settings),
        "args": arguments,
        "env": [_told("POD_NAME", "metadata.name"), _told("POD_UID", "metadata.uid")],
        "ports": [
            {"name": "http", "containerPort": names.PUBLIC_PORT},
            {"name": "admin", "containerPort": names.ADMIN_PORT},
        ],
        "securityContext": container_security(),
        "resources": pod_resources(spec, settings.server_resources),
        "volumeMounts": [{"name": "config", "mountPath": CONFIG_DIR}],
        "startupProbe": {"httpGet": {"path": "/livez", "port": "admin"}, "periodSeconds": 1, "failureThreshold": 60},
        "livenessProbe": {"httpGet": {"path": "/livez", "port": "admin"}, "timeoutSeconds": 5, "failureThreshold": 6},
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "admin"}, "periodSeconds": 1},
        "lifecycle": {"preStop": {"sleep": {"seconds": SLEEP_SECONDS}}},
    }


def _told(variable: str, field: str) -> Object:
    """A variable with what only the pod itself knows. The namespace is in the account's own files."""
    return {"name": variable, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": field}}}


def server_conditions(
    routes: int, replicas: Acknowledged, rollout: Rollout, problem: Cause | None
) -> tuple[Condition, ...]:
    """Available, Converged and, if every pod is up to date and ready too, Ready. `problem`: what is wrong with the
    children.
    """
    if replicas.total:
        available = condition(ConditionType.AVAILABLE, Cause(Reason.REPLICAS_READY, f"{replicas.total} ready"))
    else:
        available = condition(ConditionType.AVAILABLE, Cause(Reason.NO_REPLICAS, rollout.cause.message))
    converged = _converged(routes, replicas, rollout, problem)
    ready = condition(ConditionType.READY, problem or _not_ready(available, converged, rollout))
    return with_progress((available, converged, ready), Progress.RECONCILING if rollout.wanted else Progress.NONE)


def _not_ready(available: Condition, converged: Condition, rollout: Rollout) -> Cause:
    """Why a server is not Ready, or that it is: what its pods wait for says more than that none is ready."""
    if rollout.cause.reason is not Reason.READY:
        return rollout.cause
    missing = next((c for c in (converged, available) if c.status != "True"), None)
    return missing.cause if missing else Cause(Reason.READY, converged.message)


def _converged(routes: int, replicas: Acknowledged, rollout: Rollout, problem: Cause | None) -> Condition:
    kind = ConditionType.CONVERGED
    if problem:
        return condition(kind, problem)
    if not replicas.total:
        return condition(kind, Cause(Reason.NO_REPLICAS, rollout.cause.message))
    if not replicas.converged:
        reason = Reason.REJECTED if replicas.rejected else Reason.REPLICAS_BEHIND
        return condition(kind, Cause(reason, replicas.problem))
    if not routes:
        return condition(kind, Cause(Reason.NO_ROUTES, "no route names this server"))
    return condition(kind, Cause(Reason.CONVERGED, f"{replicas.summary} replicas have loaded {routes} routes"))


def server_status(  # noqa: PLR0913 - a status sums up all of it
    server: Object,
    conditions: Sequence[Condition],
    *,
    pods: int,
    routes: int,
    sequence: int,
    replicas: Acknowledged,
) -> ModelServerStatus:
    """The whole status of a ModelServer. `pods`: all that there are, ready or not."""
    return ModelServerStatus(
        observed_generation=generation_of(server),
        conditions=tuple(conditions),
        replicas=pods,
        loaded_replicas=replicas.loaded,
        selector=",".join(f"{key}={value}" for key, value in sorted(selector(name_of(server)).items())),
        routes=routes,
        sequence=sequence,
    )
