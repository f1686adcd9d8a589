"""Pages for users name every kind of training data, so that a new one is documented."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]


def unnamed(page: str, fields: set[str]) -> set[str]:
    """The fields that do not occur on a page."""
    return fields - set(re.findall(r"\w+", (ROOT / "docs" / page).read_text()))


@pytest.mark.parametrize("page", ["resources.md", "your-data.md"])
def test_kinds_of_training_data_are_each_on_a_page(page: str) -> None:
    crd = yaml.safe_load((ROOT / "crds" / "linearmodels.yaml").read_text())
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    assert unnamed(page, set(spec["training"]["properties"]["data"]["properties"])) == set()


def test_field_that_a_page_does_not_name_is_found() -> None:
    assert unnamed("resources.md", {"version", "noSuchField"}) == {"noSuchField"}
