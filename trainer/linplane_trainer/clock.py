"""How a moment is written. The clock itself is always a parameter."""

from datetime import UTC, datetime


def timestamp(now: datetime) -> str:
    """RFC 3339, UTC, whole seconds. `now` is aware."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
