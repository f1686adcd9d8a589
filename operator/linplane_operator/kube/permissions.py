"""What the operator may do, asked of the API server before anything starts: a missing right is named, not met later."""

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
"""By API group and resource: all that the operator asks for itself. A server-side apply that may create needs both
verbs.
"""

HANDED_ON: dict[tuple[str, str], tuple[str, ...]] = {
    (GROUP, "replicareports"): ("create", "patch"),  # to servers
    ("", "configmaps"): ("get", "watch", "patch"),  # to servers, each its routing; to trainers, each its result
}
"""What the Roles that it makes grant: nobody may grant what they do not hold."""


def held() -> dict[tuple[str, str], tuple[str, ...]]:
    """All that its account holds, by API group and resource."""
    return {
        key: tuple(dict.fromkeys((*NEEDED.get(key, ()), *HANDED_ON.get(key, ()))))
        for key in sorted(NEEDED.keys() | HANDED_ON.keys())
    }


def rules() -> list[dict[str, list[str]]]:
    """The same as the rules of a Role."""
    return [
        {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}
        for (group, resource), verbs in held().items()
    ]


def questions(namespaces: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """The resourceAttributes to ask for: in each namespace, or everywhere where none is given."""
    for namespace in namespaces or ("",):
        for (group, name), verbs in held().items():
            resource, _, subresource = name.partition("/")
            for verb in verbs:
                asked = {"group": group, "resource": resource, "verb": verb}
                if subresource:
                    asked["subresource"] = subresource
                yield {**asked, "namespace": namespace} if namespace else asked


async def missing_permissions(client: HttpClient, namespaces: tuple[str, ...]) -> list[str]:
    """What is not allowed, one line each; empty where nothing is missing."""
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
