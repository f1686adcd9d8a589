"""A container's user has a number and no name."""

import asyncio
from datetime import UTC, datetime
from typing import NoReturn

import pytest
from kubernetes.aio.client import ApiClient, Configuration

from linplane_operator.kube.operator import Operator
from linplane_operator.kube.options import Options


def _nameless() -> NoReturn:
    raise OSError("No username set in the environment")


async def test_operator_runs_as_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", _nameless)
    stop = asyncio.Event()
    stop.set()
    async with ApiClient(Configuration(host="http://127.0.0.1:1")) as api:
        await Operator(api, Options(), lambda: datetime.now(UTC)).run(stop)
