"""A TCP proxy between a server and the API server, which can be taken down. TLS passes through untouched."""

import contextlib
import selectors
import socket
import threading


class Forwarder:
    """A TCP port of loopback that forwards to another. `connections` counts those that were passed on."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self._away = threading.Event()
        self._ended = threading.Event()
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def go_away(self) -> None:
        """Closes every connection, and every new one."""
        self._away.set()
        for sock in list(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def come_back(self) -> None:
        self._away.clear()

    def close(self) -> None:
        self._ended.set()
        self.go_away()
        self._listener.close()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._away.is_set():
                client.close()
                continue
            self.connections += 1
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._target)) as server:
            pair = {client: server, server: client}
            self._open |= set(pair)
            try:
                _pump(pair)
            except OSError:
                pass
            finally:
                self._open -= set(pair)


def _pump(pair: dict[socket.socket, socket.socket]) -> None:
    with selectors.DefaultSelector() as selector:
        for sock in pair:
            selector.register(sock, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                source = key.fileobj
                assert isinstance(source, socket.socket)
                data = source.recv(1 << 16)
                if not data:
                    return
                pair[source].sendall(data)
