"""Quantities: worth the same in whatever form."""

import pytest

from linplane_operator.kube.drift import difference, is_same_quantity, stamped


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *[
            ("0.5", "500m"),
            (0.1, "100m"),
            ("1024Mi", "1Gi"),
            ("1000000000", "1G"),
            (1, "1"),
            ("1e3", "1k"),
            ("2E3", "2k"),
            (".5", "500m"),
        ],
        *[("1.5Gi", "1536Mi"), ("100u", "100000n"), ("1E", "1000P"), ("+1", "1"), ("1.", "1")],
    ],
)
def test_quantities_of_different_form_are_equal(one: object, other: object) -> None:
    assert is_same_quantity(one, other)
    assert is_same_quantity(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [("1", "2"), ("1M", "1Mi"), ("1m", "1M"), ("x", "1"), (None, "1"), ("", "0"), ("sNaN", "1"), ({}, "1")],
)
def test_quantities_of_different_value_differ(one: object, other: object) -> None:
    assert not is_same_quantity(one, other)


def deployment(**resources: object) -> dict[str, object]:
    containers = [{"name": "server", "resources": resources}]
    return {"kind": "Deployment", "metadata": {"name": "x"}, "spec": {"template": {"spec": {"containers": containers}}}}


def test_quantity_of_another_form_is_no_drift() -> None:
    """An API server hands quantities back in its own form."""
    asked = deployment(requests={"cpu": "0.5", "memory": "1024Mi"}, limits={"memory": 1073741824})
    found = stamped(asked) | {
        "spec": deployment(requests={"cpu": "500m", "memory": "1Gi"}, limits={"memory": "1Gi"})["spec"]
    }
    assert difference(stamped(asked), found) == {}


@pytest.mark.parametrize("found", [{"cpu": "501m"}, {}, None])
def test_quantity_of_another_value_is_drift(found: object) -> None:
    asked = stamped(deployment(requests={"cpu": "0.5"}))
    assert difference(asked, asked | {"spec": deployment(requests=found)["spec"]})
