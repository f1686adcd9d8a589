"""The server's own copy of what it serves, in an emptyDir: a container that restarts while the API server is away
serves on.

A route whose newest document was refused is kept with its last good one.
"""

import asyncio
import contextlib
import logging
from pathlib import Path

from linplane_api.canonical import FormatError
from linplane_api.routing import RoutingMap
from linplane_api.routing_folder import current_state, forget_routing, read_routing, write_routing

_log = logging.getLogger(__name__)


class LocalCopy:
    """See the module. A disk that refuses is logged: serving goes on without a copy, for an old one may have a version
    that is withdrawn since.
    """

    def __init__(self, folder: Path) -> None:
        """The folder may be absent."""
        self._folder = folder
        self._kept: RoutingMap | None = None

    async def read(self) -> RoutingMap | None:
        """What was kept; None where nothing was, or it is damaged."""
        state = current_state(self._folder)
        if state is None:
            return None
        try:
            self._kept = await asyncio.to_thread(read_routing, self._folder, state)
        except (OSError, FormatError) as error:
            _log.error("own copy not readable, removed", extra={"reason": str(error)})
            with contextlib.suppress(OSError):  # a later start must not begin with it
                forget_routing(self._folder)
        return self._kept

    async def keep(self, routing: RoutingMap) -> None:
        """Returns once it is written, or no copy is left; at once where it is as it was. Raises OSError where an old
        one stays.
        """
        if routing == self._kept:
            return
        try:
            await asyncio.to_thread(write_routing, self._folder, routing, self._kept)
        except OSError as error:
            _log.error("own copy not written", extra={"reason": error.strerror})
            self._kept = None
            await asyncio.to_thread(forget_routing, self._folder)
            return
        self._kept = routing
