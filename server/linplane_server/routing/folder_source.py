"""Routing maps from a folder as `linplane_api.routing_folder` writes it. Each poll is one readlink; files are read only
after a change.
"""

import asyncio
import logging
from pathlib import Path

from linplane_api.canonical import FormatError
from linplane_api.routing_folder import current_state, read_routing

from .source import Apply

INTERVAL = 0.05
"""Seconds between polls."""

_log = logging.getLogger(__name__)


class FolderSource:
    """A `ConfigSource` that polls. The folder may be missing at first."""

    name = "folder"
    heard_at = None

    def __init__(self, folder: Path, interval: float = INTERVAL) -> None:
        """`interval` is in seconds."""
        self._folder = folder
        self._interval = interval

    async def run(self, apply: Apply) -> None:
        """Polls until cancelled; see `ConfigSource`."""
        seen: str | None = None
        while True:
            state = current_state(self._folder)
            if state is not None and state != seen and await self._read(state, apply):
                seen = state
            await asyncio.sleep(self._interval)

    async def _read(self, state: str, apply: Apply) -> bool:
        """Returns True if this state needs no further read: it was applied, or is damaged as a whole. False means that
        it was replaced during the read.
        """
        try:
            routing = await asyncio.to_thread(read_routing, self._folder, state)
        except OSError as error:
            _log.warning("routing folder cannot be read", extra={"reason": error.strerror})
            return False
        except FormatError as error:
            _log.error("routing folder damaged, keeping the routing in force", extra={"reason": str(error)})
            return True
        await apply(routing)
        return True
