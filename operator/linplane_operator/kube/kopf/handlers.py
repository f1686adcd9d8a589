"""Kopf, as a source of events and nothing else: no finalizer, no annotation, no patch of its own."""

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
    """The two halves of apiVersion; the core group is empty."""
    group, _, version = kind.api_version.rpartition("/")
    return group, version


def register(registry: kopf.OperatorRegistry, informer: Informer, watch_lag: WatchLag) -> None:
    """One handler a kind: it takes the object into the informer, which names what to reconcile."""
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
    """Nothing here asks what changed; Kopf's own storages copy each object, whole, to tell."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        """Nothing of it."""
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        """None is kept."""
        return None

    def store(self, **_: Any) -> None:
        """Keeps nothing."""


def configure(settings: kopf.OperatorSettings) -> None:
    """The settings, each for a reason that Kopf's behaviour gives."""
    settings.peering.standalone = True
    settings.scanning.disabled = True  # needs no right to list CRDs or namespaces
    settings.posting.enabled = False  # events are written by `events`
    for kind, selector in WATCHED.items():
        if selector:
            settings.watching.label_selectors[*group_version(kind), kind.plural] = selector  # tuples alone work
    # the server ends each watch, with a bookmark to go on from, sooner than silence would: so a connection that says
    # nothing any more is noticed in seconds, for less than one cheap request a second
    settings.watching.server_timeout = 15
    settings.watching.client_timeout = 20
    # Kopf's own timer of silence outlives a watch that is told 410, and then ends the next one for good: what it would
    # find, the timeout before has found
    settings.watching.inactivity_timeout = math.inf
    settings.watching.connect_timeout = 5
    settings.watching.reconnect_backoff = 1.0
    settings.watching.chunk_size = 500
    settings.networking.request_timeout = 15
    settings.networking.connect_timeout = 5
    # the last pause is how long the operator is behind once the API server is back; after an hour Kopf
    # is begun anew
    settings.networking.error_backoffs = (1, 1, 2, 3, *(5,) * 720)
    settings.queueing.exit_timeout = 2
    settings.queueing.idle_timeout = 0.1  # an object that has changed has a task for so long
    settings.persistence.finalizer = f"{names.GROUP}/kopf"  # never used: no handler here needs one
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=names.GROUP)
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.process.ultimate_exiting_timeout = None  # else the process is killed after each end of Kopf's own
