"""A watch of one kind until it is closed."""

import http.client
import json
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from linplane_api.kinds import Kind

from .client import path
from .controlplane import ControlPlane

Event = dict[str, Any]


class Watching:
    """Calls `note` for each event, in a separate thread, until it is closed. Starts with the existing objects."""

    def __init__(
        self, plane: ControlPlane, kind: Kind, namespace: str | None, note: Callable[[Event], None], query: str = ""
    ) -> None:
        """`namespace`: None for all of them; `query`: what follows in the URL, beginning with `&`."""
        self._note = note
        context = ssl.create_default_context(cafile=str(plane.certificate))
        host, _, port = plane.server.removeprefix("https://").partition(":")
        self._connection = http.client.HTTPSConnection(host, int(port), context=context)
        where = f"{path(kind, namespace)}?watch=true&timeoutSeconds=3600{query}"
        self._connection.request("GET", where, headers={"Authorization": f"Bearer {plane.admin.token}"})
        self._answer = self._connection.getresponse()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        assert self._connection.sock
        self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        with suppress(OSError, http.client.HTTPException, ValueError):  # it was closed
            for line in self._answer:
                self._note(json.loads(line))
