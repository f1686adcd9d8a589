"""What all bodies of a server hold together is bounded, and returned."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from linplane_server.state.budget import Budget, Share

TOTAL = 100


class Shares(RuleBasedStateMachine):
    """Four shares of a budget, and what each should hold."""

    def __init__(self) -> None:
        super().__init__()
        self.budget = Budget(TOTAL)
        self.shares = [Share(self.budget) for _ in range(4)]
        self.expected = [0] * 4

    @rule(number=st.integers(0, 3), count=st.integers(0, 150))
    def hold(self, number: int, count: int) -> None:
        others = sum(self.expected) - self.expected[number]
        fits = count <= self.expected[number] or others + count <= TOTAL
        assert self.shares[number].hold(count) is fits
        if fits:
            self.expected[number] = count

    @rule(number=st.integers(0, 3), count=st.integers(0, 150))
    def keep(self, number: int, count: int) -> None:
        self.shares[number].keep(count)
        self.expected[number] = count

    @rule(number=st.integers(0, 3))
    def release(self, number: int) -> None:
        self.shares[number].release()
        self.expected[number] = 0

    @invariant()
    def sums(self) -> None:
        assert [share.held for share in self.shares] == self.expected
        assert self.budget.held == sum(self.expected)


TestShares = Shares.TestCase


def test_budget_that_is_full_is_free_for_others_after_a_release() -> None:
    budget = Budget(TOTAL)
    one, other = Share(budget), Share(budget)
    assert one.hold(TOTAL)
    assert not other.hold(1)
    one.release()
    assert other.hold(TOTAL)
