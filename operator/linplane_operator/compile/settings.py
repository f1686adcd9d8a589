"""The settings of an installation, and the periods by which the operator waits and repeats."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

SERVER_RESOURCES: Mapping[str, Any] = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}

TRAINER_RESOURCES: Mapping[str, Any] = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}}


class Mode(Enum):
    """The place this operator runs in: it decides which data can be read, and what messages advise."""

    CLUSTER = "cluster"
    LOCAL = "local"


@dataclass(frozen=True)
class Settings:
    """The settings of an installation. `max_replicas` 1: there is one server process, whatever a ModelServer says
    (local mode). Resources are those of pods without their own; an empty pull policy is the cluster's default.
    `credentials`: trainings may use a Secret. `public_names`: servers show the names of routes, versions and features.
    `max_body_bytes` and `root_path` override those of every ModelServer.
    """

    server_image: str = "linplane-server"
    trainer_image: str = "linplane-trainer"
    image_pull_policy: str = ""
    server_resources: Mapping[str, Any] = field(default_factory=lambda: SERVER_RESOURCES)
    trainer_resources: Mapping[str, Any] = field(default_factory=lambda: TRAINER_RESOURCES)
    allowed_hosts: tuple[str, ...] = ()
    denied_addresses: tuple[str, ...] = ()
    credentials: bool = True
    public_names: bool = True
    max_body_bytes: int | None = None
    root_path: str | None = None
    max_replicas: int | None = None
    servers: tuple[str, ...] | None = None  # the ModelServers there can be; None: any
    mode: Mode = Mode.CLUSTER

    def replicas(self, desired: int) -> int:
        """How many replicas there will be."""
        return desired if self.max_replicas is None else min(desired, self.max_replicas)


RETRY_SECONDS = 10.0
"""Requeue period while another object is in the way: no event says that it is gone."""

COUNT_SECONDS = 1.0
"""Minimum period between two status writes that change only counters and messages."""

GRACE_SECONDS = 60.0
"""How long at most a deleted routing ConfigMap is not created again while the weights that a route served are unknown:
the servers go on with what they hold.
"""

SILENT_SECONDS = 10.0
"""How long a server may run before it has reported: it does so as soon as it reaches the API server."""

KEPT_SECONDS = 3600.0
"""How long a Job stays whose artifact is sealed."""

POD_SECONDS = 3.0
"""How long a Job controller may take to create a pod."""
