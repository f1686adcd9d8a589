"""How often a routing ConfigMap may be written: at once, and at most one a second after a burst."""

from collections.abc import Callable


class Budget:
    """A token bucket a key. `clock` gives seconds that never go back."""

    def __init__(self, clock: Callable[[], float], burst: int = 5, per_second: float = 1.0) -> None:
        """A key that was never asked for has its whole burst."""
        self._clock = clock
        self._burst = burst
        self._rate = per_second
        self._full_at: dict[str, float] = {}  # when the key's bucket is full again

    def __call__(self, key: str) -> float:
        """0 takes a token; else in how many seconds there will be one, and nothing is taken."""
        now = self._clock()
        full_at = max(self._full_at.get(key, now), now)
        wait = full_at - now - (self._burst - 1) / self._rate
        if wait > 0:
            return wait
        self._full_at[key] = full_at + 1 / self._rate
        return 0.0
