"""`linplane operator`."""

import json
from pathlib import Path
from typing import Any

import click

from . import grammar
from .output import log_level_option


class Resources(click.ParamType[dict[str, Any]]):
    """A container's resources as JSON."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The parsed value; fails if it is not valid."""
        try:
            given = json.loads(value) if isinstance(value, str) else value
        except ValueError:
            given = None
        if not isinstance(given, dict) or not given.keys() <= {"requests", "limits", "claims"}:
            self.fail('is not such as {"requests": {"cpu": "100m"}, "limits": {"memory": "512Mi"}}', param, ctx)
        return given


@click.command(
    "operator",
    epilog="""\b
Examples:
  linplane operator
  linplane operator --namespace pricing --kubeconfig ~/.kube/config
""",
)
@grammar.cluster()
@click.option("--in-cluster", is_flag=True, help="Use the pod's service account.")
@click.option("--health-host", default="0.0.0.0", show_default=True, help="Address of /healthz, /readyz and /metrics.")  # noqa: S104
@click.option(
    "--health-port",
    default=8080,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port of /healthz, /readyz and /metrics.",
)
@click.option("--server-image", default="linplane-server", show_default=True, help="The image of server pods.")
@click.option("--trainer-image", default="linplane-trainer", show_default=True, help="The image of training pods.")
@click.option(
    "--image-pull-policy",
    type=click.Choice(["Always", "IfNotPresent", "Never"]),
    help="The pull policy of both images  [default: the cluster's].",
)
@click.option("--server-resources", type=Resources(), help="Default resources of servers, as JSON.")
@click.option(
    "--public-names/--no-public-names",
    default=True,
    show_default=True,
    help="Whether servers show the names of routes, versions and features.",
)
@click.option("--trainer-resources", type=Resources(), help="Default resources of training Jobs, as JSON.")
@click.option(
    "--allowed-host", multiple=True, help="Allow training data from this host only; repeatable  [default: any]."
)
@click.option(
    "--denied-address",
    multiple=True,
    help="Never load training data from this address; repeatable.",
)
@click.option(
    "--credentials/--no-credentials",
    default=True,
    show_default=True,
    help="Whether a training may mount the Secret that its data names.",
)
@log_level_option
def operator(  # noqa: PLR0913, PLR0917 - one parameter per option
    context: str | None,
    namespaces: tuple[str, ...],
    kubeconfig: Path | None,
    in_cluster: bool,
    health_host: str,
    health_port: int,
    server_image: str,
    trainer_image: str,
    image_pull_policy: str | None,
    server_resources: dict[str, Any] | None,
    public_names: bool,
    trainer_resources: dict[str, Any] | None,
    allowed_host: tuple[str, ...],
    denied_address: tuple[str, ...],
    credentials: bool,
    log_level: str,
) -> None:
    """Reconcile LinearModels, ModelRoutes and ModelServers of a cluster until stopped."""
    import asyncio

    from linplane_operator.compile.settings import SERVER_RESOURCES, TRAINER_RESOURCES, Settings
    from linplane_operator.kube.options import Options
    from linplane_operator.kube.process import serve

    settings = Settings(
        server_image=server_image,
        trainer_image=trainer_image,
        image_pull_policy=image_pull_policy or "",
        server_resources=server_resources or SERVER_RESOURCES,
        trainer_resources=trainer_resources or TRAINER_RESOURCES,
        allowed_hosts=allowed_host,
        denied_addresses=denied_address,
        credentials=credentials,
        public_names=public_names,
    )
    options = Options(
        namespaces=namespaces,
        kubeconfig=kubeconfig,
        context=context,
        in_cluster=in_cluster,
        health_host=health_host,
        health_port=health_port,
        log_level=log_level,
        settings=settings,
    )
    raise SystemExit(asyncio.run(serve(options)))
