"""Applying by server-side apply: over an API server of a few lines that knows names, controllers and versions."""

from typing import Any

import pytest

from linplane_api.api_access import APPLY_PATCH, ApiError, object_path
from linplane_api.kinds import CONFIG_MAP, MODEL_SERVER, ROLE, SERVICE, Kind
from linplane_operator.cluster_client import ConflictError, NamespaceTerminatingError, NameTakenError, RefusedError
from linplane_operator.compile.objects import Object, meta
from linplane_operator.kube.cluster import LEFT_SECONDS, KubeClient
from linplane_operator.kube.informer import Informer
from unit.operator.apply_server import OWNER, Setup, made


@pytest.fixture
def setup() -> Setup:
    return Setup()


async def test_apply_of_an_unchanged_child_makes_no_call(setup: Setup) -> None:
    assert await setup.apply(made(SERVICE, spec={"a": 1})) == ["PATCH"]
    assert await setup.apply(made(SERVICE, spec={"a": 1})) == []
    assert await setup.apply(made(SERVICE, spec={"a": 2})) == ["PATCH"]


PORTS: Object = {"ports": [{"name": "http", "port": 80}], "selector": {"app": "a"}}
ADDED = [
    {**PORTS, "ports": [*PORTS["ports"], {"name": "odd", "port": 99}]},
    {**PORTS, "selector": {"app": "a", "odd": "x"}},
]


def _edit(setup: Setup, spec: Object) -> None:
    """An edit by another client, and its event."""
    (found,) = setup.api.objects.values()
    setup.api.put({**found, "spec": spec})
    (found,) = setup.api.objects.values()
    setup.informer.seen(SERVICE, found)


@pytest.mark.parametrize("spec", ADDED)
async def test_apply_removes_additions_of_others_once(setup: Setup, spec: Object) -> None:
    """Server-side apply alone leaves it."""
    service = made(SERVICE, spec=PORTS)
    await setup.apply(service)
    _edit(setup, spec)
    assert await setup.apply(service) == ["PATCH", "PATCH"]
    (found,) = setup.api.objects.values()
    assert found["spec"] == PORTS
    assert await setup.apply(service) == []


async def test_apply_leaves_fields_of_a_webhook_for_a_while(setup: Setup) -> None:
    """Any other field that differs is still repaired."""
    service = made(SERVICE, spec={**PORTS, "type": "ClusterIP"})
    setup.api.always = {"type": "LoadBalancer"}
    await setup.apply(service)
    assert await setup.apply(service) == ["PATCH", "PATCH"]
    assert await setup.apply(service) == []
    _edit(setup, ADDED[0])
    assert await setup.apply(service) == ["PATCH", "PATCH"]
    (found,) = setup.api.objects.values()
    assert found["spec"] == {**PORTS, "type": "LoadBalancer"}
    assert await setup.apply(service) == []
    setup.time += LEFT_SECONDS
    assert await setup.apply(service) == ["PATCH", "PATCH"]


async def test_status_additions_of_others_are_removed(setup: Setup) -> None:
    setup.api.put({**OWNER, "status": {"routes": 1, "odd": "x", "conditions": [{"name": "Odd"}]}})
    (seen,) = setup.api.objects.values()
    status = {"routes": 2, "conditions": [{"name": "Ready"}]}
    await setup.cluster.write_status(MODEL_SERVER, seen, status)
    (found,) = setup.api.objects.values()
    assert found["status"] == status
    assert setup.api.calls == ["PATCH", "PATCH"]
    await setup.cluster.write_status(MODEL_SERVER, seen, {**status, "routes": 3})
    assert setup.api.calls == ["PATCH"] * 3


async def test_apply_repairs_a_child_that_additions_make_invalid(setup: Setup) -> None:
    """Two ports of one name."""
    service = made(SERVICE, spec=PORTS)
    await setup.apply(service)
    _edit(setup, {**PORTS, "ports": [{"name": "http", "port": 1}]})
    setup.api.refuses, setup.api.refused = 422, (APPLY_PATCH,)
    assert await setup.apply(service) == ["PATCH", "PATCH"]
    (found,) = setup.api.objects.values()
    assert found["spec"] == PORTS
    assert await setup.apply(service) == []


@pytest.mark.parametrize("status", [403, 422])
async def test_refused_write_has_the_message_of_the_api_server(setup: Setup, status: int) -> None:
    setup.api.refuses = status
    with pytest.raises(RefusedError, match=r"^requests above limits$"):
        await setup.apply(made(SERVICE, spec={"a": 1}))


async def test_terminating_namespace_has_its_own_error(setup: Setup) -> None:
    """It is no rule or right that might change: nothing can be made there any more."""
    setup.api.refuses, setup.api.causes = 403, ("NamespaceTerminating",)
    with pytest.raises(NamespaceTerminatingError):
        await setup.apply(made(SERVICE, spec={"a": 1}))


