"""The headers that declare the type and the coding of a body: pure."""

import re
from collections.abc import Mapping

from ..errors import UnsupportedBody

JSON = b"application/json"
CURL_DEFAULT = b"application/x-www-form-urlencoded"
"""The type that `curl -d` declares for any body; a real form is refused as malformed JSON."""

IDENTITY = b"identity"
"""The coding of a body that is not compressed (RFC 9110, 8.4.1)."""

_PLAIN = (JSON, CURL_DEFAULT)
_is_json = re.compile(rb"[ \t]*application/([\w.!#$&^+-]+\+)?json[ \t]*(;.*)?", re.IGNORECASE).fullmatch


def check_json(
    headers: Mapping[bytes, bytes], detail: str = "the body must be JSON: Content-Type application/json"
) -> None:
    """Raises UnsupportedBody, with this detail, if the body is declared as another type; also if it is compressed."""
    declared = headers.get(b"content-type", JSON)
    if declared not in _PLAIN and not _is_json(declared):
        raise UnsupportedBody(detail)
    check_identity(headers)


def check_identity(headers: Mapping[bytes, bytes]) -> None:
    """Raises UnsupportedBody if the body is compressed."""
    declared = headers.get(b"content-encoding")
    if declared and content_coding(declared) != IDENTITY:
        raise UnsupportedBody("the body must not be compressed")


def content_coding(declared: bytes | None) -> bytes:
    """Returns a Content-Encoding in lower case; IDENTITY if it is absent or empty."""
    return (declared or b"").strip().lower() or IDENTITY
