"""The identity of a client, which it cannot choose."""

import pytest

from linplane_server.predict.client_identity import ClientIdentity, parse_networks

NONE: list[str] = []
LOOPBACK = ["127.0.0.0/8", "::1/128"]
CLUSTER = ["10.0.0.0/8"]
BOTH = ["10.0.0.0/8", "192.168.0.0/16", "fd00::/8"]

TABLE = [
    # trusted, peer, X-Forwarded-For, client
    (NONE, "203.0.113.9", None, "203.0.113.9"),
    (NONE, "203.0.113.9", "1.1.1.1", "203.0.113.9"),
    (NONE, "127.0.0.1", "1.1.1.1", "127.0.0.1"),
    (LOOPBACK, "127.0.0.1", None, "127.0.0.1"),
    (LOOPBACK, "127.0.0.1", "1.1.1.1", "1.1.1.1"),
    (LOOPBACK, "127.0.0.1", "9.9.9.9, 1.1.1.1", "1.1.1.1"),
    (LOOPBACK, "203.0.113.9", "1.1.1.1", "203.0.113.9"),
    (LOOPBACK, "::1", "1.1.1.1", "1.1.1.1"),
    (LOOPBACK, "::ffff:127.0.0.1", "1.1.1.1", "1.1.1.1"),
    (CLUSTER, "127.0.0.1", "1.1.1.1", "127.0.0.1"),
    (CLUSTER, "10.2.3.4", "9.9.9.9, 1.1.1.1, 10.7.7.7", "1.1.1.1"),
    (CLUSTER, "10.2.3.4", "10.7.7.7", "10.7.7.7"),
    (CLUSTER, "10.2.3.4", "", "10.2.3.4"),
    (CLUSTER, "10.2.3.4", "1.1.1.1, nonsense", "10.2.3.4"),
    (CLUSTER, "10.2.3.4", "1.1.1.1, nonsense, 10.7.7.7", "10.7.7.7"),
    (CLUSTER, "10.2.3.4", "1.1.1.1:4711", "1.1.1.1"),
    (CLUSTER, "10.2.3.4", "[2001:db8:1:2::7]:443", "2001:db8:1:2::/64"),
    (CLUSTER, "10.2.3.4", "10.0.0.1," * 5000 + "10.0.0.2", "10.0.0.1"),
    (BOTH, "10.2.3.4", "9.9.9.9, 2001:db8::1, 192.168.1.1, fd00::1", "2001:db8::/64"),
    (BOTH, "fd00::2", "9.9.9.9", "9.9.9.9"),
]


@pytest.mark.parametrize(("trusted", "peer", "forwarded", "client"), TABLE)
def test_client_identity_is_not_spoofed(trusted: list[str], peer: str, forwarded: str | None, client: str) -> None:
    fields = [] if forwarded is None else [(b"x-forwarded-for", forwarded.encode())]
    assert ClientIdentity(parse_networks(trusted))(peer, fields) == client


def test_forwarded_fields_are_one_list() -> None:
    identity = ClientIdentity(parse_networks(CLUSTER))
    fields = [(b"x-forwarded-for", b"9.9.9.9"), (b"host", b"x"), (b"x-forwarded-for", b"1.1.1.1")]
    assert identity("10.0.0.1", fields) == "1.1.1.1"


def test_ipv6_client_is_its_network_of_64_bits() -> None:
    identity = ClientIdentity()
    assert identity("2001:db8:1:2:3:4:5:6", []) == identity("2001:db8:1:2::1", []) == "2001:db8:1:2::/64"
    assert identity("2001:db8:1:3::1", []) != identity("2001:db8:1:2::1", [])
    assert identity("fe80::1%eth0", []) == "fe80::/64"


def test_peer_that_is_not_an_address_is_its_own_identity() -> None:
    assert ClientIdentity()("", []) == ""
