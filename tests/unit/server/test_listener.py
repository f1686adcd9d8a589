"""Listening sockets on every address, with IPv6 or without."""

import errno
import socket
from typing import Any

import pytest

from linplane_server.http import listener


def test_listener_on_every_address_accepts_ipv4_too() -> None:
    with (
        listener.listen("::", 0) as sock,
        socket.create_connection(("127.0.0.1", sock.getsockname()[1]), timeout=5) as client,
    ):
        assert client.getpeername()


def test_listener_without_ipv6_uses_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.create_server

    def without(address: tuple[str, int], **options: Any) -> socket.socket:
        if options.get("family") == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "no")
        return real(address, **options)

    monkeypatch.setattr(socket, "create_server", without)
    with listener.listen("::", 0) as sock:
        assert sock.getsockname()[0] == "0.0.0.0"
    with pytest.raises(OSError, match="no"):
        listener.listen("::1", 0)


def test_listener_on_a_port_in_use_is_an_error() -> None:
    with listener.listen("::", 0) as sock, pytest.raises(OSError, match="in use"):
        listener.listen("::", sock.getsockname()[1])
