"""Events about features that callers do not send: at most one an hour for each version of a route."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from linplane_api.conditions import ConditionType

from ..cluster_client import ClusterClient
from ..compile.conditions import condition_of
from ..compile.missing_features import MISSING_FEATURES, Lack, mentions
from ..compile.objects import Object, status_of
from ..observe.cache import Key, key_of

PERIOD = timedelta(hours=1)


class MissingFeatureEvents:
    """Sends the Events. `now` is the clock."""

    def __init__(self, client: ClusterClient, now: Callable[[], datetime]) -> None:
        self._client = client
        self._now = now
        self._reported: dict[Key, dict[str, tuple[datetime, int]]] = {}  # by route and version: when, how many

    def record(self, route: Object, lacking: Sequence[Lack]) -> None:
        """Sends an Event for each version for which more requests lacked features. If the status has it
        already, an earlier process sent one at an unknown time: this one waits an hour.
        """
        if not lacking:
            return
        servable = condition_of(status_of(route), ConditionType.SERVABLE)
        known = servable.message if servable else ""
        reported = self._reported.setdefault(key_of(route), {})
        for lack in lacking:
            if lack.version not in reported and mentions(known, lack.version):
                reported[lack.version] = (self._now(), lack.count)
            when, count = reported.get(lack.version, (None, 0))
            if when and lack.count < count:  # a replica started again, and counts from zero
                reported[lack.version] = (when, lack.count)
            elif lack.count > count and (when is None or self._now() >= when + PERIOD):
                self._client.event(route, warning=True, reason=MISSING_FEATURES, message=lack.message)
                reported[lack.version] = (self._now(), lack.count)

    def forget(self, namespace: str, route: str) -> None:
        """Drops the state of a route that is gone."""
        self._reported.pop((namespace, route), None)
