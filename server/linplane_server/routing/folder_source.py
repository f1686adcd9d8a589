"""Routing maps from a folder in the form of `linplane_api.routing_folder`, polled: one readlink a turn. Nothing is read
while it does not change.
"""

import asyncio
import logging
from pathlib import Path

from linplane_api.canonical import FormatError
from linplane_api.routing_folder import current_state, read_routing

from .source import Apply

INTERVAL = 0.05
"""Seconds between two looks."""

_log = logging.getLogger(__name__)


class FolderSource:
    """See the module. The folder may be absent at first."""

    name = "folder"
    heard_at = None

    def __init__(self, folder: Path, interval: float = INTERVAL) -> None:
        """`interval` is in seconds."""
        self._folder = folder
        self._interval = interval

    async def run(self, apply: Apply) -> None:
        """Watches until cancelled; see `ConfigSource`."""
        seen: str | None = None
        while True:
            state = current_state(self._folder)
            if state is not None and state != seen and await self._read(state, apply):
                seen = state
            await asyncio.sleep(self._interval)

    async def _read(self, state: str, apply: Apply) -> bool:
        """Whether this state is done with: taken, or damaged as a whole. False where it was swapped while being read:
        look again.
        """
        try:
            routing = await asyncio.to_thread(read_routing, self._folder, state)
        except OSError as error:
            _log.warning("routing folder not readable", extra={"reason": error.strerror})
            return False
        except FormatError as error:
            _log.error("routing folder damaged, keeping what is loaded", extra={"reason": str(error)})
            return True
        await apply(routing)
        return True
