"""Calls of the API, and the faults that a rule may choose for each."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

WRITING = ("POST", "PUT", "PATCH", "DELETE")
HASH = re.compile(r"-[0-9a-f]{10}$")
Event = dict[str, Any]


@dataclass
class Call:
    """One call: its object and, once it has ended, its status (0: without an answer)."""

    method: str
    path: str
    query: dict[str, str]
    resource: str
    namespace: str
    name: str
    subresource: str
    status: int = 0
    changed: bool = False  # the object differs from the one before
    answer: bytes = field(default=b"", repr=False)  # to a write that changed something

    @property
    def is_watch(self) -> bool:
        return self.query.get("watch") == "true"

    @property
    def is_list(self) -> bool:
        return self.method == "GET" and bool(self.resource) and not self.name and not self.is_watch

    @property
    def is_review(self) -> bool:
        """True if a program asks about its own rights."""
        return self.resource == "selfsubjectaccessreviews"

    @property
    def is_write(self) -> bool:
        """True for a call that may change an object; Events and access reviews do not count."""
        about = self.resource not in ("", "events") and not self.resource.endswith("reviews")
        return about and self.method in WRITING

    @property
    def what(self) -> str:
        """A description of the write that is the same in every run: without hashes of UIDs."""
        sub = f"/{self.subresource}" if self.subresource else ""
        return f"{self.method} {self.resource}{sub} {HASH.sub('-HASH', self.name)}"

    @property
    def created(self) -> bool:
        return self.is_write and self.status == 201

    @property
    def deleted(self) -> bool:
        return self.method == "DELETE" and self.changed


# ---- faults of a call ----


@dataclass(frozen=True)
class Answer:
    """The call does not reach the API server; the client gets this answer."""

    status: int
    retry_after: int | None = None


@dataclass(frozen=True)
class Lose:
    """The connection is reset: before the call reaches the API server, or once it was `applied`. Calls `then` first."""

    applied: bool = False
    then: Callable[[], None] | None = None


@dataclass(frozen=True)
class Delay:
    """The call is delayed."""

    seconds: float


@dataclass(frozen=True)
class Gone:
    """A watch gets an ERROR as its first event: 410 (too old), or another code."""

    code: int = 410


@dataclass(frozen=True)
class Stale:
    """A LIST gets the last answer that was stored."""


@dataclass(frozen=True)
class Empty:
    """A LIST gets no items."""


Action = Answer | Lose | Delay | Gone | Stale | Empty
Rule = Callable[[Call], Action | None]


# ---- what requests and answers say ----


def read_call(method: str, path: str, query_string: str) -> Call:
    parts = path.strip("/").split("/")
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    resource, name, subresource = [*rest[:3], "", "", ""][:3]
    query = {key: values[-1] for key, values in parse_qs(query_string).items()}
    return Call(method, path, query, resource, namespace, name, subresource)


def question(review: bytes) -> str:
    """What an access review asks, whatever its namespace; empty if it asks about no resource."""
    asked = json.loads(review)["spec"].get("resourceAttributes") or {}
    return json.dumps({**asked, "namespace": bool(asked.get("namespace"))}, sort_keys=True) if asked else ""


def is_allowed(review: bytes) -> bool:
    """True if an answer to an access review says so."""
    return bool((json.loads(review).get("status") or {}).get("allowed"))


def version_in(body: bytes) -> str:
    """The resourceVersion of an object, empty for anything else."""
    try:
        return str((json.loads(body).get("metadata") or {}).get("resourceVersion") or "")
    except ValueError:
        return ""
