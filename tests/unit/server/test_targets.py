"""The paths that predictions are requested by."""

import pytest

from linplane_server.http.targets import find_target
from linplane_server.interfaces.native import NATIVE
from linplane_server.interfaces.v2.infer import INFERENCE
from linplane_server.predict.interface import Target

FOUND = [
    ("/predict", Target(NATIVE)),
    ("/routes/a/predict", Target(NATIVE, "a")),
    ("/v2/models/a/infer", Target(INFERENCE, "a")),
    ("/v2/models/infer/infer", Target(INFERENCE, "infer")),
    ("/v2/models/a/versions/v1/infer", Target(INFERENCE, "a", "v1")),
]
NOT_FOUND = [
    "/routes//predict",
    "/routes/predict",
    "/routes/a/b/predict",
    "/predict/",
    "/",
    "/metrics",
    "/v2/models//infer",
    "/v2/models/infer",
    "/v2/models/a/b/infer",
    "/v2/models/a/versions//infer",
    "/v2/models/a/versions/infer",
    "/v2/models/a/versions/v1/b/infer",
    "/v2/models/a/infer/",
]


@pytest.mark.parametrize(("path", "target"), FOUND)
def test_target_of_a_prediction(path: str, target: Target) -> None:
    assert find_target(path) == target


@pytest.mark.parametrize("path", NOT_FOUND)
def test_target_of_another_path_is_none(path: str) -> None:
    assert find_target(path) is None