async def test_unwatched_kind_is_read_first_and_again_after_forget(setup: Setup) -> None:
    role = made(ROLE, rules=[{"verbs": ["get"]}])
    assert await setup.apply(role) == ["GET", "PATCH"]
    assert await setup.apply(role) == []
    setup.cluster.forget_unwatched()
    assert await setup.apply(role) == ["GET"]
    setup.cluster.forget_unwatched()
    setup.api.objects.clear()
    assert await setup.apply(role) == ["GET", "PATCH"]


async def test_unwatched_role_that_was_deleted_is_recreated_at_once(setup: Setup) -> None:
    """The garbage collector deletes it with its last owner, and a new version of the same name needs it."""
    role = made(ROLE, rules=[{"verbs": ["get"]}])
    await setup.apply(role)
    setup.api.objects.clear()
    setup.api.put(OWNER)
    role = made(ROLE, rules=[{"verbs": ["patch"]}])
    assert await setup.apply(role) == ["PATCH", "GET", "GET", "PATCH"]  # the role, its owner
    assert setup.api.objects[object_path(ROLE, "n", "linplane-x")]["rules"] == role["rules"]


async def test_unwatched_role_that_was_replaced_is_read_after_the_conflict(setup: Setup) -> None:
    await setup.apply(made(ROLE, rules=[{"verbs": ["get"]}]))
    (found,) = setup.api.objects.values()
    setup.api.put({**found, "metadata": {**meta(found), "uid": "u-other"}})
    role = made(ROLE, rules=[{"verbs": ["patch"]}])
    with pytest.raises(ConflictError):
        await setup.apply(role)
    assert await setup.apply(role) == ["PATCH"]


async def test_apply_reads_an_object_that_the_cache_lacks(setup: Setup) -> None:
    """Ours, of which no event has come yet: nothing is written that is there."""
    other = Setup()
    other.api = setup.api
    await setup.apply(made(SERVICE, spec={"a": 1}))
    late = KubeClient(setup.api, other.cache, lambda *_: None, Informer(other.cache, lambda _: None))
    setup.api.calls.clear()
    await late.apply(made(SERVICE, spec={"a": 1}))
    assert setup.api.calls == ["PATCH", "GET"], "refused, for it exists; then it is as it should be"


async def test_foreign_object_is_kept_until_its_name_is_free(setup: Setup) -> None:
    theirs = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "linplane-x", "namespace": "n"}, "spec": {}}
    setup.api.put(theirs)
    before = dict(setup.api.objects)
    for _ in range(2):
        with pytest.raises(NameTakenError):
            await setup.apply(made(SERVICE, spec={"a": 1}))
    assert setup.api.objects == before
    setup.api.objects.clear()
    assert await setup.apply(made(SERVICE, spec={"a": 1})) == ["GET", "PATCH"]


@pytest.mark.parametrize("managed", [True, False])
async def test_child_without_a_controller_is_ours_by_its_label(setup: Setup, managed: bool) -> None:
    shared = made(ROLE, rules=[{"verbs": ["get"]}])
    shared["metadata"]["ownerReferences"] = []
    found = {**shared, "rules": [], "metadata": {**shared["metadata"], "labels": {}}}
    if managed:
        found["metadata"]["labels"] = shared["metadata"]["labels"]
    setup.api.put(found)
    if managed:
        assert await setup.apply(shared) == ["GET", "PATCH"]
    else:
        with pytest.raises(NameTakenError):
            await setup.apply(shared)


@pytest.mark.parametrize("left", ["nothing", "another", "itself"])
async def test_deleted_child_is_recreated_only_if_its_owner_exists(setup: Setup, left: str) -> None:
    """The news of the owner's end may come later than that of the child's."""
    await setup.apply(made(SERVICE, spec={"a": 1}))
    (service,) = setup.api.objects.values()
    setup.api.objects.clear()
    if left != "nothing":
        owner = OWNER if left == "itself" else {**OWNER, "metadata": {**OWNER["metadata"], "uid": "u-other"}}
        setup.api.put(owner)
    setup.informer.deleted(SERVICE, service)
    if left == "itself":
        assert await setup.apply(made(SERVICE, spec={"a": 1})) == ["GET", "PATCH"]
    else:
        with pytest.raises(ConflictError):
            await setup.apply(made(SERVICE, spec={"a": 1}))
    setup.informer.forget_old([SERVICE])
    setup.api.objects.clear()
    setup.cache.drop(SERVICE, "n", "linplane-x")
    assert await setup.apply(made(SERVICE, spec={"a": 1})) == ["PATCH"], "no more than it takes"


