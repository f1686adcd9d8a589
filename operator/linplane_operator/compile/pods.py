"""The parts of a pod template that servers and trainers share: security, placement, resources."""

from collections.abc import Mapping
from typing import Any

from linplane_api.resources import PodSettings, stable

from .objects import Object
from .settings import Settings


def pod_security() -> Object:
    """A pod's part of the restricted profile."""
    return {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "fsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security() -> Object:
    """A container's part of the restricted profile."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
    }


def pull_policy(settings: Settings) -> Object:
    """The image pull policy, if the installation sets one."""
    return {"imagePullPolicy": settings.image_pull_policy} if settings.image_pull_policy else {}


def pod_resources(settings: PodSettings, default: Mapping[str, Any]) -> Object:
    """The container's resources: the user's as they are, or else the installation's."""
    return stable(settings.resources) if settings.resources else dict(default)


PLACEMENT = ("nodeSelector", "tolerations", "imagePullSecrets", "priorityClassName")


def pod_placement(settings: PodSettings) -> Object:
    """The placement that the user sets."""
    fields = stable(settings)
    return {key: fields[key] for key in PLACEMENT if key in fields}
