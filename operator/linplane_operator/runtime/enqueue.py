"""Maps a change of an object to the keys to reconcile. Pure, over the cache as it is after the change.

Keys that the change cannot affect are left out, so that one event does not enqueue every route: an entry of the routing
ConfigMap affects its route, a report those that wait for one. Conditions are read for that as an optimisation only: a
resync enqueues everything.
"""

from collections.abc import Iterator

from linplane_api import names
from linplane_api.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    JOB,
    LINEAR_MODEL,
    MODEL_ROUTE,
    MODEL_SERVER,
    POD,
    REPLICA_REPORT,
    SERVICE,
    SERVICE_ACCOUNT,
    Kind,
)

from ..compile.acknowledgements import is_serving
from ..compile.formats import model_of
from ..compile.kstatus import progress_of
from ..compile.objects import (
    Object,
    controller_uid,
    data_of,
    has_grpc,
    label_of,
    meta,
    name_of,
    owners_of,
    server_of,
    spec_of,
    status_of,
    uid_of,
)
from ..compile.observed import Pod, ReplicaReport, observe
from ..observe.cache import ObjectCache, key_of

CHILDREN = (CONFIG_MAP, JOB, DEPLOYMENT, SERVICE, SERVICE_ACCOUNT, DISRUPTION_BUDGET)

WorkKey = tuple[str, str, str]  # kind, namespace, name


def keys_for_change(cache: ObjectCache, kind: Kind, before: Object | None, after: Object | None) -> set[WorkKey]:
    """The keys to reconcile after `before` became `after` (None: absent)."""
    one = after or before
    if one is None:
        return set()
    namespace, name = key_of(one)
    before, after = before or {}, after or {}
    keys: set[WorkKey] = set()
    if kind in (LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER):
        keys.add((kind.kind, namespace, name))
        if _meaning(before) != _meaning(after):
            keys.update(_users(cache, kind, namespace, before, after))
    elif kind is REPLICA_REPORT:
        keys.update(_reported(cache, namespace, before, after))
    elif kind is POD:
        keys.update(_pod(cache, namespace, before, after))
    elif kind is CONFIG_MAP:
        keys.update(_config_map(cache, namespace, name, before, after))
    if kind in CHILDREN:
        for body in (before, after):
            keys.update(owners(namespace, body))
    return keys


def every_key(cache: ObjectCache) -> set[WorkKey]:
    """The keys of a resync: every LinearModel, ModelRoute and ModelServer, and each server that a route names and that
    may have to be created.
    """
    keys: set[WorkKey] = set()
    for kind in (LINEAR_MODEL, MODEL_ROUTE, MODEL_SERVER):
        keys.update((kind.kind, *key_of(body)) for body in cache.all(kind))
    keys.update(_server_of(key_of(route)[0], route) for route in cache.all(MODEL_ROUTE))
    return keys


def _meaning(body: Object) -> tuple[object, ...]:
    """All that others go by in one of our kinds: of a status only a version's digest, and its progress."""
    progress = progress_of(body) if body.get("kind") == LINEAR_MODEL.kind else None
    return spec_of(body), uid_of(body), meta(body).get("deletionTimestamp"), status_of(body).get("digest"), progress


def _users(cache: ObjectCache, kind: Kind, namespace: str, before: Object, after: Object) -> Iterator[WorkKey]:
    """The objects that read a LinearModel, ModelRoute or ModelServer."""
    for body in filter(None, (before, after)):
        if kind is LINEAR_MODEL:
            yield from _routes_of(cache, namespace, str(spec_of(body).get("model")))
        elif kind is MODEL_ROUTE:
            yield _server_of(namespace, body)
    if kind is MODEL_SERVER and _presence(before) != _presence(after):
        yield from _routes(cache, namespace, f"server={name_of(after or before)}")


def _presence(server: Object) -> tuple[str, bool, bool]:
    """The UID of a ModelServer, whether it has pods, and whether they answer by gRPC."""
    return uid_of(server), spec_of(server).get("replicas") != 0, has_grpc(server)


def _routes_of(cache: ObjectCache, namespace: str, model: str) -> Iterator[WorkKey]:
    """The routes of a model, and their servers."""
    for route in cache.find(MODEL_ROUTE, namespace, f"model={model}"):
        yield MODEL_ROUTE.kind, namespace, name_of(route)
        yield _server_of(namespace, route)


