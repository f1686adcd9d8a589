"""Kopf's settings."""

import kopf

from linplane_operator.kube.kopf.handlers import configure


def test_kopf_settings_reconnect_within_seconds() -> None:
    """However long that was away, up to ten minutes; then the process ends, and a fresh one tries."""
    settings = kopf.OperatorSettings()
    configure(settings)
    pauses = list(settings.networking.error_backoffs)
    assert max(pauses) <= 5
    assert sum(pauses) >= 600
