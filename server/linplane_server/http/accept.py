"""Content negotiation (RFC 9110, section 12.5.1) between JSON and HTML: pure."""

import math

_HTML = (b"text/html", b"text/*", b"*/*")
_JSON = (b"application/json", b"application/*", b"*/*")


def prefers_html(accept: bytes) -> bool:
    """Returns True if this Accept header gives HTML a higher weight than JSON: as browsers do, and programs do not."""
    weights: dict[bytes, float] = {}
    for item in accept.split(b","):
        kind, *parameters = (part.strip().lower() for part in item.split(b";"))
        weights[kind] = _weight(parameters)
    return _of(weights, _HTML) > _of(weights, _JSON)


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


def _of(weights: dict[bytes, float], ranges: tuple[bytes, ...]) -> float:
    """Returns the weight of the most specific range; 0 if none matches."""
    return next((weights[kind] for kind in ranges if kind in weights), 0.0)
