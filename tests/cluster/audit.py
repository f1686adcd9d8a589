"""The API server's audit log, for tests of who called what, how often, and with which answer."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from support import eventually

Right = tuple[str, str, str]
"""API group, resource with its subresource, verb."""

# every call except the probes of whether the server is up
POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "nonResourceURLs": ["/readyz*", "/livez*", "/healthz*"]},
        {"level": "Metadata"},
    ],
}


class AuditLog:
    """Events as dicts, in the order in which they were written: a call's comes a moment after its answer."""

    def __init__(self, path: Path) -> None:
        """`path` need not exist yet."""
        self.path = path

    def mark(self) -> int:
        """The position of the log's end, for `events(since=...)`."""
        return self.path.stat().st_size if self.path.exists() else 0

    def events(self, since: int = 0, about: str = "") -> list[dict[str, Any]]:
        """Events after the mark; with a namespace, only those that name it anywhere."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            file.seek(since)
            complete, _, _ = file.read().rpartition(b"\n")
        return [json.loads(line) for line in complete.splitlines() if about.encode() in line]

    def wait_for(self, since: int = 0, timeout: float = 5.0, **fields: object) -> dict[str, Any]:
        """The first event after the mark whose fields have these values: `verb`, `user__username`, `objectRef__name`,
        `responseStatus__code` and so on. Raises AssertionError if none comes.
        """
        wanted = {tuple(name.split("__")): value for name, value in fields.items()}

        def found() -> dict[str, Any] | None:
            matching = (e for e in self.events(since) if all(_at(e, at) == value for at, value in wanted.items()))
            return next(matching, None)

        event = eventually(found, timeout)
        assert event is not None
        return event


def is_forbidden(event: Mapping[str, Any]) -> bool:
    """True if RBAC refused the call; not if admission did, as in a terminating namespace."""
    return bool((event.get("annotations") or {}).get("authorization.k8s.io/decision") == "forbid")


def used(events: Iterable[Mapping[str, Any]]) -> set[Right]:
    """The permission that each allowed call used. An apply that creates an object needs two."""
    found = set()
    for event in events:
        about, code = event.get("objectRef") or {}, (event.get("responseStatus") or {}).get("code")
        if code in (401, 403) or "resource" not in about:
            continue
        resource = "/".join(filter(None, (about["resource"], about.get("subresource"))))
        found.add((about.get("apiGroup", ""), resource, event["verb"]))
        if event["verb"] == "patch" and code == 201:
            found.add((about.get("apiGroup", ""), resource, "create"))
    return found


def granted(rules: Iterable[Mapping[str, Any]]) -> set[Right]:
    """The permissions of a Role's rules."""
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def _at(event: Any, steps: tuple[str, ...]) -> Any:
    for step in steps:
        event = event.get(step) if isinstance(event, dict) else None
    return event
