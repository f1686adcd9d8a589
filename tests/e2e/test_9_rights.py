"""What the whole run has asked of the API server, by its audit log: nothing that it may not, and all that it may.

It is about the tests before it: by itself it has little to judge. It needs the log, so a node of the tests' own.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.chart import RELEASE, SYSTEM
from e2e.conftest import Release
from e2e.kubectl import run

OPERATOR = f"system:serviceaccount:{SYSTEM}:{RELEASE}-operator"


@pytest.fixture(scope="module")
def calls(release: Release) -> list[dict[str, Any]]:
    """Each call of the product's own accounts."""
    with Path(os.environ["LINPLANE_E2E_NODE"], "audit.log").open(encoding="utf-8") as log:
        events = [json.loads(line) for line in log if line.endswith("\n") and "linplane-" in line]
    own = (":linplane-operator", ":linplane-trainer", ":linplane-server-default")
    return [event for event in events if event["user"]["username"].endswith(own)]


def _said(event: dict[str, Any]) -> str:
    return f"{event['user']['username']} {event['verb']} {event['requestURI']}"


def test_nothing_was_asked_that_is_not_granted(calls: list[dict[str, Any]]) -> None:
    """What a namespace refuses that is on its way out, or whose quota is full, is no right that is missing."""
    assert len(calls) > 100
    refused = [event for event in calls if event.get("responseStatus", {}).get("code") == 403]
    missing = [event for event in refused if "RBAC" in json.dumps(event) or "cannot" in json.dumps(event)]
    assert not {_said(event) for event in missing}


def test_no_grant_of_the_operator_is_unused(calls: list[dict[str, Any]]) -> None:
    mine = [event for event in calls if event["user"]["username"] == OPERATOR]
    used = {_what(event) for event in mine}
    granted = set(_granted())
    assert not granted - used


def _what(event: dict[str, Any]) -> tuple[str, str, str]:
    found = event.get("objectRef") or {}
    resource = "/".join(filter(None, (found.get("resource"), found.get("subresource"))))
    return event["verb"], found.get("apiGroup", ""), resource


def _granted() -> Iterator[tuple[str, str, str]]:
    role = json.loads(run(["kubectl", "get", "clusterrole", f"{RELEASE}-operator", "--output=json"]))
    for rule in role["rules"]:
        for verb in rule["verbs"]:
            for group in rule["apiGroups"]:
                for resource in rule["resources"]:
                    yield verb, group, resource
