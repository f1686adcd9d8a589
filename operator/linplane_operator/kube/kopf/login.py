"""Kopf's credentials: the same as those of the operator's own calls."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import kopf
from kubernetes.aio.client import Configuration

from ..credentials import refresh
from ..options import Options

SOON_SECONDS = 15.0
"""Credentials that are rejected within this time were never valid."""

Connect = Callable[..., Awaitable[kopf.ConnectionInfo | None]]
"""Reads the credentials as they are now; called with the arguments of a login handler."""

log = logging.getLogger(__name__)


def make_connect(options: Options, configuration: Configuration) -> Connect:
    """Reads the pod's service account, or the kubeconfig."""

    async def connect(**kwargs: Any) -> kopf.ConnectionInfo | None:
        if options.in_cluster:
            return kopf.login_with_service_account(**kwargs)
        return connection_of(await refresh(configuration, options.kubeconfig, options.context))

    return connect


def connection_of(configuration: Configuration) -> kopf.ConnectionInfo:
    """The same connection in Kopf's terms."""
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


class Login:
    """The login handler of one run of Kopf. Kopf logs in again at once after each 401. If the last credentials lasted
    less than SOON_SECONDS, returns None: Kopf stops, and the supervisor restarts it later.
    """

    def __init__(
        self,
        connect: Connect,
        session: Callable[[kopf.ConnectionInfo], kopf.AiohttpSession],
        clock: Callable[[], float],
    ) -> None:
        """`clock` is monotonic, in seconds."""
        self._connect = connect
        self._session = session
        self._clock = clock
        self._last: float | None = None

    async def login(self, **kwargs: Any) -> kopf.AiohttpSession | None:
        """A session; None if there are no credentials, or none that last."""
        if self._last is not None and self._clock() - self._last < SOON_SECONDS:
            log.warning("the API server rejects the credentials (401)")
            return None
        info = await self._connect(**kwargs)
        self._last = self._clock()
        return self._session(info) if info else None
