"""Downloads a URI over http or https: resolves, checks the addresses, connects to an address that was checked, and
does so again at each redirect.

Proxies of the environment are ignored: they would connect to addresses that were not checked. The resolver, the
connector and TLS are parameters.
"""

import http.client
import socket
import ssl
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from ..errors import BadData, RefusedError, TrainingFailed
from .uri_rules import Endpoint, Rules, check_addresses, endpoint_of, redirected

MAX_REDIRECTS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
RETRYABLE = frozenset({408, 425, 429})
HEADERS = {
    "Accept": "text/csv, */*;q=0.5",
    "Accept-Encoding": "identity",
    "User-Agent": "linplane-trainer",
    "Connection": "close",
}

Resolver = Callable[[str, int], Sequence[str]]
Connector = Callable[[str, int, float], socket.socket]


def resolve(host: str, port: int) -> list[str]:
    """Every address of a host, in the order of preference. Raises OSError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a label that IDNA cannot encode
        raise OSError("not a host name") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def connect(address: str, port: int, timeout: float) -> socket.socket:
    """A connection to an address, never to a name. Raises OSError."""
    return socket.create_connection((address, port), timeout)


@dataclass(frozen=True)
class Network:
    """How to reach hosts. `timeout` (seconds) is that of a connection and of each single read."""

    resolve: Resolver = resolve
    connect: Connector = connect
    tls: Callable[[], ssl.SSLContext] = ssl.create_default_context
    timeout: float = 30.0


class Download:
    """A response's body. Reading raises TrainingFailed if it breaks off: half of the rows are not the data."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        """Owns both. `size` is in bytes, None if the host does not give it."""
        self._connection, self._response = connection, response
        self.size: int | None = response.length
        self.status = response.status
        self._left = self.size

    def header(self, name: str) -> str:
        """A field of the response's head, empty if it has none."""
        return self._response.getheader(name) or ""

    def read(self, size: int) -> bytes:
        """At most `size` bytes, more than 0 of them unless at the end."""
        try:
            data = self._response.read(size)
        except (OSError, http.client.HTTPException) as error:
            raise TrainingFailed(f"the download broke off ({type(error).__name__})") from error
        if self._left is not None:
            self._left -= len(data)
            if not data and self._left > 0:  # http.client does not report it
                raise TrainingFailed(f"the download broke off, {self._left} bytes short")
        return data

    def close(self) -> None:
        """Ends the connection."""
        self._response.close()
        self._connection.close()


def download(
    uri: str,
    rules: Rules,
    network: Network,
    fields: Mapping[str, str] | None = None,
    accepted: Collection[int] = (200,),
) -> Download:
    """Opens a URI, following at most five redirects. `fields` are added to the request's head; `accepted`: the statuses
    that the caller understands. Raises RefusedError, BadData (other 4xx) or TrainingFailed.
    """
    place = endpoint_of(uri, rules)
    for _ in range(MAX_REDIRECTS + 1):
        response = _requested(_connected(place, rules, network), place, {**HEADERS, **(fields or {})})
        try:
            location = _redirect(response)
            if location is None:
                _check(response, accepted)
                return response
        except BaseException:
            response.close()
            raise
        response.close()
        place = redirected(place, location, rules)
    raise RefusedError(f"more than {MAX_REDIRECTS} redirects")


def _connected(place: Endpoint, rules: Rules, network: Network) -> http.client.HTTPConnection:
    try:
        addresses = network.resolve(place.host, place.port)
    except OSError as error:
        raise TrainingFailed("the URI's host name does not resolve") from error
    check_addresses(place.host, addresses, rules)
    connection = http.client.HTTPConnection(place.host, place.port, timeout=network.timeout)
    connection.default_port = place.default_port  # so that Host names a port only where the URI must
    connection.sock = _with_tls(_connect_first(addresses, place, network), place, network)
    return connection


def _connect_first(addresses: Sequence[str], place: Endpoint, network: Network) -> socket.socket:
    last: OSError | None = None
    for address in addresses:
        try:
            return network.connect(address, place.port, network.timeout)
        except OSError as error:
            last = error
    raise TrainingFailed(f"no connection to the URI's host ({type(last).__name__})") from last


def _with_tls(plain: socket.socket, place: Endpoint, network: Network) -> socket.socket:
    """Adds TLS, with the name in the URI, though the connection is to an address."""
    if place.scheme != "https":
        return plain
    try:
        return network.tls().wrap_socket(plain, server_hostname=place.host)
    except ssl.SSLCertVerificationError as error:
        plain.close()
        raise TrainingFailed("the URI's host has no certificate that is trusted for its name") from error
    except OSError as error:
        plain.close()
        raise TrainingFailed(f"no TLS with the URI's host ({type(error).__name__})") from error


def _requested(connection: http.client.HTTPConnection, place: Endpoint, fields: Mapping[str, str]) -> Download:
    try:
        connection.request("GET", place.path, headers=fields)
        return Download(connection, connection.getresponse())
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        raise TrainingFailed(f"the URI's host gave no HTTP answer ({type(error).__name__})") from error


def _redirect(response: Download) -> str | None:
    """Where it leads; None if it leads nowhere."""
    location = response.header("Location")
    return location if response.status in REDIRECTS and location else None


def _check(response: Download, accepted: Collection[int]) -> None:
    """Raises BadData or TrainingFailed. The response's text is not repeated: it may not be meant for the user."""
    if response.status not in accepted:
        kind = TrainingFailed if response.status >= 500 or response.status in RETRYABLE else BadData
        raise kind(f"the URI's host answered with status {response.status}")
    if (response.header("Content-Encoding") or "identity").lower() != "identity":
        raise BadData("the URI's host answered with compressed content, which was not requested")
