"""The rules for what a training may fetch. PURE: checks texts and addresses; `download` resolves, connects and calls
this module at each step.

A user who may create trainings must not reach by them what only the cluster may: the node's metadata service,
loopback, the API server.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from ..errors import RefusedError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

DEFAULT_PORTS = {"http": 80, "https": 443}
THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")  # Linux connects 0.0.0.0 to itself
NAT64 = ipaddress.ip_network("64:ff9b::/96")
COMPATIBLE = ipaddress.ip_network("::/96")
METADATA = frozenset(map(ipaddress.ip_address, ("fd00:ec2::254", "100.100.100.200", "168.63.129.16")))  # not link-local


@dataclass(frozen=True)
class Rules:
    """`allowed_hosts`, when not empty, is all that is allowed, wherever it resolves to.

    Otherwise every host whose addresses are none of the forbidden ones and none of `denied` is.
    """

    allowed_hosts: frozenset[str] = frozenset()
    denied: tuple[IPNetwork, ...] = ()
    allow_file: bool = False

    @property
    def setting(self) -> str:
        """The setting by which a user allows a host: files are allowed in local mode only."""
        return "--allowed-host" if self.allow_file else "the chart's trainer.allowedHosts"

    def trusts(self, host: str) -> bool:
        """Whether the host is named by `allowed_hosts`, so that its addresses are not checked."""
        return canonical_host(host) in self.allowed_hosts


@dataclass(frozen=True)
class Endpoint:
    """The target of an http or https URI. `host` is without brackets; `path` is that of the request line."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def default_port(self) -> int:
        """The scheme's."""
        return DEFAULT_PORTS[self.scheme]

    @property
    def uri(self) -> str:
        """To resolve a relative redirect against; not for messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"


def rules_for(allowed_hosts: Iterable[str], denied_addresses: Iterable[str], allow_file: bool) -> Rules:
    """From a task's lists; `denied_addresses` are addresses or networks. Raises RefusedError for anything else."""
    try:
        denied = tuple(_unmapped(ipaddress.ip_network(text, strict=False)) for text in denied_addresses)
    except ValueError as error:
        raise RefusedError("deniedAddresses: an address or a network is needed") from error
    return Rules(frozenset(map(canonical_host, allowed_hosts)), denied, allow_file)


def _unmapped(network: IPNetwork) -> IPNetwork:
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) else None
    return ipaddress.ip_network((mapped, network.prefixlen - 96)) if mapped and network.prefixlen >= 96 else network


def canonical_host(host: str) -> str:
    """Lower case, no final dot, no brackets; an address in its shortest form."""
    bare = host.strip().strip("[]").rstrip(".").lower()
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return bare


def file_path(uri: str, rules: Rules) -> str | None:
    """The absolute path of a `file` URI, percent-decoded; None for other schemes. Raises RefusedError."""
    parts = _split(uri)
    if parts.scheme != "file":
        return None
    if not rules.allow_file:
        raise RefusedError("a file URI is not allowed here; http and https are")
    path = unquote(parts.path)
    if (
        parts.netloc not in {"", "localhost"}
        or not path.startswith("/")
        or "\0" in path
        or parts.query
        or parts.fragment
    ):
        raise RefusedError("a file URI needs an absolute path, as in file:///data/rows.csv, and nothing else")
    return path


def endpoint_of(uri: str, rules: Rules) -> Endpoint:
    """The endpoint of an http or https URI whose host is allowed. Raises RefusedError."""
    parts = _split(uri)
    if parts.scheme not in DEFAULT_PORTS:
        raise RefusedError("the URI's scheme must be http or https")
    if "@" in parts.netloc:
        raise RefusedError("a user name or password in the URI is not accepted: it would appear in manifests and logs")
    try:
        port = parts.port
    except ValueError as error:
        raise RefusedError("the URI's port is not a number from 0 to 65535") from error
    host = parts.hostname or ""
    if not host or any(not letter.isprintable() or letter.isspace() for letter in uri):
        raise RefusedError("the URI is malformed")
    check_host(host, rules, "the URI's host")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii():
        raise RefusedError("the URI must be percent-encoded")
    return Endpoint(parts.scheme, host, DEFAULT_PORTS[parts.scheme] if port is None else port, path)


def check_host(host: str, rules: Rules, called: str) -> None:
    """Raises RefusedError unless a host is allowed by its name. `called`: what a message calls it."""
    if rules.allowed_hosts and not rules.trusts(host):
        raise RefusedError(f"{called} is not one of the allowed hosts ({rules.setting})")


def redirected(place: Endpoint, location: str, rules: Rules) -> Endpoint:
    """The endpoint that a redirect leads to. Raises RefusedError; the location is a response, so it is not repeated."""
    try:
        target = endpoint_of(urljoin(place.uri, location), rules)
    except (RefusedError, ValueError) as error:
        raise RefusedError(f"a redirect leads where training may not go: {_reason(error)}") from error
    if place.scheme == "https" and target.scheme == "http":
        raise RefusedError("a redirect leads from https to http")
    return target


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, RefusedError) else "the URI is malformed"


def check_addresses(host: str, addresses: Iterable[str], rules: Rules, called: str = "the host") -> None:
    """Raises RefusedError if any of a host's addresses may not be connected to: one among several is an attack, not an
    accident. `called`: what a message calls the host.
    """
    if rules.trusts(host):
        return
    for text in addresses:
        problem = address_problem(text, rules.denied)
        if problem:
            raise RefusedError(
                f"{called}'s address is {problem}: training may not connect there unless {rules.setting} names the host"
            )


def address_problem(text: str, denied: Iterable[IPNetwork] = ()) -> str | None:
    """Why an address may not be connected to, None if it may. An IPv4 address within an IPv6 one is checked too."""
    networks = tuple(denied)
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return "not an address"
    for candidate in (address, *_embedded(address)):
        problem = _problem(candidate, networks)
        if problem:
            return problem
    return None


def _problem(address: IPAddress, denied: tuple[IPNetwork, ...]) -> str | None:
    kinds = (
        ("unspecified", address.is_unspecified or address in THIS_NETWORK),
        ("loopback", address.is_loopback),
        ("link-local", address.is_link_local),
        ("multicast", address.is_multicast),
        ("reserved", isinstance(address, ipaddress.IPv4Address) and address.is_reserved),
        ("a cloud's metadata service", address in METADATA),
        ("the API server's or another denied one", any(address in network for network in denied)),
    )
    return next((kind for kind, is_so in kinds if is_so), None)


def _embedded(address: IPAddress) -> tuple[IPAddress, ...]:
    """The IPv4 addresses that a packet to an IPv6 one may end at: mapped, compatible, 6to4, Teredo, NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return ()
    low = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    found += [low] if address in NAT64 or (address in COMPATIBLE and int(address) > 1) else []
    return tuple(one for one in found if one is not None)


def _split(uri: str) -> SplitResult:
    try:
        return urlsplit(uri)
    except ValueError as error:
        raise RefusedError("the URI is malformed") from error
