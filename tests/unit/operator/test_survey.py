"""Questions about the world that need no reconcile to be answered."""

import pytest

from linplane_operator.survey import was_withdrawn
from unit.operator.builders import linear_model, with_meta


@pytest.mark.parametrize(
    ("status", "seen", "generation", "expected"),
    [
        ("True", 3, 3, True),
        ("True", 2, 3, False),
        ("False", 3, 3, False),
        ("True", None, 3, False),
    ],
)
def test_withdrawn_is_remembered_for_this_very_generation(status, seen, generation, expected):
    """One that was thawed and frozen again in between may have been served again."""
    told = {"type": "Withdrawn", "status": status, "observedGeneration": seen}
    model = with_meta(linear_model(frozen=True), generation=generation)
    assert was_withdrawn({**model, "status": {"conditions": [told]}}) == expected
    assert not was_withdrawn(model)
