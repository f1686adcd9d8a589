"""The way through the example, by kubectl: apply, train, serve, switch, split, freeze."""

import time

import pytest

from integration.operator.site import EXAMPLES, PENGUIN, Site
from linplane_api.kinds import LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, SERVICE
from support import eventually

ROUTE = "mroute/penguin-mass"


@pytest.fixture(scope="module", autouse=True)
def example(site: Site) -> None:
    """Applied, trained and served by two replicas."""
    site.kubectl("apply", "-f", str(EXAMPLES))
    for version in ("v1", "v2"):
        site.wait(f"lmod/penguin-mass-{version}", "Ready")
    site.wait(ROUTE, "Ready")
    site.servers(2)


def learned(site: Site, version: str) -> float:
    """What a version says of one penguin, by its own status."""
    status = site.get(LINEAR_MODEL, f"penguin-mass-{version}")["status"]
    parts = [float(item["value"]) * PENGUIN[item["feature"]] for item in status["coefficients"]]
    return float(status["intercept"]) + sum(parts)


def test_it_is_trained_and_served(site: Site) -> None:
    status = site.get(LINEAR_MODEL, "penguin-mass-v2")["status"]
    assert status["samples"] > 200
    assert float(status["evaluation"]["r2"]) > 0.7
    answers = site.predict("penguin-mass", {"flipper_length_mm": PENGUIN["flipper_length_mm"]})
    assert len(answers) == 2
    for answer in answers:
        assert (answer["status"], answer["version"]) == (200, "v1")
        assert answer["prediction"] == pytest.approx(learned(site, "v1"), rel=1e-9)
    route = site.get(MODEL_ROUTE, "penguin-mass")["status"]
    assert (route["version"], route["trafficSummary"]) == ("v1", "v1 100")
    assert site.get(SERVICE, "penguin-mass")["spec"]["ports"][0]["port"] == 80
    site.wait("mserver/default", "Ready")
    eventually(lambda: site.get(MODEL_SERVER, "default")["status"]["loadedReplicas"] == 2)


def test_a_switch_is_there_once_it_has_converged(site: Site) -> None:
    for version in ("v2", "v1", "v2"):
        site.patch_route("penguin-mass", version=version)
        site.wait(ROUTE, "Converged")
        site.comes_to(MODEL_ROUTE, "penguin-mass", "Converged", "True")
        assert site.versions() == {version}
        for answer in site.predict("penguin-mass", PENGUIN):
            assert answer["prediction"] == pytest.approx(learned(site, version), rel=1e-9)
    switches = site.get(MODEL_ROUTE, "penguin-mass")["status"]["switches"]
    assert [(item.get("from"), item["to"]) for item in switches] == [
        (None, "v1"), ("v1", "v2"), ("v2", "v1"), ("v1", "v2"),
    ]  # fmt: skip
    assert switches[-1]["manager"] == "kubectl-patch"


def test_a_split_and_a_freeze(site: Site) -> None:
    """Every share is where it should be; a frozen version answers nobody once it is withdrawn."""
    site.patch_route("penguin-mass", version="v2", split=[{"version": "v1", "percent": 50}])
    site.comes_to(MODEL_ROUTE, "penguin-mass", "Ready", "True")
    seen = [{a["version"] for a in site.predict("penguin-mass", PENGUIN, f"user-{n}")} for n in range(40)]
    assert all(len(versions) == 1 for versions in seen), "replicas agree on who a user is"
    assert set.union(*seen) == {"v1", "v2"}
    site.patch_model("penguin-mass-v1", frozen=True)
    site.wait("lmod/penguin-mass-v1", "Withdrawn")
    seen = [{a["version"] for a in site.predict("penguin-mass", PENGUIN, f"user-{n}")} for n in range(40)]
    assert set.union(*seen) == {"v2"}
    assert site.get(MODEL_ROUTE, "penguin-mass")["status"]["trafficSummary"] == "v2 100"
    site.patch_model("penguin-mass-v1", frozen=None)
    site.comes_to(LINEAR_MODEL, "penguin-mass-v1", "Withdrawn", "False", "NotFrozen")
    site.patch_route("penguin-mass", split=None)
    site.comes_to(MODEL_ROUTE, "penguin-mass", "Ready", "True")


def test_the_current_version_frozen_is_503_and_no_other_takes_its_place(site: Site) -> None:
    site.patch_model("penguin-mass-v2", frozen=True)
    site.wait("lmod/penguin-mass-v2", "Withdrawn")
    site.comes_to(MODEL_ROUTE, "penguin-mass", "Servable", "False", "CurrentFrozen")
    assert site.versions() == {503}
    site.patch_model("penguin-mass-v2", frozen=False)
    site.comes_to(MODEL_ROUTE, "penguin-mass", "Ready", "True")
    assert site.versions() == {"v2"}


def test_an_unknown_version_keeps_the_last_good_traffic(site: Site) -> None:
    site.patch_route("penguin-mass", version="v9")
    message = site.comes_to(MODEL_ROUTE, "penguin-mass", "Accepted", "False", "VersionNotFound")
    assert "v9" in message
    assert site.versions() == {"v2"}
    site.patch_route("penguin-mass", version="v1")
    site.comes_to(MODEL_ROUTE, "penguin-mass", "Ready", "True")
    assert site.versions() == {"v1"}


def test_kubectl_tells_the_story(site: Site) -> None:
    """Columns and events, without -o yaml."""
    assert "True" in site.kubectl("get", "lmod,mroute,mserver,mrep")
    told = site.kubectl("describe", ROUTE)
    for reason in ("CurrentFrozen", "VersionNotFound", "Converged=True"):
        assert reason in told


def test_at_rest_nothing_is_written(site: Site) -> None:
    """Longer than a minute, in which everything is looked at, and nothing differs from what was written last."""
    time.sleep(2)  # counts are written at most once a second
    mark = site.plane.audit.mark()
    time.sleep(65)
    assert site.writes(mark) == []
    looks = {(e["verb"], e["objectRef"]["resource"]) for e in site.events(mark)}
    assert {("get", "roles"), ("list", "modelroutes")} <= looks, "it did look"


def test_an_operator_that_starts_anew_writes_nothing(site: Site) -> None:
    """It asks what it may do, looks at everything, and finds all as it should be."""
    site.operator.stop()
    mark = site.plane.audit.mark()
    site.start_operator()
    eventually(
        lambda: "pods" in [e["objectRef"].get("resource") for e in site.events(mark) if e["verb"] == "watch"], 20
    )
    time.sleep(3)
    assert site.writes(mark) == []


def test_no_call_was_refused(site: Site) -> None:
    """Of the operator's, the trainers' and the servers' own."""
    assert site.refused() == []
    assert {e["who"] for e in site.events()} == {"the-operator", "linplane-trainer", "linplane-server-default"}
    assert site.kubelet.problems == []
