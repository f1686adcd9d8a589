"""The options of an operator process, as `linplane operator` passes them."""

from dataclasses import dataclass, field
from pathlib import Path

from ..compile.settings import Settings
from .liveness import Limits


@dataclass(frozen=True)
class Options:
    """No namespaces: all of them."""

    namespaces: tuple[str, ...] = ()
    kubeconfig: Path | None = None  # None: as kubectl finds it
    context: str | None = None  # of the kubeconfig; None: its current one at the start
    in_cluster: bool = False
    health_port: int = 8080
    health_host: str = "0.0.0.0"  # noqa: S104 - kubelet connects from outside of the pod
    log_level: str = "info"
    limits: Limits = field(default_factory=Limits)
    settings: Settings = field(default_factory=Settings)
