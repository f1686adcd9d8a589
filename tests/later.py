"""Output of a later release, for tests: a format and a field that no release will have."""

from linplane_api.routing import FORMATS

FORMAT = 999
FIELD = "xFromALaterRelease"


def not_supported(path: str) -> str:
    """How a document or artifact of that format is refused."""
    return f"{path}: format {FORMAT} is not supported; this release reads {' and '.join(map(str, FORMATS))}"
