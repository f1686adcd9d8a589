"""The rights of trainers, namespace by namespace."""

import asyncio

import pytest

from linplane_api.kinds import LINEAR_MODEL, SERVICE_ACCOUNT
from linplane_operator.cluster_client import ConflictError, NamespaceTerminatingError, NameTakenError, RefusedError
from linplane_operator.compile.settings import Settings
from linplane_operator.observe.cache import ObjectCache
from linplane_operator.reconcile.reconciler import Reconciler
from unit.operator.builders import NOW, linear_model, with_meta


class OneRefuses:
    """A cluster in which everything in the namespace `b` fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.given: list[str] = []

    async def apply(self, body):
        namespace = body["metadata"]["namespace"]
        if namespace == "b":
            raise self.error
        self.given.append(namespace)
        return body


@pytest.mark.parametrize(
    "error",
    [
        NameTakenError("", "Role linplane-trainer"),
        RefusedError("quota"),
        ConflictError("changed"),
        OSError("503"),
        Exception("404"),
        NamespaceTerminatingError("going"),
    ],
)
def test_failure_in_one_namespace_keeps_no_other_from_its_rights(error, caplog):
    """The log names the namespace, unless it is being deleted."""
    cache, cluster = ObjectCache(), OneRefuses(error)
    for namespace in "abc":
        cache.put(LINEAR_MODEL, with_meta(linear_model(), namespace=namespace, uid=namespace))
        account = {"metadata": {"name": "linplane-trainer", "namespace": namespace}}
        cache.put(SERVICE_ACCOUNT, account)
    reconciler = Reconciler(cache, cluster, Settings(), now=lambda: NOW, enqueue=lambda _: None)
    asyncio.run(reconciler.repair())
    assert sorted(set(cluster.given)) == ["a", "c"]
    status_and_reason = [f"in b: {type(error).__name__}: {error}" in record.getMessage() for record in caplog.records]
    assert status_and_reason == ([] if isinstance(error, NamespaceTerminatingError) else [True])
