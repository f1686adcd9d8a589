"""Content negotiation (RFC 9110, section 12): pure. The weights in a header, and the choice of a type."""

import math
from collections.abc import Mapping

_HTML = (b"text/html", b"text/*", b"*/*")
_CSV = (b"text/csv", b"text/*")
_JSON = (b"application/json", b"application/*", b"*/*")


def prefers_html(accept: bytes) -> bool:
    """Returns True if this Accept header gives HTML a higher weight than JSON: as browsers do, and programs do not."""
    found = weights(accept)
    return _of(found, _HTML) > _of(found, _JSON)


def prefers_csv(headers: Mapping[bytes, bytes]) -> bool:
    """Returns True if the Accept header gives CSV a higher weight than JSON, which is the answer if it allows all."""
    accept = headers.get(b"accept")
    if accept is None or b"text/" not in accept.lower():
        return False
    found = weights(accept)
    return _of(found, _CSV) > _of(found, _JSON)


def weights(field: bytes) -> dict[bytes, float]:
    """Returns the weight of each value that an Accept or Accept-Encoding header names, in lower case; 0 for a weight
    that is no number.
    """
    result: dict[bytes, float] = {}
    for item in field.split(b","):
        value, *parameters = (part.strip().lower() for part in item.split(b";"))
        result[value] = _weight(parameters)
    return result


def _weight(parameters: list[bytes]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition(b"=")
        if name.strip() == b"q":
            try:
                weight = float(value)
            except ValueError:
                return 0.0
            return weight if math.isfinite(weight) else 0.0
    return 1.0


def _of(found: dict[bytes, float], ranges: tuple[bytes, ...]) -> float:
    """Returns the weight of the most specific range; 0 if none matches."""
    return next((found[kind] for kind in ranges if kind in found), 0.0)
