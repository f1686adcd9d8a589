"""The permissions that the operator needs, and the check at start-up that it has them."""

from collections.abc import Iterator

from linplane_api.names import GROUP

from .http import HttpClient

ALL = ("get", "list", "watch")
CHILD = (*ALL, "create", "patch")

NEEDED: dict[tuple[str, str], tuple[str, ...]] = {
    (GROUP, "linearmodels"): ALL,
    (GROUP, "modelroutes"): ALL,
    (GROUP, "modelservers"): (*ALL, "create", "patch"),
    (GROUP, "replicareports"): (*ALL, "delete"),
    (GROUP, "linearmodels/status"): ("patch",),
    (GROUP, "modelroutes/status"): ("patch",),
    (GROUP, "modelservers/status"): ("patch",),
    ("", "configmaps"): (*CHILD, "delete"),
    ("", "services"): CHILD,
    ("", "serviceaccounts"): CHILD,
    ("", "pods"): ALL,
    ("apps", "deployments"): CHILD,
    ("policy", "poddisruptionbudgets"): CHILD,
    ("rbac.authorization.k8s.io", "roles"): ("get", "create", "patch"),
    ("rbac.authorization.k8s.io", "rolebindings"): ("get", "create", "patch"),
    ("batch", "jobs"): (*CHILD, "delete"),
    ("events.k8s.io", "events"): ("create", "list"),
}
"""Verbs by API group and resource that the operator uses itself. A server-side apply that may create needs both create
and patch.
"""

HANDED_ON: dict[tuple[str, str], tuple[str, ...]] = {
    (GROUP, "replicareports"): ("create", "patch"),  # to servers
    ("", "configmaps"): ("get", "watch", "patch"),  # to servers, each its routing; to trainers, each its result
}
"""Verbs that its Roles grant to servers and trainers: Kubernetes requires that the operator has them, too."""


def held() -> dict[tuple[str, str], tuple[str, ...]]:
    """All verbs of the operator's ServiceAccount, by API group and resource."""
    return {
        key: tuple(dict.fromkeys((*NEEDED.get(key, ()), *HANDED_ON.get(key, ()))))
        for key in sorted(NEEDED.keys() | HANDED_ON.keys())
    }


def rules() -> list[dict[str, list[str]]]:
    """The same as rules of a Role."""
    return [
        {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
        for (group, resource), verbs in held().items()
    ]


def questions(namespaces: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """The resourceAttributes to check: in each namespace, or cluster-wide if `namespaces` is empty."""
    for namespace in namespaces or ("",):
        for (group, name), verbs in held().items():
            resource, _, subresource = name.partition("/")
            for verb in verbs:
                asked = {"group": group, "resource": resource, "verb": verb}
                if subresource:
                    asked["subresource"] = subresource
                yield {**asked, "namespace": namespace} if namespace else asked


async def missing_permissions(client: HttpClient, namespaces: tuple[str, ...]) -> list[str]:
    """Permissions that are missing, one line each."""
    missing = []
    for asked in questions(namespaces):
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": asked},
        }
        answer = await client.call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=body)
        if not (answer.get("status") or {}).get("allowed"):
            resource = "/".join(filter(None, (asked["resource"], asked.get("subresource", ""))))
            group = f".{asked['group']}" if asked["group"] else ""
            where = f" in namespace {asked['namespace']}" if "namespace" in asked else " in the whole cluster"
            missing.append(f"{asked['verb']} {resource}{group}{where}")
    return missing
