"""The server's own copy of what it serves, in an emptyDir: a container that restarts while the API server is away
serves on.

A route whose newest document was refused is kept with its last good one.
"""

import asyncio
import logging
from pathlib import Path

from linplane_api.canonical import FormatError
from linplane_api.document import RoutingMap
from linplane_api.folder import current_state, read_routing, write_routing

_log = logging.getLogger(__name__)


class Copy:
    """See the module. A disk that refuses is logged: serving goes on without a copy."""

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
            _log.error("own copy not readable", extra={"reason": str(error)})
        return self._kept

    async def keep(self, routing: RoutingMap) -> None:
        """Returns once it is written; at once where it is as it was."""
        if routing == self._kept:
            return
        try:
            await asyncio.to_thread(write_routing, self._folder, routing)
        except OSError as error:
            _log.error("own copy not written", extra={"reason": error.strerror})
            return
        self._kept = routing
