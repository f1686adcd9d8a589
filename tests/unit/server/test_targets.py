"""The paths that predictions are requested by."""

import pytest

from linplane_server.http.targets import below, find_target
from linplane_server.interfaces.mlflow import MLFLOW
from linplane_server.interfaces.native import NATIVE
from linplane_server.interfaces.v1 import V1_PROTOCOL
from linplane_server.interfaces.v2.infer import INFERENCE
from linplane_server.predict.interface import Target

FOUND = [
    ("/predict", Target(NATIVE)),
    ("/routes/a/predict", Target(NATIVE, "a")),
    ("/v2/models/a/infer", Target(INFERENCE, "a")),
    ("/v2/models/infer/infer", Target(INFERENCE, "infer")),
    ("/v2/models/a/versions/v1/infer", Target(INFERENCE, "a", "v1")),
    ("/routes/predict/predict", Target(NATIVE, "predict")),
    ("/invocations", Target(MLFLOW)),
    ("/routes/a/invocations", Target(MLFLOW, "a")),
    ("/v1/models/a:predict", Target(V1_PROTOCOL, "a")),
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
    "/routes/invocations",
    "/v1/models/a",
    "/v1/models/:predict",
    "/v1/models:predict",
    "/v1/models/a:explain",
    "/v1/models/a/b:predict",
]


@pytest.mark.parametrize(("path", "target"), FOUND)
def test_target_of_a_prediction(path: str, target: Target) -> None:
    assert find_target(path) == target


@pytest.mark.parametrize("path", NOT_FOUND)
def test_target_of_another_path_is_none(path: str) -> None:
    assert find_target(path) is None


BELOW = [
    ("/scoring", "/scoring/predict", "/predict"),
    ("/scoring", "/predict", "/predict"),
    ("/scoring", "/scoring", "/"),
    ("/scoring", "/scoring/", "/"),
    ("/scoring", "/scorings/predict", "/scorings/predict"),
    ("/scoring", "/scoring/scoring/predict", "/scoring/predict"),
    ("/a/b", "/a/b/docs", "/docs"),
    ("/a/b", "/a/docs", "/a/docs"),
    ("", "/predict", "/predict"),
    ("", "", ""),
]


@pytest.mark.parametrize(("root_path", "path", "expected"), BELOW)
def test_path_below_the_root_path_is_the_same_with_and_without_it(root_path: str, path: str, expected: str) -> None:
    assert below(root_path, path) == expected
