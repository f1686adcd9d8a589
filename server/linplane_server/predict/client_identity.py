"""Identifies a client for the rate limit, by its address: never by anything that it can choose. Pure.

An IPv6 client is identified by its /64, since one host owns all of those addresses. X-Forwarded-For is read only if the
peer is a trusted proxy; the client is then the rightmost hop that is not itself a trusted proxy, because every hop to
the left of it may be forged.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

CACHED = 4096
"""Maximum number of parsed addresses to cache."""

MAX_HOPS = 32
"""Maximum number of hops to read, from the right."""


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Parses CIDRs. Raises ValueError for an invalid one."""
    return tuple(ip_network(text) for text in texts)


class ClientIdentity:
    """Maps a request to its client. `trusted` are the proxies whose X-Forwarded-For is read; none by default."""

    def __init__(self, trusted: Sequence[Network] = ()) -> None:
        """Caches the CACHED addresses parsed last."""
        self._trusted = tuple(trusted)
        self._parse = lru_cache(CACHED)(self._identify)

    def __call__(self, peer: str, fields: Iterable[tuple[bytes, bytes]]) -> str:
        """Returns the identity. `peer` is the connection's address; `fields` the request's headers, lower-case."""
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
                return identity  # not an address: the proxy that wrote it is the last known hop
            if not trusted:
                return identity
        return identity

    def _identify(self, text: str) -> tuple[str, bool]:
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
