"""`linplane operator`."""

from pathlib import Path

import click

from .output import fail


@click.command(
    "operator",
    epilog="""\b
Examples:
  linplane operator
  linplane operator --namespace pricing --kubeconfig ~/.kube/config
""",
)
@click.option(
    "--namespace", "namespaces", multiple=True, help="Watch this namespace alone; repeatable  [default: all]."
)
@click.option(
    "--kubeconfig",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="How to reach the cluster  [default: as kubectl finds it].",
)
@click.option("--in-cluster", is_flag=True, help="Use the pod's own account.")
@click.option("--health-host", default="0.0.0.0", show_default=True, help="Where /healthz answers.")  # noqa: S104
@click.option("--health-port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="And its port.")
@click.option("--server-image", default="linplane-server", show_default=True, help="The image of server pods.")
@click.option("--trainer-image", default="linplane-trainer", show_default=True, help="The image of training pods.")
@click.option(
    "--allowed-host", multiple=True, help="A host that training data may come from; the only ones, when given."
)
@click.option(
    "--denied-address", multiple=True, help="An address that training data never comes from: the API server's."
)
def operator(  # noqa: PLR0913, PLR0917 - one parameter an option
    namespaces: tuple[str, ...],
    kubeconfig: Path | None,
    in_cluster: bool,
    health_host: str,
    health_port: int,
    server_image: str,
    trainer_image: str,
    allowed_host: tuple[str, ...],
    denied_address: tuple[str, ...],
) -> None:
    """Reconcile LinearModels, ModelRoutes and ModelServers of a cluster until it is told to stop."""
    import asyncio

    from linplane_operator.compile.objects import Settings
    from linplane_operator.kube.main import Options, RightsError
    from linplane_operator.kube.process import serve

    settings = Settings(
        server_image=server_image,
        trainer_image=trainer_image,
        allowed_hosts=allowed_host,
        denied_addresses=denied_address,
    )
    options = Options(
        namespaces=namespaces,
        kubeconfig=kubeconfig,
        in_cluster=in_cluster,
        health_host=health_host,
        health_port=health_port,
        settings=settings,
    )
    try:
        asyncio.run(serve(options))
    except RightsError as error:
        fail("the operator may not\n  " + str(error).replace("\n", "\n  "), 2)
