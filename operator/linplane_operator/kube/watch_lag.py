"""Detects stale watches: whatever a periodic LIST shows must arrive by watch soon after. An idle and a dead watch look
alike otherwise.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from linplane_api.kinds import Kind

from ..compile.objects import Object
from ..observe.cache import key_of
from .informer import version_of


@dataclass
class _Watch:
    received: int = 0  # the highest resourceVersion
    received_at: float = 0.0
    count: int = 0
    missing: int = 0  # a resourceVersion that a list has shown; 0: nothing
    missing_since: float = 0.0
    lists: int = 0  # complete ones, since


@dataclass(frozen=True)
class Lag:
    """How far a watch lags: seconds and complete LISTs since the first missing resourceVersion; zeros if it is up to
    date.
    """

    seconds: float = 0.0
    lists: int = 0


class WatchLag:
    """The state of each watch, compared with LISTs. `clock` is monotonic, in seconds."""

    def __init__(self, kinds: Iterable[Kind], namespaces: tuple[str, ...], clock: Callable[[], float]) -> None:
        """One watch per kind, and per namespace if `namespaces` is not empty."""
        self._clock = clock
        self._each = bool(namespaces)
        self.scopes: tuple[str | None, ...] = namespaces or (None,)
        self._watches = {(kind, scope): _Watch(received_at=clock()) for kind in kinds for scope in self.scopes}

    def received(self, kind: Kind, body: Object) -> None:
        """A watch delivered an object, or its deletion."""
        watch = self._watches[kind, key_of(body)[0] if self._each else None]
        watch.count += 1
        watch.received_at = self._clock()
        watch.received = max(watch.received, version_of(body))
        if watch.received >= watch.missing:
            watch.missing = 0

    def starts_after(self, kind: Kind, namespace: str | None, newest: int) -> None:
        """The watch starts after a list with the highest resourceVersion `newest`, which counts as delivered."""
        watch = self._watches[kind, namespace]
        watch.received = max(watch.received, newest)

    def listed(self, kind: Kind, namespace: str | None, newest: int) -> None:
        """A complete list arrived, whose highest resourceVersion is `newest` (0: it was empty)."""
        watch = self._watches[kind, namespace]
        if newest <= watch.received or newest < watch.missing:  # nothing is missing, or the missing object was deleted
            watch.missing = 0
        if newest <= watch.received:
            return
        if watch.missing:
            watch.lists += 1
        else:
            watch.missing, watch.missing_since, watch.lists = newest, self._clock(), 0

    def lag(self, kind: Kind) -> Lag:
        """The longest lag of the kind's watches."""
        lagging = [watch for (of, _), watch in self._watches.items() if of is kind and watch.missing]
        if not lagging:
            return Lag()
        first = min(lagging, key=lambda watch: watch.missing_since)
        return Lag(self._clock() - first.missing_since, first.lists)

    def figures(self) -> Iterator[tuple[Kind, int, float, float]]:
        """Per kind: number of events, seconds since the last one, lag in seconds."""
        for kind in dict.fromkeys(kind for kind, _ in self._watches):
            mine = [watch for (of, _), watch in self._watches.items() if of is kind]
            since = self._clock() - max(watch.received_at for watch in mine)
            yield kind, sum(watch.count for watch in mine), since, self.lag(kind).seconds

    def lagging(self) -> dict[str, Lag]:
        """Lags by kind, of those that have one."""
        kinds = dict.fromkeys(kind for kind, _ in self._watches)
        return {kind.kind: lag for kind in kinds if (lag := self.lag(kind)) != Lag()}
