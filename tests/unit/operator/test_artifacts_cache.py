"""Artifacts are parsed once."""

from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import RawTestServer
from kubernetes.aio.client import ApiClient, Configuration

from linplane_api.api_access import UnavailableError
from linplane_api.kinds import SERVICE
from linplane_operator.compile import artifacts
from linplane_operator.kube.event_recorder import BURST, EVERY_SECONDS, WAITING, EventRecorder
from linplane_operator.kube.http import HttpClient
from unit.operator.builders import text


def test_artifacts_are_parsed_once_each() -> None:
    artifacts._parse.cache_clear()
    texts = [text(slope=float(number)) for number in range(3000)]
    for _ in range(2):
        for one in texts:
            artifacts._parse(one)
    assert artifacts._parse.cache_info().misses == len(texts)
