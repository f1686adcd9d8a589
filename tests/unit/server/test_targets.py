"""The paths that predictions are requested by."""

import pytest

from linplane_server.http.targets import find_target
from linplane_server.interfaces.native import NATIVE
from linplane_server.predict.interface import Target

FOUND = [("/predict", Target(NATIVE)), ("/routes/a/predict", Target(NATIVE, "a"))]
NOT_FOUND = ["/routes//predict", "/routes/predict", "/routes/a/b/predict", "/predict/", "/", "/metrics"]


@pytest.mark.parametrize(("path", "target"), FOUND)
def test_target_of_a_prediction(path: str, target: Target) -> None:
    assert find_target(path) == target


@pytest.mark.parametrize("path", NOT_FOUND)
def test_target_of_another_path_is_none(path: str) -> None:
    assert find_target(path) is None
