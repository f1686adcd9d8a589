"""From where admin calls are taken, and where no API server judges, by whom: decided before anything else of a request
is looked at.

With a token configured it is required, and works from anywhere. Without one, a call must come from this machine and
not from a web page: the peer is loopback, there is no Origin, and Host is a local name (a page that had its own name
point here would send that one).
"""

import hmac
import re
from collections.abc import Callable

from linplane_api.addresses import is_loopback

from ..errors import AdminRefusal, Forbidden, Throttled, Unauthenticated
from ..problems import Headers
from ..state.limiter import Bucket, Limiter

FAILURES = 10
"""Wrong tokens an address may give in a second before it is told to wait."""

ELSEWHERE = "admin calls are taken from this machine only, or with a configured token"

_is_local_host = re.compile(rb"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE).fullmatch


class Access:
    """See the module. `clock` is monotonic, in whole nanoseconds; it is for the limit on wrong tokens."""

    def __init__(self, token: bytes | None, clock: Callable[[], int], elsewhere: str = ELSEWHERE) -> None:
        """`token` None: by the rule for local calls; `elsewhere` is what others are told then."""
        self._token = token
        self._elsewhere = elsewhere
        self._bucket = Bucket("admin", FAILURES, FAILURES, per_client=True)
        self._failures = Limiter(clock)

    def check(self, peer: str, fields: Headers) -> AdminRefusal | None:
        """None where the call may be made. `peer` is the connection's address, never a forwarded one."""
        if self._token is None:
            return check_local(peer, fields, self._elsewhere)
        denied = check_token(self._token, fields)
        if denied is None:
            return None
        wait = self._failures.acquire(self._bucket, peer)
        return Throttled("Denied", "too many wrong tokens; try again later", wait) if wait else denied


def check_token(token: bytes, fields: Headers) -> AdminRefusal | None:
    """By `Authorization: Bearer TOKEN`, compared in constant time."""
    given = [value for name, value in fields if name == b"authorization"]
    if not given:
        return Unauthenticated("Denied", "a bearer token is needed")
    scheme, _, value = given[0].partition(b" ")
    if len(given) > 1 or scheme.lower() != b"bearer" or not hmac.compare_digest(value.strip(), token):
        return Unauthenticated("Denied", "the bearer token is not the one configured")
    return None


def check_local(peer: str, fields: Headers, elsewhere: str = ELSEWHERE) -> AdminRefusal | None:
    """By where the call comes from."""
    if not is_loopback(peer):
        return Forbidden("Denied", elsewhere)
    if any(name == b"origin" for name, _ in fields):
        return Forbidden("Denied", "admin calls from a web page are not taken: the request has an Origin")
    hosts = [value for name, value in fields if name == b"host"]
    if len(hosts) != 1 or not _is_local_host(hosts[0]):
        return Forbidden("Denied", "Host must be localhost, 127.0.0.1 or [::1]")
    return None
