"""Malformed requests get their code, never a 500, and the server keeps serving."""

import json

import pytest

from integration.server.running import PREDICT, Running

JSON = {"Content_Type": "application/json"}

TABLE: list[tuple[str, bytes, dict[str, str], int]] = [
    ("NaN", b'{"features":{"area":NaN,"rooms":1}}', JSON, 422),
    ("Infinity", b'{"features":{"area":Infinity,"rooms":1}}', JSON, 422),
    ("-Infinity", b'{"features":[-Infinity,1]}', JSON, 422),
    ("1e400", b'{"features":{"area":1e400,"rooms":1}}', JSON, 422),
    ("a sum that overflows", b'{"features":[1e308,1e308]}', JSON, 422),
    ("a product that overflows", b'{"features":[1.7e308,-1.7e308]}', JSON, 422),
    ("an integer of 10,000 digits", b'{"features":[' + b"9" * 10_000 + b",1]}", JSON, 422),
    ("a boolean", b'{"features":{"area":true,"rooms":1}}', JSON, 422),
    ("a number as text", b'{"features":{"area":"1","rooms":1}}', JSON, 422),
    ("null", b'{"features":{"area":null,"rooms":1}}', JSON, 422),
    ("arrays 30,000 deep", b"[" * 30_000 + b"]" * 30_000, JSON, 400),
    ("objects 10,000 deep", b'{"a":' * 10_000 + b"1" + b"}" * 10_000, JSON, 400),
    ("a feature 30,000 deep", b'{"features":{"area":' + b"[" * 30_000, JSON, 400),
    ("100,000 deep, over the limit", b"[" * 100_000, JSON, 413),
    ("bad UTF-8", b'{"features":{"area":1,"rooms":1},"key":"\xff\xfe"}', JSON, 400),
    ("an overlong UTF-8 sequence", b'{"features":{"area":1,"rooms":1},"key":"\xc0\xaf"}', JSON, 400),
    ("a byte order mark", b"\xef\xbb\xbf" + PREDICT, JSON, 400),
    ("UTF-16", PREDICT.decode().encode("utf-16"), JSON, 400),
    ("UTF-32", PREDICT.decode().encode("utf-32"), JSON, 400),
    ("a feature twice", b'{"features":{"area":1,"area":2,"rooms":1}}', JSON, 400),
    ("a field twice", b'{"features":[1,2],"features":[1,2]}', JSON, 400),
    ("trailing bytes", PREDICT + b"x", JSON, 400),
    ("two documents", PREDICT + PREDICT, JSON, 400),
    ("empty", b"", JSON, 400),
    ("white space", b" \n", JSON, 400),
    ("a NUL", b'{"features":[1,2]}\x00', JSON, 400),
    ("another content type", PREDICT, {"Content_Type": "text/plain"}, 415),
    ("as curl -d says it", PREDICT, {"Content_Type": "application/x-www-form-urlencoded"}, 200),
    ("a form", b"area=1&rooms=2", {"Content_Type": "application/x-www-form-urlencoded"}, 400),
    ("compressed", PREDICT, {**JSON, "Content_Encoding": "gzip"}, 415),
    ("no content type", PREDICT, {}, 200),
    ("a missing feature", b'{"features":{"area":1}}', JSON, 422),
    ("an unknown feature", b'{"features":{"area":1,"rooms":1,"x":1}}', JSON, 422),
    ("an unknown field", b'{"features":[1,2],"x":1}', JSON, 422),
    ("both", b'{"features":[1,2],"rows":[[1,2]]}', JSON, 422),
    ("neither", b"{}", JSON, 422),
    ("no row", b'{"rows":[]}', JSON, 422),
    ("a key that is a number", b'{"features":[1,2],"key":1}', JSON, 422),
    ("a lone surrogate", b'{"features":[1,2],"key":"\\ud800"}', JSON, 400),
]


@pytest.mark.parametrize(("data", "headers", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_malformed_request_gets_its_code(server: Running, data: bytes, headers: dict[str, str], expected: int) -> None:
    status, fields, body = server.predict(data, **headers)
    assert status == expected
    if status != 200:
        assert fields["content-type"] == "application/problem+json"
        assert json.loads(body)["status"] == expected
    assert server.predict()[0] == 200


def test_malformed_request_is_not_logged(server: Running) -> None:
    assert {line["message"] for line in server.logged()} <= {"started", "routing applied"}
