"""The internals of uvicorn that `protocol`, `fast_path` and `listener` of `http` rely on. These tests name them if an
upgrade changes them, before the tests of the wire fail for reasons that are hard to see.
"""

import ast
import hashlib
import inspect
import re
import textwrap
from collections.abc import Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http import httptools_impl

from linplane_server.http.fast_path import FastProtocol
from linplane_server.http.listener import Listener
from linplane_server.http.protocol import GuardedProtocol

UVICORN = inspect.getsource(httptools_impl)
OURS = [GuardedProtocol, FastProtocol]

DIGESTS = {
    "__init__": "eefda6875ebdb576",
    "connection_lost": "1b99df458c3b8e06",
    "connection_made": "c8b2230c91b4eee2",
    "data_received": "e74b210e3c04f336",
    "eof_received": "1db22b08a5f3b176",
    "on_body": "a02fa52bdf33060a",
    "on_header": "b89cbbc6db2adf3a",
    "on_headers_complete": "f48ec6bbe75dd1e4",
    "on_message_begin": "453ed691ca9d01e0",
    "on_message_complete": "87e5be1faf503bb8",
    "on_response_complete": "4dfe4f257f506afd",
    "on_url": "5ffd0eec34d77755",
    "pause_writing": "942adeb76e2e90ee",
    "resume_writing": "5211cfcc7289d09b",
    "shutdown": "3fc90dd3d36af3bd",
}
"""Start of the SHA-256 of the methods of HttpToolsProtocol that ours override, without whitespace."""

SEND = "089bd8725f6a2ef9"
"""The same of the method that writes a response of the application, which the fast path does in the same way."""


def class_of(source: str, name: str) -> ast.ClassDef:
    return next(node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == name)


def used(
    node: ast.AST, owner: Callable[[ast.expr], bool], context: type[ast.expr_context] = ast.expr_context
) -> set[str]:
    """The attributes of `owner` in this code; only assigned ones with the context Store."""
    return {
        found.attr
        for found in ast.walk(node)
        if isinstance(found, ast.Attribute) and owner(found.value) and isinstance(found.ctx, context)
    }


def is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def is_cycle(node: ast.expr) -> bool:
    return ast.unparse(node).endswith("cycle")


def methods(node: ast.ClassDef) -> set[str]:
    return {found.name for found in node.body if isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef)}


def missing(source: str) -> set[str]:
    """The attributes that our protocols use and this source of uvicorn does not have."""
    base, cycle = class_of(source, "HttpToolsProtocol"), class_of(source, "RequestResponseCycle")
    ours = [ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0] for kind in OURS]
    inits = [found for found in ast.walk(ast.Module(ours, [])) if getattr(found, "name", "") == "__init__"]
    own = {name for kind in OURS for name in vars(kind)} | {name for i in inits for name in used(i, is_self, ast.Store)}
    used_of_self, used_of_cycle = (set().union(*(used(kind, owner) for kind in ours)) for owner in (is_self, is_cycle))
    of_protocol = used_of_self - own - used(base, is_self, ast.Store) - methods(base)
    of_cycle = used_of_cycle - used(cycle, is_self, ast.Store) - methods(cycle)
    return of_protocol | {f"cycle.{name}" for name in of_cycle}


def overridden(ours: type, base: type) -> list[str]:
    return sorted(name for name, value in vars(ours).items() if inspect.isfunction(value) and name in vars(base))


def digest(function: Any) -> str:
    source = textwrap.dedent(inspect.getsource(function))
    return hashlib.sha256(re.sub(r"\s+", "", source).encode()).hexdigest()[:16]


def test_uvicorn_has_every_attribute_that_the_protocol_uses() -> None:
    assert not missing(UVICORN), "uvicorn lacks what our protocols rely on: adapt them"


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("self.pipeline", "self.queue", "pipeline"),
        ("self.message_event", "self.event", "cycle.message_event"),
        ("def _start_asgi_task", "def _start", "_start_asgi_task"),
    ],
)
def test_uvicorn_attribute_that_was_renamed_is_reported(old: str, new: str, found: str) -> None:
    assert missing(UVICORN.replace(old, new)) == {found}


def test_uvicorn_methods_that_the_protocols_override_are_unchanged() -> None:
    base = httptools_impl.HttpToolsProtocol
    found = {name: digest(vars(base)[name]) for kind in OURS for name in overridden(kind, base)}
    changed = sorted(name for name in DIGESTS.keys() | found.keys() if DIGESTS.get(name) != found.get(name))
    assert not changed, f"uvicorn {uvicorn.__version__} changed {changed}: compare our protocols, then update {found}"


def test_uvicorn_writes_responses_as_the_fast_path_does() -> None:
    found = digest(httptools_impl.RequestResponseCycle.send)
    assert found == SEND, f"uvicorn {uvicorn.__version__} changed it: compare `rendered`, then update {found}"


def test_uvicorn_signatures_are_those_of_the_overrides() -> None:
    base = httptools_impl.HttpToolsProtocol
    for kind in OURS:
        for name in overridden(kind, base):
            ours, theirs = (list(inspect.signature(vars(one)[name]).parameters) for one in (kind, base))
            assert [one for one in ours if one not in ("guard", "fast")] == theirs, name


def test_uvicorn_status_lines_have_the_form_that_the_refusals_take_apart() -> None:
    assert httptools_impl.STATUS_LINE[431] == b"HTTP/1.1 431 Request Header Fields Too Large\r\n"


def test_uvicorn_server_has_the_methods_that_the_listener_overrides() -> None:
    assert overridden(Listener, uvicorn.Server) == ["__init__", "capture_signals"]
