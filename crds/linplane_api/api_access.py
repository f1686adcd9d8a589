"""Access to the API server: its address, the token, URL paths, and its errors.

The operator, the server and the trainer share it; each has its own HTTP client. The files of tokens and certificates
change while a program runs, so they are read for each use and never cached.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import msgspec

from .addresses import is_loopback
from .kinds import Kind

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
MAX_MESSAGE = 1024
NOT_JSON = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What `msgspec.json.decode` raises for bytes that are not JSON of the expected form."""
UNREACHABLE = "the API server cannot be reached: "
"""The beginning of an ApiError's message if there was no response; the cause follows."""


class ApiError(Exception):
    """A call of the API server failed. `status` is that of HTTP, 0 without a response; `reason` is one word, as
    `NotFound`; `retry_after` is in seconds, 0 if the response has none; `causes` are the reasons in its details.
    """

    def __init__(
        self, status: int, reason: str, message: str, retry_after: int = 0, causes: tuple[str, ...] = ()
    ) -> None:
        """`message` is for people: that of the API server if it sent one."""
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after
        self.causes = causes

    def __str__(self) -> str:
        """The message, after status and reason if the API server gave one."""
        has_reason = self.status and self.reason != str(self.status)
        return f"{self.status} {self.reason}: {self.message}" if has_reason else self.message


class UnavailableError(ApiError, OSError):
    """No response, or one after which the same call may succeed later: 429 or 5xx."""


def connection_error(error: BaseException) -> UnavailableError:
    """The error for a connection that failed."""
    cause = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return UnavailableError(0, "Unreachable", f"{UNREACHABLE}{cause}"[:MAX_MESSAGE])


class _Cause(msgspec.Struct):
    reason: str = ""


class _Details(msgspec.Struct):
    causes: list[_Cause] | None = None


class _Status(msgspec.Struct):
    message: str = ""
    reason: str = ""
    details: msgspec.Raw = msgspec.Raw(b"null")


def response_error(status: int, body: bytes, retry_after: str = "") -> ApiError:
    """The error for a response that is not 2xx. A body that is no `Status` is not shown: a proxy may have sent it."""
    try:
        found = msgspec.json.decode(body, type=_Status)
    except NOT_JSON:
        found = _Status()
    wait = int(retry_after) if retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 6 else 0
    message = found.message[:MAX_MESSAGE] or f"the API server answered {status}"
    causes = _causes(found.details)
    error = UnavailableError if status == 429 or status >= 500 else ApiError
    return error(status, found.reason or str(status), message, wait, causes)


def _causes(details: msgspec.Raw) -> tuple[str, ...]:
    """The reasons in a Status' details; none if the details have another form, as those of an aggregated API may."""
    try:
        found = msgspec.json.decode(details, type=_Details | None)
    except NOT_JSON:
        return ()
    return tuple(cause.reason for cause in (found and found.causes) or ())


@dataclass(frozen=True)
class ApiAccess:
    """The API server's address and our credentials. `token_file` None: no token of our own."""

    host: str
    port: int
    namespace: str
    tls: bool = True
    ca_file: Path | None = None
    token_file: Path | None = None

    @property
    def authority(self) -> str:
        """The value of Host."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def authorization(self) -> str:
        """The value of Authorization, from the token's file as it is now; empty without one. Raises ApiError."""
        if self.token_file is None:
            return ""
        try:
            token = self.token_file.read_text("ascii").strip()
        except (OSError, ValueError) as error:
            raise ApiError(0, "NoToken", f"{self.token_file} cannot be read: {type(error).__name__}") from error
        if not (token and token.isprintable() and " " not in token):
            raise ApiError(0, "NoToken", f"{self.token_file} contains no token")
        return f"Bearer {token}"

    def tls_context(self) -> ssl.SSLContext | None:
        """TLS with the CA file as it is now, else with the system's CAs; None without TLS. Raises ApiError."""
        if not self.tls:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            if self.ca_file is None:
                context.load_default_certs()
            else:
                context.load_verify_locations(cadata=self.ca_file.read_text("ascii"))
        except (OSError, ValueError) as error:
            raise ApiError(0, "NoCertificate", f"{self.ca_file} cannot be read: {type(error).__name__}") from error
        return context


def api_access(
    environment: Mapping[str, str],
    url: str | None = None,
    ca_file: Path | None = None,
    token_file: Path | None = None,
    namespace: str | None = None,
) -> ApiAccess:
    """The access that arguments give, else that of every pod: its environment and the service account's files.

    Raises ValueError if that is incomplete.
    """
    host, port, tls = _endpoint(url) if url else _in_cluster(environment)
    if not tls and host != "localhost" and not is_loopback(host):
        raise ValueError("http is accepted on loopback only: a token must not be sent in plain text")
    mounted = url is None
    return ApiAccess(
        host,
        port,
        namespace or _namespace(),
        tls,
        ca_file or (SERVICE_ACCOUNT / "ca.crt" if mounted else None),
        token_file or (SERVICE_ACCOUNT / "token" if mounted else None),
    )


def _in_cluster(environment: Mapping[str, str]) -> tuple[str, int, bool]:
    host = environment.get("KUBERNETES_SERVICE_HOST", "")
    port = environment.get("KUBERNETES_SERVICE_PORT", "443")
    if not host or not port.isdigit():
        raise ValueError("not in a pod: KUBERNETES_SERVICE_HOST is not set, so an API URL is needed")
    return host, int(port), True


def _endpoint(url: str) -> tuple[str, int, bool]:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc or parts.path.strip("/"):
        raise ValueError("an API URL is https://HOST or https://HOST:PORT and nothing else")
    tls = parts.scheme == "https"
    return parts.hostname, parts.port or (443 if tls else 80), tls


def _namespace() -> str:
    try:
        return (SERVICE_ACCOUNT / "namespace").read_text("ascii").strip()
    except (OSError, ValueError) as error:
        raise ValueError("the namespace is unknown: there is no service account here, so it must be given") from error


def collection_path(kind: Kind, namespace: str | None) -> str:
    """The URL path of all objects of a kind, in a namespace or (None) in all of them."""
    root = "api" if "/" not in kind.api_version else "apis"
    scope = "" if namespace is None else f"/namespaces/{quote(namespace, safe='')}"
    return f"/{root}/{kind.api_version}{scope}/{kind.plural}"


def object_path(kind: Kind, namespace: str, name: str, subresource: str = "") -> str:
    """The URL path of one object. A name of any characters stays one segment; raises ValueError for `.` and `..`."""
    if name in {"", ".", ".."}:
        raise ValueError("an object has a name")
    return f"{collection_path(kind, namespace)}/{quote(name, safe='')}" + (f"/{subresource}" if subresource else "")