@pytest.mark.parametrize("verb", ["status", "delete"])
async def test_status_conflict_counts_only_for_the_same_uid(setup: Setup, verb: str) -> None:
    """The API server gives up if many clients write at once."""
    setup.api.put(OWNER)
    (seen,) = setup.api.objects.values()
    call = setup.api.call

    async def contended(method: str, path: str, **given: Any) -> Object:
        if method == "GET":
            return await call(method, path, **given)
        raise ApiError(409, "Conflict", "the object has been modified")

    setup.api.call = contended  # type: ignore[method-assign]

    async def act() -> None:
        if verb == "status":
            await setup.cluster.write_status(MODEL_SERVER, seen, {"replicas": 1})
        else:
            await setup.cluster.delete(MODEL_SERVER, seen)

    with pytest.raises(ConflictError):
        await act()
    setup.api.objects.clear()
    await act()
    setup.api.put({**OWNER, "metadata": {**OWNER["metadata"], "uid": "u-other"}})
    await act()


async def test_delete_can_require_the_resource_version(setup: Setup) -> None:
    """UID and resourceVersion are its preconditions."""
    setup.api.put(OWNER)
    (seen,) = setup.api.objects.values()
    asked: list[Any] = []

    async def call(method: str, path: str, **given: Any) -> Object:
        asked.append((method, given["body"]["preconditions"]))
        return {}

    setup.api.call = call  # type: ignore[method-assign]
    await setup.cluster.delete(MODEL_SERVER, seen, unchanged=True)
    await setup.cluster.delete(MODEL_SERVER, seen)
    uid, version = meta(seen)["uid"], meta(seen)["resourceVersion"]
    assert asked == [("DELETE", {"uid": uid, "resourceVersion": version}), ("DELETE", {"uid": uid})]


async def test_live_read_keeps_an_object_that_was_recreated_during_it(setup: Setup) -> None:
    """The API server answers 404, and the watch delivers a new object before the answer is read."""
    await setup.apply(made(SERVICE, spec={"a": 1}))
    (old,) = setup.api.objects.values()
    new = {**old, "metadata": {**meta(old), "uid": "u-new", "resourceVersion": "90"}}

    async def get(*_: Any) -> None:
        setup.informer.deleted(SERVICE, old)
        setup.informer.seen(SERVICE, new)

    setup.api.get = get  # type: ignore[assignment,method-assign]
    await setup.cluster.read(SERVICE, "n", "linplane-x")
    found = setup.cache.get(SERVICE, "n", "linplane-x")
    assert found
    assert found["metadata"]["uid"] == "u-new"
    newer = {**new, "metadata": {**meta(new), "resourceVersion": "91"}}
    setup.informer.seen(SERVICE, newer)
    assert setup.cache.get(SERVICE, "n", "linplane-x") == newer


@pytest.mark.parametrize("kind", [SERVICE, ROLE])
async def test_orphan_is_adopted(setup: Setup, kind: Kind) -> None:
    """An apply over the observed state adopts the object."""
    setup.api.put(OWNER)
    body = made(kind, spec={"a": 1})
    setup.api.put({**body, "spec": {"a": 9}, "metadata": {**meta(body), "ownerReferences": []}})
    await setup.cluster.check(body)
    await setup.apply(body)
    found = setup.api.objects[object_path(kind, "n", "linplane-x")]
    assert (found["spec"], meta(found)["ownerReferences"]) == ({"a": 1}, meta(body)["ownerReferences"])
    setup.cluster.forget_unwatched()
    assert "PATCH" not in await setup.apply(body)


@pytest.mark.parametrize("why", ["owner", "labels", "kind", "no owner", "another owner", "owner goes"])
async def test_orphan_without_proof_is_not_adopted(setup: Setup, why: str) -> None:
    kind = CONFIG_MAP if why == "kind" else SERVICE
    body = made(kind, spec={"a": 1})
    metadata = {**meta(body), "ownerReferences": []}
    if why == "owner":
        metadata["ownerReferences"] = [{"apiVersion": "v1", "kind": "Secret", "name": "theirs", "uid": "u"}]
    if why == "labels":
        metadata["labels"] = {**meta(body)["labels"], "app.kubernetes.io/instance": "blue"}
    setup.api.put({**body, "metadata": metadata})
    if why != "no owner":
        fields = {"another owner": {"uid": "u-other"}, "owner goes": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}
        setup.api.put({**OWNER, "metadata": {**OWNER["metadata"], **fields.get(why, {})}})
    before = dict(setup.api.objects)
    for act in (setup.cluster.check, setup.cluster.apply):
        with pytest.raises(NameTakenError, match=f"{kind.kind} linplane-x exists and does not belong to ModelServer"):
            await act(body)
    assert setup.api.objects == before


async def test_replace_may_set_the_owner(setup: Setup) -> None:
    """In the same write as the data."""
    body = made(CONFIG_MAP, data={"a": "1"})
    setup.api.put({**body, "metadata": {**meta(body), "ownerReferences": []}})
    (seen,) = setup.api.objects.values()
    await setup.cluster.replace({**body, "data": {"b": "2"}}, seen)
    (found,) = setup.api.objects.values()
    assert (found["data"], meta(found)["ownerReferences"]) == ({"b": "2"}, meta(body)["ownerReferences"])
