"""The way through the example, by kubectl: apply, train, serve, switch, split, freeze."""

import json
import time
from typing import Any

import pytest

from integration.cluster.objects import binding, role
from integration.operator.site import EXAMPLES, PENGUIN, Site
from linplane_api.kinds import LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER, SERVICE
from linplane_api.names import GROUP
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
    """The prediction of a version for one penguin, from its own status."""
    status = site.get(LINEAR_MODEL, f"penguin-mass-{version}")["status"]
    parts = [float(item["value"]) * PENGUIN[item["feature"]] for item in status["coefficients"]]
    return float(status["intercept"]) + sum(parts)


def test_example_is_trained_and_served(site: Site) -> None:
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


def test_switch_is_in_effect_once_it_has_converged(site: Site) -> None:
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


def test_split_serves_its_shares_and_a_frozen_version_none(site: Site) -> None:
    """Every share is correct; a frozen version serves no request once it is withdrawn."""
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


def test_frozen_current_version_answers_503_without_a_substitute(site: Site) -> None:
    site.patch_model("penguin-mass-v2", frozen=True)
    site.wait("lmod/penguin-mass-v2", "Withdrawn")
    site.comes_to(MODEL_ROUTE, "penguin-mass", "Servable", "False", "CurrentFrozen")
    assert site.versions() == {503}
    site.patch_model("penguin-mass-v2", frozen=False)
    site.comes_to(MODEL_ROUTE, "penguin-mass", "Ready", "True")
    assert site.versions() == {"v2"}


def test_unknown_version_keeps_the_last_good_traffic(site: Site) -> None:
    site.patch_route("penguin-mass", version="v9")
    message = site.comes_to(MODEL_ROUTE, "penguin-mass", "Accepted", "False", "VersionNotFound")
    assert "v9" in message
    assert site.versions() == {"v2"}
    site.patch_route("penguin-mass", version="v1")
    site.comes_to(MODEL_ROUTE, "penguin-mass", "Ready", "True")
    assert site.versions() == {"v1"}


def test_admin_call_is_recorded_by_an_event_and_one_audit_line(site: Site) -> None:
    """Who (as far as anybody knows: the field manager), what, from what to what, and of which state."""
    rules = {"modelroutes": ["get", "patch"], "linearmodels": ["get", "patch"]}
    body = role("editor", GROUP, "")
    body["rules"] = [{"apiGroups": [GROUP], "resources": [name], "verbs": verbs} for name, verbs in rules.items()]
    site.admin.create(body, site.namespace)
    token = site.plane.token_for("editor", site.namespace)
    site.admin.create(binding("editor", "editor", site.namespace), site.namespace)
    server = site.kubelet.servers()[0]

    def call(name: str, version: str) -> int:
        where = f"/{name}?version={version}&route=penguin-mass"
        return server.admin("POST", where, Authorization=f"Bearer {token}")[0]

    eventually(lambda: call("switch_model", "v1") == 200)  # the rights have come into effect
    began = len(audited(server.log))
    asked = [("switch_model", "v2"), ("freeze", "v1"), ("unfreeze", "v1"), ("switch_model", "v1")]
    for name, version in asked:
        eventually(lambda: call(name, version) == 200)  # noqa: B023 - in effect, so seen by the operator
    lines = [line for line in audited(server.log)[began:] if "resourceVersion" in line]
    assert [(line["action"], line["version"]) for line in lines] == asked
    assert {line["fieldManager"] for line in lines} == {"linplane-admin"}
    assert all(line["auditID"] for line in lines)
    by = "by field manager linplane-admin"
    for about, reason, note in (
        ("penguin-mass", "Switched", f"from v1 to v2, {by}"),
        ("penguin-mass-v1", "SpecFrozen", f"from false to true, {by}"),
        ("penguin-mass-v1", "SpecUnfrozen", f"from true to false, {by}"),
        ("penguin-mass", "Switched", f"from v2 to v1, {by}"),
    ):
        eventually(lambda: is_recorded(site, about, reason, note))  # noqa: B023
    site.wait(ROUTE, "Ready")


def audited(log: str) -> list[dict[str, Any]]:
    """The lines of a server's audit."""
    lines = (json.loads(line) for line in log.splitlines() if line.startswith("{"))
    return [line for line in lines if line["logger"] == "linplane_server.audit"]


def is_recorded(site: Site, about: str, reason: str, note: str) -> bool:
    """There is such an Event, of a state that it names."""
    found = site.admin.call("GET", f"/apis/events.k8s.io/v1/namespaces/{site.namespace}/events")["items"]
    mine = [e for e in found if e["regarding"]["name"] == about and e["reason"] == reason]
    assert any(e["note"].endswith(note) and e["regarding"]["resourceVersion"] for e in mine), [e["note"] for e in mine]
    return True


def test_kubectl_prints_columns_and_events(site: Site) -> None:
    """Columns and events, without -o yaml."""
    assert "True" in site.kubectl("get", "lmod,mroute,mserver,mrep")
    described = site.kubectl("describe", ROUTE)
    for reason in ("CurrentFrozen", "VersionNotFound", "Converged=True"):
        assert reason in described


def test_operator_at_rest_writes_nothing(site: Site) -> None:
    """Longer than a minute, with a resync, and nothing differs from the last write."""
    time.sleep(2)  # counts are written at most once a second
    mark = site.plane.audit.mark()
    time.sleep(65)
    assert site.writes(mark) == []
    looks = {(e["verb"], e["objectRef"]["resource"]) for e in site.events(mark)}
    assert {("get", "roles"), ("list", "modelroutes")} <= looks, "it did look"


def test_operator_restart_writes_nothing(site: Site) -> None:
    """It reviews its permissions, lists everything, and finds no drift."""
    site.operator.stop()
    mark = site.plane.audit.mark()
    site.start_operator()
    objects = sum(len(site.admin.list(kind, site.namespace)) for kind in (LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER))
    metric = site.operator.metric
    eventually(lambda: metric("linplane_operator_reconciles_total", result="success") >= objects, 60)
    eventually(lambda: metric("linplane_operator_queue_depth") == 0, 60)
    assert site.writes(mark) == []


def test_calls_were_never_refused_on_the_way_through_the_example(site: Site) -> None:
    """Of the operator's, the trainers' and the servers' own."""
    assert [call for call in site.refused() if call[0] != "editor"] == []
    who = {"the-operator", "linplane-trainer", "linplane-server-default", "editor"}
    assert {e["who"] for e in site.events()} == who
    assert site.kubelet.problems == []


def test_operator_log_has_one_json_object_per_line(site: Site) -> None:
    """Of the whole walk."""
    lines = site.operator.logged()
    assert len(lines) > 5
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
