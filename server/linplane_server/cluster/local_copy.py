"""The local copy of the routing in force, in an emptyDir: a container that restarts while the API server is unavailable
serves from it.

A route whose newest document was refused is saved with its last good one.
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
    """The copy. If a write fails, the error is logged and the old copy is removed, as it may contain a version that has
    been withdrawn since.
    """

    def __init__(self, folder: Path) -> None:
        """The folder may be missing."""
        self._folder = folder
        self._saved: RoutingMap | None = None

    async def load(self) -> RoutingMap | None:
        """Returns the copy; None if there is none, or it is damaged."""
        state = current_state(self._folder)
        if state is None:
            return None
        try:
            self._saved = await asyncio.to_thread(read_routing, self._folder, state)
        except (OSError, FormatError) as error:
            _log.error("local copy cannot be read, removed", extra={"reason": str(error)})
            with contextlib.suppress(OSError):  # a later start must not use it
                forget_routing(self._folder)
        return self._saved

    async def save(self, routing: RoutingMap) -> None:
        """Returns once `routing` is on disk, or no copy is left; at once if it is unchanged. Raises OSError if an old
        copy could not be removed.
        """
        if routing == self._saved:
            return
        try:
            await asyncio.to_thread(write_routing, self._folder, routing, self._saved)
        except OSError as error:
            _log.error("local copy not written", extra={"reason": error.strerror})
            self._saved = None
            await asyncio.to_thread(forget_routing, self._folder)
            return
        self._saved = routing
