"""From nothing to a prediction: install, apply, wait, predict."""

import json
import time
import urllib.request

from e2e.conftest import ROOT, MakeNamespace, Release
from e2e.figures import RecordFigure
from e2e.kubectl import Kubectl, first_answer, port_forward

EXAMPLE = ROOT / "manifests" / "examples" / "penguins"
FEATURES = {"flipper_length_mm": 201}
EXPECTED = 4206.616657797  # by the reference solution of tests/unit/trainer/test_penguins.py
FIRST_PREDICTION_SECONDS = 60.0


def _apply(kubectl: Kubectl) -> None:
    kubectl("apply", f"--filename={EXAMPLE}")
    kubectl.wait("Ready", "modelroute/penguin-mass")


def _is_right(answer: object) -> bool:
    assert isinstance(answer, dict)
    return abs(answer["prediction"] - EXPECTED) < 1e-6 and answer["version"] == "v1"


def test_first_prediction_follows_the_installation_within_a_minute(
    release: Release, make_namespace: MakeNamespace, record_figure: RecordFigure
) -> None:
    began = time.monotonic()
    kubectl = make_namespace()
    _apply(kubectl)
    status, answer = first_answer(kubectl, "http://penguin-mass/predict", {"features": FEATURES})
    took = release.seconds + time.monotonic() - began
    assert status == 200
    assert _is_right(answer), answer
    record_figure("`helm install --wait`, s", f"{release.seconds:.1f}", "")
    record_figure("from `helm install` to the first prediction from another pod, s", f"{took:.1f}", "< 60")
    assert took < FIRST_PREDICTION_SECONDS
    _look(kubectl)


def _look(kubectl: Kubectl) -> None:
    """Output for users: kubectl's tables, and a prediction from their own machine."""
    table = kubectl("get", "linplane")
    for part in ("penguin-mass-v1", "penguin-mass-v2", "Validated", "linplane-server-default-"):
        assert part in table, table
    described = kubectl("describe", "linearmodel", "penguin-mass-v1")
    for part in ("Coefficients:", "flipper_length_mm", "Type:", "Normal", "Trained"):
        assert part in described, described
    assert "Converged" in kubectl("describe", "modelroute", "penguin-mass")
    with port_forward(kubectl, "service/penguin-mass", 80) as url:
        request = urllib.request.Request(
            f"{url}/routes/penguin-mass/predict", json.dumps({"features": FEATURES}).encode()
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            assert _is_right(json.load(response))
