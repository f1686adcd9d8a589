"""Who a client is, for the rate limit: its address, never anything that it can choose itself. Pure.

An IPv6 client is its /64, for a host has all of those addresses. X-Forwarded-For counts only where the peer is a
trusted proxy: then the client is the rightmost hop that is not one, the last that somebody trusted has seen.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

CACHED = 4096
"""So many addresses are kept in parsed form."""

MAX_HOPS = 32
"""So many proxies in a row are looked through at most."""


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """CIDRs. Raises ValueError for one that is none."""
    return tuple(ip_network(text) for text in texts)


class ClientIdentity:
    """Maps a request to its client. `trusted` are the proxies whose X-Forwarded-For counts; none by default."""

    def __init__(self, trusted: Sequence[Network] = ()) -> None:
        """See the class."""
        self._trusted = tuple(trusted)
        self._parse = lru_cache(CACHED)(self._judge)

    def __call__(self, peer: str, fields: Iterable[tuple[bytes, bytes]]) -> str:
        """The client's identity. `peer` is the connection's address; `fields` the request's headers, lower-case."""
        try:
            identity, trusted = self._parse(peer)
        except ValueError:
            return peer  # not an IP connection
        if not trusted:
            return identity
        hops = b",".join(value for name, value in fields if name == b"x-forwarded-for")
        for hop in reversed(hops.decode("latin-1").rsplit(",", MAX_HOPS)[-MAX_HOPS:]):
            try:
                identity, trusted = self._parse(_without_port(hop.strip()[:64]))
            except ValueError:
                return identity  # not an address: who wrote it is the last that is known
            if not trusted:
                return identity
        return identity

    def _judge(self, text: str) -> tuple[str, bool]:
        address = _plain(ip_address(text))
        trusted = any(address in network for network in self._trusted)
        if isinstance(address, IPv6Address):
            return str(IPv6Network((int(address) >> 64 << 64, 64))), trusted
        return str(address), trusted


def _plain(address: Address) -> Address:
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or IPv6Address(int(address))  # without a scope
    return address


def _without_port(hop: str) -> str:
    if hop.startswith("["):
        return hop[1:].split("]", 1)[0]
    return hop.split(":", 1)[0] if hop.count(":") == 1 else hop