def _routes(cache: ObjectCache, namespace: str, term: str) -> Iterator[WorkKey]:
    for route in cache.find(MODEL_ROUTE, namespace, term):
        yield MODEL_ROUTE.kind, namespace, name_of(route)


def _models(cache: ObjectCache, namespace: str, term: str) -> Iterator[WorkKey]:
    for model in cache.find(LINEAR_MODEL, namespace, term):
        yield LINEAR_MODEL.kind, namespace, name_of(model)


def _server_of(namespace: str, route: Object) -> WorkKey:
    return MODEL_SERVER.kind, namespace, server_of(route)


def _waiting(cache: ObjectCache, namespace: str, server: str) -> Iterator[WorkKey]:
    """A server, and the routes and models that wait for an acknowledgement of its replicas."""
    yield MODEL_SERVER.kind, namespace, server
    yield from _routes(cache, namespace, f"waiting={server}")
    yield from _models(cache, namespace, "waiting")


def _reported(cache: ObjectCache, namespace: str, before: Object, after: Object) -> Iterator[WorkKey]:
    reports = [observe(ReplicaReport, body).report for body in (before, after)]
    for server in {report.server_name for report in reports if report}:
        yield from _waiting(cache, namespace, server)
    for rejected in (rejected for report in reports if report for rejected in report.rejected):
        yield MODEL_ROUTE.kind, namespace, rejected.route
    old, new = ((report.lacking or () if report else ()) for report in reports)
    for lacking in (*old, *new) if old != new else ():
        yield MODEL_ROUTE.kind, namespace, lacking.route


def _pod(cache: ObjectCache, namespace: str, before: Object, after: Object) -> Iterator[WorkKey]:
    pod = after or before
    if server := label_of(pod, names.LABEL_SERVER):
        yield from _waiting(cache, namespace, server)
        others = [one for one in cache.find_typed(Pod, namespace, f"server={server}") if one.uid != uid_of(pod)]
        serves = is_serving(cache.typed(Pod, namespace, name_of(pod)))
        if not any(map(is_serving, others)) and serves != _served(before):
            yield from _routes(cache, namespace, f"server={server}")  # the first to serve, or the last
    if job := cache.get(JOB, namespace, label_of(pod, names.LABEL_JOB)):
        yield from owners(namespace, job)


def _served(before: Object) -> bool:
    """The pod got requests: the cache does not have it any more."""
    return bool(before) and is_serving(Pod.of(before))


def owners(namespace: str, body: Object) -> Iterator[WorkKey]:
    """The objects of ours that own a child."""
    for owner in owners_of(body):
        if owner.get("kind") in (LINEAR_MODEL.kind, MODEL_ROUTE.kind, MODEL_SERVER.kind):
            yield str(owner["kind"]), namespace, str(owner.get("name"))


def _config_map(cache: ObjectCache, namespace: str, name: str, before: Object, after: Object) -> Iterator[WorkKey]:
    """For a source of weights or data its models, for an artifact the routes of its version, for a routing ConfigMap
    the routes whose entries changed.
    """
    yield from _models(cache, namespace, f"source={name}")
    if before.get("immutable") or after.get("immutable"):
        for kind, _, owner in {*owners(namespace, before), *owners(namespace, after)}:
            if kind == LINEAR_MODEL.kind and (model := cache.get(LINEAR_MODEL, namespace, owner)):
                yield from _routes_of(cache, namespace, str(spec_of(model).get("model")))
    server = label_of(after, names.LABEL_SERVER) or label_of(before, names.LABEL_SERVER)
    if server and name == names.routing_name(server):
        yield from _routed(cache, namespace, server, before, after)


def _routed(cache: ObjectCache, namespace: str, server: str, before: Object, after: Object) -> Iterator[WorkKey]:
    yield MODEL_SERVER.kind, namespace, server
    yield from _models(cache, namespace, "waiting")
    is_other = (uid_of(before), controller_uid(before)) != (uid_of(after), controller_uid(after))
    if is_other:
        yield from _routes(cache, namespace, f"server={server}")
    old, new = data_of(before), data_of(after)
    changed = {key for key in old.keys() | new.keys() if is_other or old.get(key) != new.get(key)}
    for key in changed - {names.SEQUENCE_KEY}:
        yield MODEL_ROUTE.kind, namespace, key.removeprefix(names.ROUTE_KEY_PREFIX)
        for model in {model_of(text) for text in (old.get(key), new.get(key)) if text}:
            yield from _models(cache, namespace, f"model={model}")
