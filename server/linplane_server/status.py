"""`GET /status`: what this one replica serves and how often it did, as JSON."""

from typing import Any

import msgspec

from .counters import Series
from .health import Health
from .registry import Route
from .serving import Serving
from .source import ConfigSource


class Status:
    """See the module. `replica` is this pod's name, `server` its ModelServer's."""

    def __init__(self, serving: Serving, health: Health, replica: str, server: str, source: ConfigSource) -> None:
        """Reads them at each call."""
        self._serving = serving
        self._health = health
        self._replica = replica
        self._server = server
        self._source = source

    def __call__(self) -> bytes:
        """The JSON document; its fields are described in the admin API's OpenAPI."""
        snapshot = self._serving.registry.snapshot
        body = {
            "replica": self._replica,
            "server": self._server,
            "ready": self._health.unready() is None,
            "source": self._source.name,
            "configMapUID": snapshot.uid,
            "sequence": snapshot.sequence,
            "routes": {name: self._route(route) for name, route in sorted(snapshot.routes.items())},
            "rejected": dict(sorted(snapshot.rejected.items())),
            "switches": self._serving.switches.last(),
        }
        return msgspec.json.encode(body)

    def _route(self, route: Route) -> dict[str, Any]:
        counted = self._serving.counters.versions(route.name)
        named = sorted(name for name in counted if name)
        return {
            "current": route.current_name,
            "revision": route.revision,
            "sequence": route.sequence,
            "traffic": [{"version": version, "percent": share / 100} for version, share in route.traffic],
            "unavailable": route.unavailable.reason if route.unavailable else None,
            "versions": {name: _figures(counted[name]) for name in named},
            "refused": dict(route.version_series(None).errors),
        }


def _figures(series: Series) -> dict[str, Any]:
    hits = series.requests
    return {
        "hits": hits,
        "errors": series.refused,
        "meanLatencyMs": round(series.seconds / hits * 1000, 4) if hits else None,
        "lackedFeature": series.errors.get("missing_feature", 0),
    }
