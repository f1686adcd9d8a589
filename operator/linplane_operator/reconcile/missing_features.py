"""Tells of features that callers do not send: at most one Event an hour for each version of a route."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from linplane_api.conditions import ConditionType

from ..cluster_client import ClusterClient
from ..compile.conditions import condition_of
from ..compile.missing_features import MISSING_FEATURES, Lack, tells_of
from ..compile.objects import Object, status_of
from ..observe.cache import Key, key_of

EVERY = timedelta(hours=1)


class LackingEvents:
    """See the module. `now` is the clock."""

    def __init__(self, client: ClusterClient, now: Callable[[], datetime]) -> None:
        self._client = client
        self._now = now
        self._reported: dict[Key, dict[str, tuple[datetime, int]]] = {}  # by route and version: when, how many

    def tell(self, route: Object, lacking: Sequence[Lack]) -> None:
        """An Event for each version that more requests lacked features of. If the status has it already, an earlier
        process made an Event at a time that is not known: this one waits an hour.
        """
        if not lacking:
            return
        servable = condition_of(status_of(route), ConditionType.SERVABLE)
        known = servable.message if servable else ""
        reported = self._reported.setdefault(key_of(route), {})
        for lack in lacking:
            if lack.version not in reported and tells_of(known, lack.version):
                reported[lack.version] = (self._now(), lack.count)
            when, count = reported.get(lack.version, (None, 0))
            if when and lack.count < count:  # a replica started again, and counts from zero
                reported[lack.version] = (when, lack.count)
            elif lack.count > count and (when is None or self._now() >= when + EVERY):
                self._client.event(route, warning=True, reason=MISSING_FEATURES, message=lack.message)
                reported[lack.version] = (self._now(), lack.count)

    def forget(self, namespace: str, route: str) -> None:
        """A route is gone."""
        self._reported.pop((namespace, route), None)
