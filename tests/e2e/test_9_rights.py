"""The API server's audit log of the whole run: no request lacked a permission, and every permission was used.

It judges the tests before it, and says little on its own. It needs the log, so a node of the tests' own.
"""

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from cluster.audit import AuditLog, granted, is_forbidden, used
from e2e.chart import RELEASE, SYSTEM
from e2e.cluster_failures import was_away
from e2e.conftest import Release
from e2e.kubectl import Kubectl, run
from linplane_operator.kube.permissions import HANDED_ON

NODE = Path(os.environ.get("LINPLANE_E2E_NODE", ""))
OPERATOR = f"system:serviceaccount:{SYSTEM}:{RELEASE}-operator"
THEIRS = (":linplane-trainer", ":linplane-server-default")  # in whatever namespace


@pytest.fixture(scope="module")
def all_calls(release: Release) -> list[dict[str, Any]]:
    """Audit events, in the order of their responses."""
    return AuditLog(NODE / "audit.log").events()


@pytest.fixture(scope="module")
def calls(all_calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Calls of the product's own accounts."""
    return [event for event in all_calls if event["user"].get("username", "").endswith((OPERATOR, *THEIRS))]


def test_requests_never_lacked_a_permission(all_calls: list[dict[str, Any]], calls: list[dict[str, Any]]) -> None:
    """Ignores two cases: an API server that has just started does not know the roles yet, and an operator that is
    uninstalled ends a moment after its permissions.
    """
    assert len(calls) > 1000
    refused = [e for e in calls if is_forbidden(e) and not was_away(NODE, _moment(e))]
    writes = [e for e in all_calls if _is_write_of_the_binding(e)]
    granted_then = [e for e in refused if e["user"]["username"] != OPERATOR or _was_bound(writes, _moment(e))]
    assert not {f"{e['user']['username']} {e['verb']} {e['requestURI']}" for e in granted_then}


def _is_write_of_the_binding(event: dict[str, Any]) -> bool:
    """True if the event writes the operator's ClusterRoleBinding."""
    about = event.get("objectRef") or {}
    is_it = (about.get("resource"), about.get("name")) == ("clusterrolebindings", f"{RELEASE}-operator")
    return is_it and event["verb"] in ("patch", "delete")


def _was_bound(writes: list[dict[str, Any]], moment: float) -> bool:
    """Judges by the last write before `moment`."""
    before = [event for event in writes if _moment(event) < moment]
    return not before or before[-1]["verb"] == "patch"


def _moment(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["requestReceivedTimestamp"]).timestamp()


def test_operator_log_contains_no_token(release: Release) -> None:
    """The log since the operator's last start; no other word starts like a token."""
    said = Kubectl(SYSTEM)("logs", "--selector=app.kubernetes.io/component=operator", "--tail=-1")
    assert len(said.splitlines()) > 2
    assert "eyJhbGciOi" not in said
    assert "Bearer " not in said


def test_operator_permissions_are_all_used(calls: list[dict[str, Any]]) -> None:
    """Used by the operator, or granted by it and used by the grantee."""
    role = json.loads(run(["kubectl", "get", "clusterrole", f"{RELEASE}-operator", "--output=json"]))
    handed_on = {(group, resource, verb) for (group, resource), verbs in HANDED_ON.items() for verb in verbs}
    by_operator = used(e for e in calls if e["user"]["username"] == OPERATOR)
    by_others = used(e for e in calls if e["user"]["username"].endswith(THEIRS))
    assert handed_on <= by_others
    assert granted(role["rules"]) - by_operator - handed_on == set()
