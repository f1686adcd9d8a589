"""Admin calls with the callers' own tokens, authorised by a real API server."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest

from cluster.client import Client
from integration.cluster.objects import binding, route, version
from integration.server.running import Running, send_request
from integration.server_cluster.conftest import Site
from integration.server_cluster.operating import Operating
from linplane_api.kinds import LINEAR_MODEL, MODEL_ROUTE, Kind
from linplane_api.names import GROUP
from support import eventually
from unit.server.builders import document, routing

USERS: dict[str, list[tuple[str, str, tuple[str, ...]]]] = {
    "nobody": [],
    "reader": [("modelroutes", "", ("get",)), ("linearmodels", "", ("get",))],
    "other": [("modelroutes", "", ("get",)), ("linearmodels", "", ("get",)),
              ("modelroutes", "other", ("patch",)), ("linearmodels", "iris-v3", ("patch",))],
    "editor": [("modelroutes", "", ("get", "patch")), ("linearmodels", "", ("get", "patch"))],
    "writer": [("modelroutes", "iris", ("patch",)), ("linearmodels", "", ("get",))],
}  # fmt: skip


class Caller:
    """Calls one server as several users, whose tokens are in no log of it."""

    def __init__(self, site: Site, server: Running) -> None:
        self.site, self.server = site, server
        self.tokens = {name: self._token(name) for name in USERS}

    def _token(self, name: str) -> str:
        rules = [
            {"apiGroups": [GROUP], "resources": [resource], "verbs": list(verbs)}
            | ({"resourceNames": [only]} if only else {})
            for resource, only, verbs in USERS[name]
        ]
        token = self.site.plane.token_for(name, self.site.namespace)
        if rules:
            meta = {"name": name}
            role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": meta, "rules": rules}
            self.site.admin.create(role, self.site.namespace)
            self.site.admin.create(binding(name, name, self.site.namespace), self.site.namespace)
        return token

    def __call__(self, user: str, call: str, version: str = "v2", route: str = "iris") -> tuple[int, Any]:
        path = f"/{call}?version={version}&route={route}"
        status, _, body = self.server.admin_call("POST", path, Authorization=f"Bearer {self.tokens[user]}")
        return status, json.loads(body)

    def current(self) -> str:
        return str(self.site.admin.get(MODEL_ROUTE, "iris", self.site.namespace)["spec"]["version"])

    def audited(self) -> list[dict[str, Any]]:
        return [line for line in self.server.logged() if line["logger"] == "linplane_server.audit"]


@pytest.fixture
def caller(site: Site) -> Iterator[Caller]:
    for name in ("v1", "v2", "v3"):
        site.admin.create(version(name), site.namespace)
    site.admin.create(route("v1"), site.namespace)
    site.route(routing(document("iris"), document("other")))
    operating = Operating(site.admin, site.namespace)
    server = site.start(site.make_pod())
    result = Caller(site, server)
    eventually(lambda: result("editor", "switch_model", "v1")[0] == 200)  # rights have come into effect
    eventually(lambda: result("reader", "switch_model", "v1")[0] == 200)
    eventually(lambda: result("other", "switch_model", "v1")[0] == 200)
    eventually(lambda: result("writer", "switch_model", "v1")[0] == 202)
    yield result
    operating.stop()
    log = server.log.read_text()
    assert not any(token in log for token in result.tokens.values())


STATUSES = {
    "nobody": (403, 403, 403),
    "reader": (403, 403, 403),
    "other": (403, 403, 403),
    "editor": (200, 200, 200),
    "writer": (202, 403, 403),
}
"""Of a switch, a freeze and an unfreeze."""


def _is_observed(admin: Client, namespace: str) -> bool:
    """Waits for a status that describes the spec patched last: the version is not Ready for it before."""
    found = admin.get(LINEAR_MODEL, "iris-v2", namespace)
    return bool(found.get("status", {}).get("observedGeneration") == found["metadata"]["generation"])


def test_callers_may_do_what_their_rights_allow(caller: Caller) -> None:
    """By the API server's own rights, as for `kubectl patch`."""
    admin, namespace = caller.site.admin, caller.site.namespace
    for user, (switch, freeze, unfreeze) in STATUSES.items():
        admin.patch(LINEAR_MODEL, "iris-v2", {"spec": {"frozen": None}}, namespace)
        admin.patch(MODEL_ROUTE, "iris", {"spec": {"version": "v1"}}, namespace)
        eventually(lambda: _is_observed(admin, namespace))
        eventually(lambda: caller("editor", "switch_model", "v1")[0] == 200)  # all is in effect
        assert (user, caller(user, "switch_model")[0]) == (user, switch)
        assert caller.current() == ("v2" if switch < 300 else "v1")
        admin.patch(MODEL_ROUTE, "iris", {"spec": {"version": "v1"}}, namespace)
        assert (user, caller(user, "freeze")[0]) == (user, freeze)
        admin.patch(LINEAR_MODEL, "iris-v2", {"spec": {"frozen": True}}, namespace)
        assert (user, caller(user, "unfreeze")[0]) == (user, unfreeze)
        found = admin.get(LINEAR_MODEL, "iris-v2", namespace)
        assert found["spec"].get("frozen", False) is (unfreeze != 200)


