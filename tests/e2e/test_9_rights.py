"""What the whole run has asked of the API server, by its audit log: nothing that it may not, and all that it may.

It is about the tests before it: by itself it has little to judge. It needs the log, so a node of the tests' own.
"""

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from cluster.audit import AuditLog, granted, is_forbidden, used
from e2e.chart import RELEASE, SYSTEM
from e2e.conftest import Release
from e2e.disturbing import was_away
from e2e.kubectl import Kubectl, run
from linplane_operator.kube.permissions import HANDED_ON

NODE = Path(os.environ.get("LINPLANE_E2E_NODE", ""))
OPERATOR = f"system:serviceaccount:{SYSTEM}:{RELEASE}-operator"
THEIRS = (":linplane-trainer", ":linplane-server-default")  # in whatever namespace


@pytest.fixture(scope="module")
def all_calls(release: Release) -> list[dict[str, Any]]:
    """In the order in which they were answered."""
    return AuditLog(NODE / "audit.log").events()


@pytest.fixture(scope="module")
def calls(all_calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each call of the product's own accounts."""
    return [event for event in all_calls if event["user"].get("username", "").endswith((OPERATOR, *THEIRS))]


def test_nothing_was_asked_that_is_not_granted(all_calls: list[dict[str, Any]], calls: list[dict[str, Any]]) -> None:
    """An API server that has just begun refuses what it cannot judge yet: it does not know the roles. And an operator
    that is uninstalled goes a moment after its rights.
    """
    assert len(calls) > 1000
    refused = [e for e in calls if is_forbidden(e) and not was_away(NODE, _moment(e))]
    writes = [e for e in all_calls if _is_write_of_the_binding(e)]
    granted_then = [e for e in refused if e["user"]["username"] != OPERATOR or _was_bound(writes, _moment(e))]
    assert not {f"{e['user']['username']} {e['verb']} {e['requestURI']}" for e in granted_then}


def _is_write_of_the_binding(event: dict[str, Any]) -> bool:
    """Of what gives the operator its rights."""
    about = event.get("objectRef") or {}
    is_it = (about.get("resource"), about.get("name")) == ("clusterrolebindings", f"{RELEASE}-operator")
    return is_it and event["verb"] in ("patch", "delete")


def _was_bound(writes: list[dict[str, Any]], moment: float) -> bool:
    """By the last write before that."""
    before = [event for event in writes if _moment(event) < moment]
    return not before or before[-1]["verb"] == "patch"


def _moment(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["requestReceivedTimestamp"]).timestamp()


def test_no_token_is_in_the_operators_log(release: Release) -> None:
    """Of all these tests, that is, since it last began; what a token begins with is in no other word."""
    said = Kubectl(SYSTEM)("logs", "--selector=app.kubernetes.io/component=operator", "--tail=-1")
    assert len(said.splitlines()) > 2
    assert "eyJhbGciOi" not in said
    assert "Bearer " not in said


def test_no_grant_is_unused(calls: list[dict[str, Any]]) -> None:
    """By the operator, or handed on and used by the one who gets it."""
    role = json.loads(run(["kubectl", "get", "clusterrole", f"{RELEASE}-operator", "--output=json"]))
    handed_on = {(group, resource, verb) for (group, resource), verbs in HANDED_ON.items() for verb in verbs}
    by_operator = used(e for e in calls if e["user"]["username"] == OPERATOR)
    by_others = used(e for e in calls if e["user"]["username"].endswith(THEIRS))
    assert handed_on <= by_others
    assert granted(role["rules"]) - by_operator - handed_on == set()
