"""Times as people and Kubernetes read them."""

from datetime import UTC, datetime


def rfc3339(unix: float) -> str:
    """RFC 3339, UTC, to the second. `unix` is in seconds."""
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