def test_call_that_is_refused_has_a_reason(caller: Caller) -> None:
    assert caller("editor", "switch_model", "v9")[0] == 404
    assert caller("editor", "switch_model", route="absent")[0] == 404
    assert caller("editor", "freeze", "v2")[0] == 200
    status, body = caller("editor", "switch_model", "v2")
    assert (status, body["reason"]) == (409, "VersionFrozen")
    caller.tokens["editor"] = "not.a.token"
    assert caller("editor", "switch_model")[0] == 401


def test_switch_to_a_candidate_is_one_change_that_the_api_server_accepts(caller: Caller) -> None:
    """The CRD forbids a current version that is also a candidate."""
    site = caller.site
    site.admin.create(route("v1", "v3", name="split"), site.namespace)
    before = site.admin.get(MODEL_ROUTE, "split", site.namespace)["metadata"]["generation"]
    assert caller("editor", "switch_model", "v3", "split")[0] == 200
    found = site.admin.get(MODEL_ROUTE, "split", site.namespace)
    assert (found["spec"]["version"], found["spec"].get("split")) == ("v3", None)
    assert found["metadata"]["generation"] == before + 1


def test_audit_line_leads_to_the_api_servers(caller: Caller) -> None:
    assert caller("editor", "switch_model")[0] == 200
    line = caller.audited()[-1]
    assert (line["action"], line["route"], line["from"], line["to"], line["status"]) == (
        "switch_model", "iris", "v1", "v2", 200,
    )  # fmt: skip
    found = caller.site.admin.get(MODEL_ROUTE, "iris", caller.site.namespace)
    managers = [entry["manager"] for entry in found["metadata"]["managedFields"]]
    assert "linplane-admin" in managers
    assert line["auditID"]
    log = (caller.site.plane.folder / "audit.log").read_text().splitlines()
    entry = next(
        e for e in map(json.loads, log) if e["auditID"] == line["auditID"] and e["stage"] == "ResponseComplete"
    )
    assert entry["user"]["username"] == f"system:serviceaccount:{caller.site.namespace}:editor"


def test_if_match_names_the_state_that_is_to_be_changed(caller: Caller) -> None:
    """412 if the route (for a freeze, the version) is at another resourceVersion, and nothing is changed."""
    site = caller.site

    def call(name: str, kind: Kind, object_name: str, match: str = "") -> int:
        """Calls once the object stops changing; at its version then, unless another is given."""
        eventually(lambda: caller("editor", "switch_model", caller.current())[0] == 200)
        now = site.admin.get(kind, object_name, site.namespace)["metadata"]["resourceVersion"]
        headers = {"Authorization": f"Bearer {caller.tokens['editor']}", "If-Match": match or f'"{now}"'}
        return caller.server.admin_call("POST", f"/{name}?version=v2&route=iris", **headers)[0]

    seen = site.admin.get(MODEL_ROUTE, "iris", site.namespace)["metadata"]["resourceVersion"]
    assert call("switch_model", MODEL_ROUTE, "iris") == 200
    assert caller("editor", "switch_model", "v1")[0] == 200
    assert call("switch_model", MODEL_ROUTE, "iris", f'"{seen}"') == 412
    assert caller.current() == "v1"
    assert call("freeze", LINEAR_MODEL, "iris-v2", '"1"') == 412
    assert not site.admin.get(LINEAR_MODEL, "iris-v2", site.namespace)["spec"].get("frozen")
    assert call("freeze", LINEAR_MODEL, "iris-v2") == 200
    statuses = [line["status"] for line in caller.audited() if line["action"] != "switch_model"]
    assert statuses == [412, 200]


def test_concurrent_switches_never_overwrite_each_other(caller: Caller) -> None:
    """Each switch that was made started from the result of the one before it."""
    begun = len(caller.audited())

    def switch(number: int) -> int:
        return caller("editor", "switch_model", ("v1", "v2", "v3")[number % 3])[0]

    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(switch, range(36)))
    assert set(statuses) <= {200, 202, 409}
    lines = [line for line in caller.audited()[begun:] if "resourceVersion" in line]
    lines.sort(key=lambda line: int(line["resourceVersion"]))
    assert len(lines) > 10
    for before, after in pairwise(lines):
        assert after["from"] == before["to"]
    assert caller.current() == lines[-1]["to"]


def test_tokens_that_are_bad_hardly_reach_the_api_server(caller: Caller) -> None:
    """At most ten per second reach it, however many calls come."""
    time.sleep(1)
    before = caller.site.api.connections
    begin = time.monotonic()
    port, statuses, ended = caller.server.admin_port, [], threading.Event()

    def knock() -> None:
        while not ended.is_set():
            headers = {"Authorization": "Bearer bad.token.value"}
            statuses.append(send_request(port, "POST", "/freeze?version=v1&route=iris", None, headers)[0])

    threads = [threading.Thread(target=knock) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(1.0)
    ended.set()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - begin
    assert set(statuses) == {401, 429}
    assert len(statuses) > 50
    assert caller.site.api.connections - before <= 5 + 5 * seconds
