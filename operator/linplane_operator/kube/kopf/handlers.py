"""Kopf's handlers and settings: watch events only, without finalizers, annotations or patches."""

import math
from collections.abc import Callable
from typing import Any

import kopf

from linplane_api import names
from linplane_api.kinds import Kind

from ...compile.objects import Object
from ..informer import Informer
from ..watch_lag import WatchLag
from ..watched_kinds import WATCHED


def group_version(kind: Kind) -> tuple[str, str]:
    """Group and version of apiVersion; the core group is empty."""
    group, _, version = kind.api_version.rpartition("/")
    return group, version


def register(registry: kopf.OperatorRegistry, informer: Informer, watch_lag: WatchLag) -> None:
    """Registers one handler per kind, which passes the object to the informer."""
    for kind in WATCHED:
        group, version = group_version(kind)
        kopf.on.event(group, version, kind.plural, registry=registry, id=f"see-{kind.plural}")(
            _handler(kind, informer, watch_lag)
        )


def _handler(kind: Kind, informer: Informer, watch_lag: WatchLag) -> Callable[..., Any]:
    async def see(event: kopf.RawEvent, **_: Any) -> None:
        body: Object = {**event["object"], "apiVersion": kind.api_version, "kind": kind.kind}
        if event["type"] == "DELETED":
            informer.deleted(kind, body)
        else:
            informer.seen(kind, body)
        watch_lag.received(kind, body)

    return see


class NoDiffBase(kopf.DiffBaseStorage):
    """Stores nothing: the handlers need no diff, for which Kopf's own storages copy each object."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        """An empty essence."""
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        """Always None."""
        return None

    def store(self, **_: Any) -> None:
        """Does nothing."""


def configure(settings: kopf.OperatorSettings) -> None:
    """Sets what Kopf's defaults would do wrong here."""
    settings.peering.standalone = True
    settings.scanning.disabled = True  # needs no right to list CRDs or namespaces
    settings.posting.enabled = False  # `event_recorder` writes Events
    for kind, selector in WATCHED.items():
        if selector:
            settings.watching.label_selectors[*group_version(kind), kind.plural] = selector  # tuples alone work
    # each watch ends after 15 s with a bookmark to go on from, so the client timeout finds dead connections,
    # and costs less than one cheap request per second
    settings.watching.server_timeout = 15
    settings.watching.client_timeout = 20
    # Kopf's inactivity timer outlives a watch that gets 410, and then ends the next one for good; the client timeout
    # finds the same
    settings.watching.inactivity_timeout = math.inf
    settings.watching.connect_timeout = 5
    settings.watching.reconnect_backoff = 1.0
    settings.watching.chunk_size = 500
    settings.networking.request_timeout = 15
    settings.networking.connect_timeout = 5
    # the last delay is how late the operator notices that the API server is back; after an hour the supervisor restarts
    # Kopf
    settings.networking.error_backoffs = (1, 1, 2, 3, *(5,) * 720)
    settings.queueing.exit_timeout = 2
    settings.queueing.idle_timeout = 0.1  # lifetime of the task of a changed object
    settings.persistence.finalizer = f"{names.GROUP}/kopf"  # never used: no handler needs one
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=names.GROUP)
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.process.ultimate_exiting_timeout = None  # the default kills the process each time that Kopf stops
