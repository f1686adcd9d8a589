"""`helm test`: predicts, checks the answer, and leaves nothing behind."""

from e2e.chart import RELEASE, SYSTEM
from e2e.conftest import Release
from e2e.kubectl import Kubectl, helm
from support import eventually


def test_helm_test_predicts_and_leaves_nothing(release: Release) -> None:
    said = helm("test", RELEASE, f"--namespace={SYSTEM}", "--timeout=4m")
    assert "Succeeded" in said
    kubectl = Kubectl(SYSTEM)

    def left() -> str:
        return kubectl("get", "linearmodels,modelroutes,modelservers,configmaps,pods", "--output=name")

    assert eventually(lambda: "test" not in left(), timeout=120), left()
