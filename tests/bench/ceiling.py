"""The ceiling of batches: a server that copies a body from the kernel into a numpy buffer, and answers then."""

import asyncio
import socket
import sys
from typing import cast

import numpy as np
import uvloop

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
HEAD_BYTES = 1 << 16


class Ceiling(asyncio.BufferedProtocol):
    """One connection. The head is parsed as far as its Content-Length."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Waits for a head."""
        self.transport = cast("asyncio.Transport", transport)
        self.head = bytearray(HEAD_BYTES)
        self.body: memoryview | None = None
        self.filled = 0

    def get_buffer(self, sizehint: int) -> memoryview:
        """Returns the free part of what is filled."""
        return memoryview(self.head)[self.filled :] if self.body is None else self.body[self.filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """Answers at the end of a body."""
        self.filled += nbytes
        if self.body is None:
            head, end, rest = bytes(self.head[: self.filled]).partition(b"\r\n\r\n")
            if not end:
                return
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            self.body = np.empty(length, np.uint8).data
            self.body[: len(rest)] = rest
            self.filled = len(rest)
        if self.filled == len(self.body):
            self.transport.write(ANSWER)
            self.body, self.filled = None, 0


async def main(number: int) -> None:
    """Serves on an inherited socket."""
    server = await asyncio.get_running_loop().create_server(Ceiling, sock=socket.socket(fileno=number))
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
