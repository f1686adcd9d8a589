"""How the API server is reached, and as whom: the same for our own calls and for Kopf's."""

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import kopf
from kubernetes.aio import config
from kubernetes.aio.client import Configuration

SOON_SECONDS = 15.0
"""Credentials that are refused so soon were never good."""

Connect = Callable[..., Awaitable[kopf.ConnectionInfo | None]]
"""Reads the credentials as they are now; given what Kopf gives a login handler."""

log = logging.getLogger(__name__)


class AccountError(Exception):
    """A kubeconfig that cannot be followed, and why."""


async def read_kubeconfig(path: Path | None, context: str | None) -> tuple[Configuration, str]:
    """What a kubeconfig says (None: the one that kubectl takes) of a context (None: the current one), and the name of
    that context. An exec plugin is run. Raises AccountError, and what a file that cannot be read raises.
    """
    configuration = Configuration()
    loader = await config.load_kube_config(  # type: ignore[no-untyped-call]
        str(path) if path else None, context, client_configuration=configuration
    )
    connection_of(configuration)
    return configuration, str(loader.current_context["name"])


def connection_of(configuration: Configuration) -> kopf.ConnectionInfo:
    """The same connection for Kopf. Raises AccountError where it can make none like it."""
    if configuration.tls_server_name:
        raise AccountError("the kubeconfig sets tls-server-name, which the watches cannot follow: name the server so")
    scheme, _, token = str(configuration.api_key.get("BearerToken") or "").rpartition(" ")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        scheme=scheme or None,
        token=token or None,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file or configuration.cert_file,  # one file may hold both
        proxy_url=configuration.proxy,
    )


async def renewed(known: Configuration, path: Path | None, context: str | None) -> kopf.ConnectionInfo:
    """The kubeconfig's credentials as they are now: a token of an exec plugin or of a file ends. Our own calls take the
    new token too. Raises AccountError where it names another API server (what is known is of the first), or where it
    gives none.
    """
    fresh, _ = await read_kubeconfig(path, context)
    if fresh.host != known.host:
        raise AccountError(f"the kubeconfig names {fresh.host} now, and named {known.host} at the start")
    if known.api_key and not fresh.api_key:  # an exec plugin that fails is but logged
        raise AccountError("the kubeconfig gives no token any more")
    known.api_key = fresh.api_key
    return connection_of(fresh)


class Login:
    """The login handler of one run of Kopf's. Kopf answers each 401 by another login, at once and for ever. So where
    the last one has not lasted there are no credentials: Kopf ends, and is begun anew after a pause.
    """

    def __init__(
        self,
        connect: Connect,
        session: Callable[[kopf.ConnectionInfo], kopf.AiohttpSession],
        clock: Callable[[], float],
    ) -> None:
        """`clock` gives seconds that never go back."""
        self._connect = connect
        self._session = session
        self._clock = clock
        self._last: float | None = None

    async def login(self, **kwargs: Any) -> kopf.AiohttpSession | None:
        """A session; None where there are no credentials, or none that last."""
        if self._last is not None and self._clock() - self._last < SOON_SECONDS:
            log.warning("the API server does not take the credentials (401)")
            return None
        info = await self._connect(**kwargs)
        self._last = self._clock()
        return self._session(info) if info else None
