"""The debug line of each write."""

import logging
from pathlib import Path

import pytest

from linplane_api.kinds import CONFIG_MAP, MODEL_SERVER, SERVICE
from linplane_operator.compile.objects import Object
from linplane_operator.local.client import LocalClient
from linplane_operator.runtime.write_log import changed_fields
from unit.local.builders import body, make_store
from unit.operator.apply_server import OWNER, Setup, made


@pytest.mark.parametrize(
    ("before", "after", "fields"),
    [
        ({}, {}, []),
        ({}, {"kind": "A", "metadata": {"name": "a", "uid": "u"}, "data": {"k": "1"}}, ["data.k", "metadata.name"]),
        ({"spec": {"a": 1, "b": {"c": 1}}}, {"spec": {"a": 1, "b": {"c": 2}}}, ["spec.b"]),
        ({"data": {"a": "1", "b": "2"}}, {"data": {"b": "2"}}, ["data.a"]),
        ({"data": {"a": "1"}}, {"data": None}, ["data.a"]),
        ({"immutable": None}, {"immutable": True}, ["immutable"]),
        ({"spec": {"a": 1}}, {"spec": [1]}, ["spec"]),
        ({"metadata": {"resourceVersion": "1", "generation": 1}}, {"metadata": {"resourceVersion": "2"}}, []),
        ({"status": {"a": 1}}, {"status": {"a": 1, "b": 1}, "metadata": {"name": "a"}}, ["metadata.name", "status.b"]),
    ],
)  # fmt: skip
def test_changed_fields_are_named_two_levels_deep(before: Object, after: Object, fields: list[str]) -> None:
    assert changed_fields(before, after) == fields


async def test_kube_client_logs_each_write_with_its_fields(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "linplane_operator")
    setup = Setup()
    await setup.apply(made(SERVICE, spec={"a": 1}))
    await setup.apply(made(SERVICE, spec={"a": 1}))
    await setup.apply(made(SERVICE, spec={"a": 2}))
    setup.api.put(OWNER)
    await setup.cluster.write_status(MODEL_SERVER, setup.api.objects[list(setup.api.objects)[-1]], {"routes": 1})
    created, applied, status = caplog.messages
    assert created.startswith("create Service n/linplane-x: metadata.annotations, ")
    assert created.endswith(", spec.a")
    assert applied == "apply Service n/linplane-x: metadata.annotations, spec.a"
    assert status.startswith("apply ModelServer n/default: ")
    assert status.endswith("status.routes")


async def test_local_client_logs_each_write_and_no_write_that_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "linplane_operator")
    client = LocalClient(make_store(tmp_path / "state"), "http://localhost", lambda _: None)
    rows = body(CONFIG_MAP, "rows", data={"a": "1"}, metadata={"namespace": "default"})
    await client.apply(rows)
    await client.apply({**rows, "data": {"a": "2"}})
    await client.apply({**rows, "data": {"a": "2"}})
    seen = await client.read(CONFIG_MAP, "default", "rows")
    assert seen
    await client.delete(CONFIG_MAP, seen)
    assert caplog.messages == [
        "create ConfigMap default/rows: data.a, metadata.name, metadata.namespace",
        "apply ConfigMap default/rows: data.a",
        "delete ConfigMap default/rows",
    ]
