"""Decides whether an admin call is accepted, by its origin and, in local mode, by a static token. This comes before any
other processing of the request.

If a token is configured it is required, and accepted from any address. Otherwise a call must come from this machine and
not from a web page: the peer is loopback, there is no Origin header, and Host is a local name, which rules out DNS
rebinding.
"""

import hmac
import re
from collections.abc import Callable

from linplane_api.addresses import is_loopback

from ..errors import AdminRefusal, Forbidden, Throttled, Unauthenticated
from ..problems import Headers
from ..state.limiter import Bucket, Limiter

FAILURES = 10
"""Wrong tokens per second and address, before the answer is 429."""

NOT_LOCAL = "admin calls are accepted from localhost only, or with a configured token"

_is_local_host = re.compile(rb"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE).fullmatch


class Access:
    """The access check. `clock` is monotonic, in whole nanoseconds, for the limit on wrong tokens."""

    def __init__(self, token: bytes | None, clock: Callable[[], int], not_local: str = NOT_LOCAL) -> None:
        """`token` None: only local calls are accepted; `not_local` is the detail of the refusal of others."""
        self._token = token
        self._not_local = not_local
        self._bucket = Bucket("admin", FAILURES, FAILURES, per_client=True)
        self._failures = Limiter(clock)

    def check(self, peer: str, fields: Headers) -> AdminRefusal | None:
        """Returns None if the call is accepted, else the refusal. `peer` is the connection's address, never a forwarded
        one.
        """
        if self._token is None:
            return check_local(peer, fields, self._not_local)
        denied = check_token(self._token, fields)
        if denied is None:
            return None
        wait = self._failures.acquire(self._bucket, peer)
        return Throttled("Denied", "too many wrong tokens; try again later", wait) if wait else denied


def check_token(token: bytes, fields: Headers) -> AdminRefusal | None:
    """Checks `Authorization: Bearer TOKEN`, in constant time."""
    values = [value for name, value in fields if name == b"authorization"]
    if not values:
        return Unauthenticated("Denied", "a bearer token is needed")
    scheme, _, value = values[0].partition(b" ")
    if len(values) > 1 or scheme.lower() != b"bearer" or not hmac.compare_digest(value.strip(), token):
        return Unauthenticated("Denied", "the bearer token is not the one configured")
    return None


def check_local(peer: str, fields: Headers, not_local: str = NOT_LOCAL) -> AdminRefusal | None:
    """Accepts a call of this machine that no web page made."""
    if not is_loopback(peer):
        return Forbidden("Denied", not_local)
    if any(name == b"origin" for name, _ in fields):
        return Forbidden("Denied", "admin calls from a web page are not accepted: the request has an Origin")
    hosts = [value for name, value in fields if name == b"host"]
    if len(hosts) != 1 or not _is_local_host(hosts[0]):
        return Forbidden("Denied", "Host must be localhost, 127.0.0.1 or [::1]")
    return None
