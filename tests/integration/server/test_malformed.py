"""Malformed requests get their code, never a 500, and the server keeps serving."""

import json

import pytest

from integration.server.running import Running
from unit.server.corpus import BODIES


@pytest.mark.parametrize(("data", "headers", "expected"), [row[1:] for row in BODIES], ids=[row[0] for row in BODIES])
def test_malformed_request_gets_its_code(server: Running, data: bytes, headers: dict[str, str], expected: int) -> None:
    status, fields, body = server.predict(data, **headers)
    assert status == expected
    if status != 200:
        assert fields["content-type"] == "application/problem+json"
        assert json.loads(body)["status"] == expected
    assert server.predict()[0] == 200


def test_malformed_request_is_not_logged(server: Running) -> None:
    assert {line["message"] for line in server.logged()} <= {"started", "routing applied"}
