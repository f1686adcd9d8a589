"""Rows are split into bodies within the limit, and come back whole and in order."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linplane import BodyTooLargeError
from linplane.bodies import Parts
from linplane.exchange import MAX_BODY_BYTES
from unit.client.clients import BOTH, Adding, Blocking, Either

both = pytest.mark.parametrize("client", BOTH)
NUMBERS = st.floats(-1e9, 1e9) | st.integers(-(2**40), 2**40)
ROWS = st.lists(st.dictionaries(st.text(max_size=8), NUMBERS, max_size=5) | st.lists(NUMBERS, max_size=5), max_size=40)
KEYS = st.none() | st.text(max_size=8)


def expected(rows: list[Any]) -> list[float]:
    """The predictions of `Adding`."""
    return [float(sum(row.values() if isinstance(row, dict) else row)) for row in rows]


@given(rows=ROWS, limit=st.integers(0, 600), key=KEYS)
def test_batches_joined_are_the_rows(rows: list[Any], limit: int, key: str | None) -> None:
    server = Adding()
    found = Blocking(server, max_body_bytes=limit).predict_rows(rows, key=key)
    assert found.values == expected(rows)
    assert server.all_rows == rows
    assert [len(batch) for batch in found.batches] == [len(server.rows(n)) for n in range(len(server.bodies))]
    assert all(len(body) <= limit or len(server.rows(n)) == 1 for n, body in enumerate(server.bodies))
    assert {json.loads(body).get("key") for body in server.bodies} <= {key}


@given(parts=st.lists(st.binary(min_size=1, max_size=9), max_size=40), limit=st.integers(-5, 60))
def test_as_many_rows_are_taken_as_fit(parts: list[bytes], limit: int) -> None:
    waiting, left = Parts(iter(parts)), list(parts)
    while taken := waiting.take(limit):
        assert taken == left[: len(taken)]
        assert len(b",".join(taken)) <= limit or len(taken) == 1
        assert len(taken) == len(left) or len(b",".join(left[: len(taken) + 1])) > limit
        waiting.put_back(taken)
        assert waiting.take(limit) == taken
        del left[: len(taken)]
    assert left == []


@settings(max_examples=50)
@given(rows=ROWS.filter(bool), limit=st.integers(0, 600), accepted=st.integers(20, 400))
def test_refused_body_is_halved_until_it_is_accepted(rows: list[Any], limit: int, accepted: int) -> None:
    """The server's limit is not known to the client."""
    server = Adding(limit=accepted)
    client = Blocking(server, max_body_bytes=limit)
    try:
        found = client.predict_rows(rows)
    except BodyTooLargeError:
        assert len(json.loads(server.requests[-1].content)["rows"]) == 1
        assert len(server.requests[-1].content) > accepted
        assert server.all_rows == rows[: len(server.all_rows)]
    else:
        assert found.values == expected(rows)
        assert server.all_rows == rows


@both
def test_batch_after_a_413_stays_small(client: Either) -> None:
    server = Adding(limit=1000)
    found = client(server, max_body_bytes=4000).predict_rows([[1.5]] * 2000)
    assert len(found) == 2000
    sizes = [len(request.content) for request in server.requests]
    assert sizes[:3] == [4000, 1996, 994]
    assert max(sizes[3:]) == 994
    assert len(sizes) == 2 + -(-2000 // len(server.rows(0)))


@both
def test_row_larger_than_the_server_accepts_is_an_error(client: Either) -> None:
    server = Adding(limit=200)
    rows = [{"a": 1.0}, {"b" * 300: 1.0}, {"a": 2.0}]
    batches = client(server, max_body_bytes=100).predict_batches(rows)
    assert next(batches).values == (1.0,)
    with pytest.raises(BodyTooLargeError) as caught:
        next(batches)
    assert caught.value.status == 413
    assert len(server.requests) == 2


@both
def test_rows_are_read_as_far_as_needed(client: Either) -> None:
    read = []

    def rows() -> Iterator[list[int]]:
        for number in range(1000):
            read.append(number)
            yield [number]

    batches = client(Adding(), max_body_bytes=60).predict_batches(rows())
    assert read == []
    first = next(batches)
    assert len(first) < 20
    assert len(read) == len(first) + 1  # the first one that does not fit was read, too


class Odd:
    """No number, which its conversion finds out."""

    def __float__(self) -> float:
        raise ValueError("of no use")


@both
@pytest.mark.parametrize("value", [object(), Odd()], ids=["object", "odd"])
def test_value_that_is_no_number_is_an_error_with_its_row(client: Either, value: object) -> None:
    """What is before it has its predictions."""
    batches = client(Adding(), max_body_bytes=1).predict_batches([[1]] * 5 + [[value]])
    assert [next(batches).values for _ in range(4)] == [(1.0,)] * 4
    with pytest.raises((TypeError, ValueError), match="row 5: "):
        list(batches)


class Described(Adding):
    """A server whose route has a page, which is `page` or raises it."""

    def __init__(self, page: httpx.Response | Exception) -> None:
        super().__init__()
        self.page = page
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """The response to one request."""
        if request.method != "GET":
            return super().__call__(request)
        self.asked.append(request.url.path)
        if isinstance(self.page, Exception):
            raise self.page
        return httpx.Response(self.page.status_code, content=self.page.content)

    @property
    def largest(self) -> int:
        """The length of the longest body."""
        return max(map(len, self.bodies))


MANY = [[number + 0.5, *[0.5] * 100] for number in range(3_000)]  # 1.2 MB


@both
def test_limit_of_a_body_is_that_of_the_route_and_asked_for_once(client: Either) -> None:
    server = Described(httpx.Response(200, json={"route": "homes", "maxBodyBytes": 200_000}))
    one = client(server)
    assert one.predict_rows(MANY[:5]).values == expected(MANY[:5])
    assert server.asked == []
    for _ in range(2):
        assert one.predict_rows(MANY).values == expected(MANY)
    assert server.asked == ["/routes/homes"]
    assert 199_000 < server.largest <= 200_000


PAGES: dict[str, httpx.Response | Exception] = {
    "absent": httpx.Response(404, json={"maxBodyBytes": 9}),
    "no JSON": httpx.Response(200, text="maxBodyBytes"),
    "no limit": httpx.Response(200, json={}),
    "no number": httpx.Response(200, json={"maxBodyBytes": True}),
    "not above 0": httpx.Response(200, json={"maxBodyBytes": 0}),
    "no response": httpx.ReadError("gone"),
}


@pytest.mark.parametrize("page", PAGES)
@both
def test_limit_of_a_body_is_the_default_if_the_route_says_none(client: Either, page: str) -> None:
    server = Described(PAGES[page])
    assert client(server).predict_rows(MANY).values == expected(MANY)
    assert server.asked == ["/routes/homes"]
    assert MAX_BODY_BYTES - 1000 < server.largest <= MAX_BODY_BYTES


@both
def test_limit_of_a_body_is_not_asked_for_if_it_is_given_or_the_route_is_that_of_the_host(client: Either) -> None:
    server = Described(httpx.Response(200, json={"maxBodyBytes": 9}))
    assert client(server, max_body_bytes=300_000).predict_rows(MANY).values == expected(MANY)
    assert 299_000 < server.largest <= 300_000
    assert client(server, route=None).predict_rows(MANY).values == expected(MANY)
    assert server.largest > MAX_BODY_BYTES - 1000
    assert server.asked == []
