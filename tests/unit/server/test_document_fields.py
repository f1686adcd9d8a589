"""Every field of a routing document has an effect in the server, or a reason to have none.

A new field of `RouteDocument`, or of a part of it, fails the first test until the server reads it, which starts in
`state/snapshot.py`, or UNUSED says why it need not.
"""

import inspect
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import msgspec
from prometheus_client import generate_latest

from linplane_api.conditions import Reason
from linplane_api.routing import Entry, RateLimit, RouteDocument, Unavailable, make_entry
from linplane_server.http.metrics import ServerCollector, metrics_registry
from linplane_server.http.status import Status
from linplane_server.routing.folder_source import FolderSource
from linplane_server.state.readiness import Readiness
from linplane_server.state.serving import new_serving
from linplane_server.state.snapshot import Route, Snapshot
from unit.server.builders import V1, Client, Clock, document

UNUSED = {
    "Check.prediction": "a document whose weights do not give it is refused when it is decoded",
    "Entry.raw": "has the fields that this release does not know",
    "RouteDocument.previous": "its weights are in `versions`; a switch back is the operator's decision",
    "RouteDocument.format": "`parse_entry` refuses a document of another format",
}
"""Fields that the server does not read, and why."""


class Reads:
    """Stands for a struct, and records the fields that are read, also by the struct's own methods; but enumerating the
    versions that a document names is no use of them.
    """

    def __init__(self, struct: msgspec.Struct, seen: set[str]) -> None:
        self._struct = struct
        self._seen = seen

    def __getattr__(self, name: str) -> Any:
        kind = type(self._struct)
        if inspect.isfunction(getattr(kind, name, None)):
            reads = Reads(self._struct, set()) if name == RouteDocument.versions_named.__name__ else self
            return partial(getattr(kind, name), reads)
        if name in kind.__struct_fields__:
            self._seen.add(f"{kind.__name__}.{name}")
        return self._wrapped(getattr(self._struct, name))

    def _wrapped(self, value: Any) -> Any:
        if isinstance(value, msgspec.Struct):
            return Reads(value, self._seen)
        if isinstance(value, tuple):
            return tuple(map(self._wrapped, value))
        return {key: self._wrapped(one) for key, one in value.items()} if isinstance(value, dict) else value


def structs(info: Any) -> Iterator[type[msgspec.Struct]]:
    """The types of struct in what `msgspec.inspect` gives for a type."""
    if isinstance(info, msgspec.inspect.StructType):
        yield info.cls
    if isinstance(info, msgspec.Struct):
        for name in info.__struct_fields__:
            yield from structs(getattr(info, name))
    elif isinstance(info, tuple):
        for one in info:
            yield from structs(one)


def fields(*kinds: type[msgspec.Struct]) -> set[str]:
    found = {kind for given in kinds for kind in structs(msgspec.inspect.type_info(given))}
    return {f"{kind.__name__}.{field.name}" for kind in found for field in msgspec.structs.fields(kind)}


def read_by_the_server(*documents: RouteDocument) -> set[str]:
    """The fields that are read to compile these, to answer one request by each, and to show what is loaded."""
    seen: set[str] = set()
    for each in documents:
        loaded = new_serving(Clock())
        route = Route(cast("Entry", Reads(make_entry(each, 1), seen)), loaded.counters)
        loaded.store.swap(Snapshot("uid-1", 1, {route.name: route}, {}), 0.0)
        Client(loaded).ask(b'{"features":{"area":1,"rooms":2},"key":"k"}')
        source = FolderSource(Path())
        Status(loaded, Readiness(loaded.store), "pod-7", "default", source)()
        generate_latest(metrics_registry(ServerCollector(loaded, source)))
    return seen


DOCUMENTS = (
    document(split=[("v2", 1000)], header="X-User", limit=RateLimit(1.0, 5, "Route", 2)),
    document(
        versions={"v2": V1}, named={"v1": ("area",)}, unavailable=Unavailable(Reason.CURRENT_FROZEN, "v1 is frozen")
    ),
)


def test_document_fields_are_read_by_the_server_or_listed_with_a_reason() -> None:
    read, every = read_by_the_server(*DOCUMENTS), fields(Entry)
    assert every - read == set(UNUSED), "read it in server/linplane_server/state/snapshot.py, or say in UNUSED why not"


class WithShadow(RouteDocument, frozen=True):
    """A document with a field that only the enumeration reads."""

    shadow: str | None = None

    def versions_named(self) -> tuple[str, ...]:
        """The field's version, too."""
        return (*RouteDocument.versions_named(self), *filter(None, [self.shadow]))


def test_document_field_that_nothing_reads_is_found() -> None:
    with_shadow = WithShadow(**{name: getattr(DOCUMENTS[0], name) for name in RouteDocument.__struct_fields__})
    unread = fields(WithShadow) - read_by_the_server(with_shadow)
    own = {f"WithShadow.{name}" for name in ("shadow", "format", "previous")}
    assert {name for name in unread if name.startswith("WithShadow.")} == own
