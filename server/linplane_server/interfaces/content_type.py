"""The headers that declare the type and the coding of a body: pure."""

import re
from collections.abc import Mapping

from ..errors import UnsupportedBody

JSON = b"application/json"
CURL_DEFAULT = b"application/x-www-form-urlencoded"
"""The type that `curl -d` declares for any body; a real form is refused as malformed JSON."""

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
    if b"content-encoding" in headers and headers[b"content-encoding"].lower() != b"identity":
        raise UnsupportedBody("the body must not be compressed")
