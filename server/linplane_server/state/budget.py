"""The memory that bodies take together: pure.

A body counts by what is held of it while the server waits for the rest, or does something else before it is answered;
an answer while the client hasn't read it. A small request that comes in one piece is answered at once, so it is never
refused, and neither is a page or a probe.
"""


class Budget:
    """A number of bytes that `held` should not exceed, of all shares together. Not safe to share between threads."""

    __slots__ = ("held", "total")

    def __init__(self, total: int) -> None:
        """Nothing is held."""
        self.total = total
        self.held = 0


class Share:
    """What one request, or the answers of one connection, hold of a budget, in bytes."""

    __slots__ = ("_budget", "held")

    def __init__(self, budget: Budget) -> None:
        """Holds nothing."""
        self._budget = budget
        self.held = 0

    def hold(self, count: int) -> bool:
        """Changes what is held to `count`. Returns False, and changes nothing, if it would grow over the total."""
        budget = self._budget
        more = count - self.held
        if more > 0 and budget.held + more > budget.total:
            return False
        self.keep(count)
        return True

    def may_ever_hold(self, count: int) -> bool:
        """Returns whether there is room for `count` once nothing else is held."""
        return count <= self._budget.total

    def keep(self, count: int) -> None:
        """Changes what is held to `count`, which is in memory already, even over the total."""
        self._budget.held += count - self.held
        self.held = count

    def release(self) -> None:
        """Holds nothing any more."""
        self.keep(0)
