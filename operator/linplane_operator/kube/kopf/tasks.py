"""The tasks of one run of Kopf."""

import asyncio
import socket
from collections.abc import Collection
from typing import Any

import kopf

from ..informer import Informer
from ..watch_lag import WatchLag
from .handlers import configure, register
from .login import Login


async def spawn_tasks(
    informer: Informer, watch_lag: WatchLag, login: Login, namespaces: Collection[str], stop: asyncio.Event
) -> Collection[asyncio.Task[Any]]:
    """Starts Kopf with its own registry and settings; its tasks end once `stop` is set."""
    registry = kopf.OperatorRegistry()
    register(registry, informer, watch_lag)
    settings = kopf.OperatorSettings()
    configure(settings)
    # an error at login ends Kopf, which would otherwise try again in a minute
    kopf.on.login(registry=registry, errors=kopf.ErrorsMode.PERMANENT)(login.login)
    return await kopf.spawn_tasks(
        registry=registry,
        settings=settings,
        standalone=True,
        identity=socket.gethostname(),  # type: ignore[arg-type]  # the default reads a user name: 65532 has none
        clusterwide=not namespaces,
        namespaces=namespaces,
        stop_flag=stop,
    )
