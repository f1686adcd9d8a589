"""Which objects a change is about: an event only names what to reconcile. Pure, over the world as it is after the
change.
"""

from collections.abc import Iterator

from linplane_api import names
from linplane_api.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    JOB,
    LINEAR_MODEL,
    MODEL_ROUTE,
    MODEL_SERVER,
    POD,
    REPLICA_REPORT,
    Kind,
)

from .compile.objects import Object, label_of, meta, name_of, spec_of
from .world import World, key_of

WorkKey = tuple[str, str, str]  # kind, namespace, name
LABEL_JOB = "batch.kubernetes.io/job-name"


def affected(world: World, kind: Kind, before: Object | None, after: Object | None) -> set[WorkKey]:
    """The keys to reconcile after `before` became `after` (None: absent)."""
    keys: set[WorkKey] = set()
    for body in (before, after):
        if body is not None:
            keys.update(_of(world, kind, body))
    return keys


def _of(world: World, kind: Kind, body: Object) -> Iterator[WorkKey]:
    namespace, name = key_of(body)
    if kind is LINEAR_MODEL:
        yield kind.kind, namespace, name
        for route in world.find(MODEL_ROUTE, namespace, f"model={spec_of(body).get('model')}"):
            yield from _route(route)
    elif kind is MODEL_ROUTE:
        yield from _route(body)
    elif kind is MODEL_SERVER:
        yield from _server(world, namespace, name)
    elif kind is REPLICA_REPORT:
        yield from _server(world, namespace, str((body.get("report") or {}).get("serverName")))
    elif kind in (POD, CONFIG_MAP, JOB, DEPLOYMENT):
        yield from _owned(world, kind, body)


def _route(route: Object) -> Iterator[WorkKey]:
    namespace, name = key_of(route)
    yield MODEL_ROUTE.kind, namespace, name
    yield MODEL_SERVER.kind, namespace, str(spec_of(route).get("serverName") or names.DEFAULT_SERVER)


def _server(world: World, namespace: str, name: str) -> Iterator[WorkKey]:
    """A server, its routes, and the frozen versions that wait for its replicas."""
    yield MODEL_SERVER.kind, namespace, name
    for route in world.find(MODEL_ROUTE, namespace, f"server={name}"):
        yield MODEL_ROUTE.kind, namespace, name_of(route)
    for model in world.find(LINEAR_MODEL, namespace, "frozen"):
        yield LINEAR_MODEL.kind, namespace, name_of(model)


def _owned(world: World, kind: Kind, body: Object) -> Iterator[WorkKey]:
    namespace = key_of(body)[0]
    for owner in meta(body).get("ownerReferences") or ():
        if owner.get("kind") in (LINEAR_MODEL.kind, MODEL_ROUTE.kind):
            yield owner["kind"], namespace, str(owner.get("name"))
    if server := label_of(body, names.LABEL_SERVER):
        yield from _server(world, namespace, server)
    if kind is CONFIG_MAP:
        yield from _config_map(world, namespace, body)
    if kind is POD and (job := world.get(JOB, namespace, label_of(body, LABEL_JOB))):
        yield from _owned(world, JOB, job)


def _config_map(world: World, namespace: str, body: Object) -> Iterator[WorkKey]:
    """Whose weights or data it is, the routes of its model where it is an artifact, the versions of its routes
    where it routes.
    """
    for model in world.find(LINEAR_MODEL, namespace, f"source={name_of(body)}"):
        yield LINEAR_MODEL.kind, namespace, name_of(model)
    for route in world.find(MODEL_ROUTE, namespace, f"model={label_of(body, names.LABEL_MODEL)}"):
        yield from _route(route)
    for route in world.find(MODEL_ROUTE, namespace, f"server={label_of(body, names.LABEL_SERVER)}"):
        for model in world.find(LINEAR_MODEL, namespace, f"model={spec_of(route).get('model')}"):
            yield LINEAR_MODEL.kind, namespace, name_of(model)
