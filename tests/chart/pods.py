"""Rules for every pod of the project, each a function from a pod template to the faults found."""

from collections.abc import Callable, Iterator
from typing import Any

Object = dict[str, Any]
Rule = Callable[[Object], Iterator[str]]

USER = 65532
VOLUMES = {"name", "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected"}
HANDLERS = ("startupProbe", "livenessProbe", "readinessProbe")


def templates(bodies: list[Object]) -> Iterator[tuple[str, Object]]:
    """Each pod or pod template, with its owner."""
    for body in bodies:
        name = f"{body['kind']} {body['metadata']['name']}"
        if body["kind"] == "Pod":
            yield name, body
        elif "template" in (body.get("spec") or {}):
            yield name, body["spec"]["template"]


def _containers(pod: Object) -> list[Object]:
    spec = pod["spec"]
    return [*spec.get("containers", ()), *spec.get("initContainers", ()), *spec.get("ephemeralContainers", ())]


def restricted(pod: Object) -> Iterator[str]:
    """S1, S4: the Pod Security Standard, by one fixed user."""
    spec, security = pod["spec"], pod["spec"].get("securityContext") or {}
    if any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")):
        yield "shares a namespace of the node"
    if security.get("runAsNonRoot") is not True:
        yield "may run as root"
    if (security.get("runAsUser"), security.get("runAsGroup")) != (USER, USER):
        yield f"does not run as {USER}"
    if (security.get("seccompProfile") or {}).get("type") != "RuntimeDefault":
        yield "has no seccomp profile"
    for volume in spec.get("volumes") or ():
        if not volume.keys() <= VOLUMES and volume.keys() != {"name", "secret"}:
            yield f"mounts {sorted(volume.keys() - VOLUMES)}"
    for container in _containers(pod):
        yield from _restricted_container(container)


def _restricted_container(container: Object) -> Iterator[str]:
    security = container.get("securityContext") or {}
    if security.get("allowPrivilegeEscalation") is not False or security.get("privileged"):
        yield "may gain privileges"
    capabilities = security.get("capabilities") or {}
    if capabilities.get("drop") != ["ALL"] or capabilities.get("add"):
        yield "keeps capabilities"
    if security.get("runAsUser", USER) != USER:
        yield "runs as somebody else"
    if any("hostPort" in port for port in container.get("ports") or ()):
        yield "takes a port of the node"


def no_host_in_handlers(pod: Object) -> Iterator[str]:
    """S2."""
    for container in _containers(pod):
        handlers = [container.get(name) or {} for name in HANDLERS]
        handlers += list((container.get("lifecycle") or {}).values())
        for handler in handlers:
            if any("host" in (handler.get(kind) or {}) for kind in ("httpGet", "tcpSocket")):
                yield "a probe or hook names a host"


def read_only(pod: Object) -> Iterator[str]:
    """S3: nothing is writable but empty folders of bounded size."""
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or ()}
    for volume in volumes.values():
        if "emptyDir" in volume and not (volume["emptyDir"] or {}).get("sizeLimit"):
            yield f"volume {volume['name']} has no size limit"
    for container in _containers(pod):
        if (container.get("securityContext") or {}).get("readOnlyRootFilesystem") is not True:
            yield "its root is writable"
        for mount in container.get("volumeMounts") or ():
            volume = volumes[mount["name"]]
            if not (mount.get("readOnly") or "emptyDir" in volume):
                yield f"volume {mount['name']} is writable"


def no_secret_but_credentials(pod: Object) -> Iterator[str]:
    """One Secret at most, that of a training's data."""
    for volume in pod["spec"].get("volumes") or ():
        if "secret" in volume and volume["name"] != "credentials":
            yield f"volume {volume['name']} is a Secret"


def no_service_links(pod: Object) -> Iterator[str]:
    """S7."""
    if pod["spec"].get("enableServiceLinks") is not False:
        yield "gets a variable for every Service"


def says_its_token(pod: Object) -> Iterator[str]:
    """S6: a pod states whether it mounts a token; the tests have the list of those that may."""
    if not isinstance(pod["spec"].get("automountServiceAccountToken"), bool):
        yield "does not say whether it wants a token"


def has_resources(pod: Object) -> Iterator[str]:
    """S17: requests, and a limit of memory."""
    for container in _containers(pod):
        resources = container.get("resources") or {}
        if not {"cpu", "memory"} <= (resources.get("requests") or {}).keys():
            yield "asks for no CPU or memory"
        if "memory" not in (resources.get("limits") or {}):
            yield "has no limit of memory"


def spreads_over_itself(pod: Object) -> Iterator[str]:
    """S17: a constraint's selector matches this pod, and never prevents its start."""
    labels = pod["metadata"].get("labels") or {}
    for constraint in pod["spec"].get("topologySpreadConstraints") or ():
        if constraint["whenUnsatisfiable"] != "ScheduleAnyway":
            yield "waits for a place"
        if not constraint["labelSelector"]["matchLabels"].items() <= labels.items():
            yield "is spread over other pods than its own"


def no_secrets_in_plain_sight(pod: Object) -> Iterator[str]:
    """S21: no variable from a Secret by all keys, none that looks like one."""
    for container in _containers(pod):
        if container.get("envFrom"):
            yield "takes variables in bulk"
        for variable in container.get("env") or ():
            name = variable["name"].upper()
            if "value" in variable and any(word in name for word in ("TOKEN", "PASSWORD", "SECRET", "KEY")):
                yield f"{variable['name']} has a value"


RULES: tuple[Rule, ...] = (
    restricted,
    no_host_in_handlers,
    read_only,
    no_secret_but_credentials,
    no_service_links,
    says_its_token,
    has_resources,
    spreads_over_itself,
    no_secrets_in_plain_sight,
)


def problems(pod: Object) -> list[str]:
    """All faults of a pod or pod template."""
    return [problem for rule in RULES for problem in rule(pod)]
