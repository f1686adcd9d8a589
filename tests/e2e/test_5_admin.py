"""Admin calls through a port-forward, with the callers' own rights; and from elsewhere."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from e2e.kubectl import Kubectl, first_answer, from_pod, port_forward
from e2e.objects import handmade, route
from support import eventually

ADMIN = "service/linplane-default-admin"
READ = ("get", "list", "watch")
ACCOUNTS: dict[str, list[dict[str, Any]]] = {
    "none": [],
    "read": [{"resources": ["modelroutes", "linearmodels"], "verbs": READ}],
    "other": [
        {"resources": ["modelroutes", "linearmodels"], "verbs": READ},
        {"resources": ["modelroutes"], "resourceNames": ["other"], "verbs": ["patch"]},
    ],
    "this": [
        {"resources": ["modelroutes", "linearmodels"], "verbs": READ},
        {"resources": ["modelroutes"], "resourceNames": ["flat"], "verbs": ["patch"]},
    ],
}
STATUSES = {"none": 403, "read": 403, "other": 403, "this": 200}


def _account(name: str, rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A ServiceAccount with a Role of its own."""
    group = "rbac.authorization.k8s.io"
    meta = {"name": name}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
        {
            "apiVersion": f"{group}/v1",
            "kind": "Role",
            "metadata": meta,
            "rules": [{"apiGroups": ["linplane.dev"], **rule} for rule in rules],
        },
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name}],
        },
    ]


def _call(url: str, path: str, token: str | None) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(f"{url}/{path}", b"", headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.fixture
def routes(kubectl: Kubectl) -> Kubectl:
    """Two routes of two versions, and the four accounts."""
    for model in ("flat", "other"):
        kubectl.apply(*handmade(model, "v1", 2, 1), *handmade(model, "v2", 3, 1), route(model, "v1"))
    for name, rules in ACCOUNTS.items():
        kubectl.apply(*_account(name, rules))
    kubectl.wait("Ready", "linearmodel/flat-v2", "modelroute/flat", "modelroute/other")
    return kubectl


def _answer(url: str, path: str, token: str, status: int) -> tuple[int, Any] | None:
    """The answer once it has this status: permissions take a moment to come into effect."""
    answer = _call(url, path, token)
    return answer if answer[0] == status else None


def test_switch_call_requires_the_right_to_patch_the_route(routes: Kubectl) -> None:
    tokens = {name: routes("create", "token", name).strip() for name in ACCOUNTS}
    switch = "switch_model?version=v2&route=flat"
    with port_forward(routes, ADMIN, 8081) as url:
        assert _call(url, switch, None)[0] == 401
        for name, token in tokens.items():
            eventually(lambda token=token, name=name: _answer(url, switch, token, STATUSES[name]), 20)  # type: ignore[misc]
        status, _ = _call(url, "freeze?version=v1&route=flat", tokens["this"])
        assert status == 403  # to freeze is to change the version, not the route
    assert routes.get("modelroute", "flat")["spec"]["version"] == "v2"
    assert routes.get("modelroute", "other")["spec"]["version"] == "v1"
    _, answer = first_answer(routes, "http://flat/predict", {"features": {"area": 2}})
    assert (answer["prediction"], answer["version"]) == (7, "v2")
    last = routes.get("modelroute", "flat")["status"]["switches"][-1]
    assert (last["from"], last["to"]) == ("v1", "v2")


def test_admin_call_from_another_pod_is_refused(routes: Kubectl) -> None:
    """A token must not cross the network in plain text, so it is refused without being checked."""
    headers = {"Authorization": f"Bearer {routes('create', 'token', 'this').strip()}"}
    assert first_answer(routes, "http://linplane-default-admin:8081/status", None)[0] == 200
    url = "http://linplane-default-admin:8081/switch_model?version=v2&route=flat"
    status, answer = from_pod(routes, url, method="POST", headers=headers)
    assert status == 403
    assert "port-forward" in json.dumps(answer), answer
    assert routes.get("modelroute", "flat")["spec"]["version"] == "v1"


def test_server_logs_contain_no_token(routes: Kubectl) -> None:
    token = routes("create", "token", "this").strip()
    with port_forward(routes, ADMIN, 8081) as url:
        eventually(lambda: _answer(url, "switch_model?version=v2&route=flat", token, 200), 20)
    logs = routes("logs", "--selector=app.kubernetes.io/component=server", "--tail=-1", "--prefix")
    assert "flat" in logs
    assert token not in logs
    assert token.split(".")[2] not in logs
