"""Do the watches still tell? A stream that says nothing may be one of which nothing is to be told, so silence proves
nothing. A list proves it: what it shows, the watch must tell as well, soon.
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
    owed: int = 0  # a resourceVersion that a list has shown; 0: nothing
    owed_at: float = 0.0
    lists: int = 0  # complete ones, since


@dataclass(frozen=True)
class Lag:
    """What a watch owes: for how many seconds, and how many complete lists came since; 0 where it owes nothing."""

    seconds: float = 0.0
    lists: int = 0


class WatchLag:
    """What each watch told of, and what it owes. `clock` gives seconds that never go back."""

    def __init__(self, kinds: Iterable[Kind], namespaces: tuple[str, ...], clock: Callable[[], float]) -> None:
        """There is one watch a kind, or a namespace where some are given."""
        self._clock = clock
        self._each = bool(namespaces)
        self.scopes: tuple[str | None, ...] = namespaces or (None,)
        self._watches = {(kind, scope): _Watch(received_at=clock()) for kind in kinds for scope in self.scopes}

    def received(self, kind: Kind, body: Object) -> None:
        """A watch told of an object, or of its end."""
        watch = self._watches[kind, key_of(body)[0] if self._each else None]
        watch.count += 1
        watch.received_at = self._clock()
        watch.received = max(watch.received, version_of(body))
        if watch.received >= watch.owed:
            watch.owed = 0

    def starts_after(self, kind: Kind, namespace: str | None, newest: int) -> None:
        """A complete list came, and the watch begins after it: it owes nothing of what that has shown, of which that
        is the highest resourceVersion.
        """
        watch = self._watches[kind, namespace]
        watch.received = max(watch.received, newest)

    def listed(self, kind: Kind, namespace: str | None, newest: int) -> None:
        """A complete list came, of which that is the highest resourceVersion (0: it was empty)."""
        watch = self._watches[kind, namespace]
        if newest <= watch.received or newest < watch.owed:  # nothing is owed, or what was is gone
            watch.owed = 0
        if newest <= watch.received:
            return
        if watch.owed:
            watch.lists += 1
        else:
            watch.owed, watch.owed_at, watch.lists = newest, self._clock(), 0

    def lag(self, kind: Kind) -> Lag:
        """The kind's watch that owes something for longest."""
        owing = [watch for (of, _), watch in self._watches.items() if of is kind and watch.owed]
        if not owing:
            return Lag()
        first = min(owing, key=lambda watch: watch.owed_at)
        return Lag(self._clock() - first.owed_at, first.lists)

    def figures(self) -> Iterator[tuple[Kind, int, float, float]]:
        """Each kind: how much was told, seconds since the last time, seconds that it is behind."""
        for kind in dict.fromkeys(kind for kind, _ in self._watches):
            mine = [watch for (of, _), watch in self._watches.items() if of is kind]
            since = self._clock() - max(watch.received_at for watch in mine)
            yield kind, sum(watch.count for watch in mine), since, self.lag(kind).seconds

    def lagging(self) -> dict[str, Lag]:
        """By kind, those that owe something."""
        kinds = dict.fromkeys(kind for kind, _ in self._watches)
        return {kind.kind: lag for kind in kinds if (lag := self.lag(kind)) != Lag()}
