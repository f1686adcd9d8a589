"""How the operator reaches the API server, and as whom: read from a kubeconfig."""

from pathlib import Path

from kubernetes.aio import config
from kubernetes.aio.client import Configuration


class KubeconfigError(Exception):
    """A kubeconfig that the operator cannot use, and why."""


async def read_kubeconfig(path: Path | None, context: str | None) -> tuple[Configuration, str]:
    """The configuration of a context (None: the current one) of a kubeconfig (None: the one that kubectl uses), and
    the context's name. Runs its exec plugin. Raises KubeconfigError, and what a file that cannot be read raises.
    """
    configuration = Configuration()
    loader = await config.load_kube_config(  # type: ignore[no-untyped-call]
        str(path) if path else None, context, client_configuration=configuration
    )
    if configuration.tls_server_name:
        raise KubeconfigError("the kubeconfig sets tls-server-name, which the watches do not support: use that name")
    return configuration, str(loader.current_context["name"])


async def refresh(known: Configuration, path: Path | None, context: str | None) -> Configuration:
    """The kubeconfig as it is now, for tokens of exec plugins and files expire; the token is set in `known` as well.
    Raises KubeconfigError if the kubeconfig names another API server (the cache is of the first), or has no token.
    """
    fresh, _ = await read_kubeconfig(path, context)
    if fresh.host != known.host:
        raise KubeconfigError(f"the kubeconfig now names {fresh.host}, at the start it named {known.host}")
    if known.api_key and not fresh.api_key:  # the client only logs an exec plugin that fails
        raise KubeconfigError("the kubeconfig has no token any more")
    known.api_key = fresh.api_key
    return fresh
