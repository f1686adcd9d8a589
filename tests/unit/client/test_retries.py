"""When a request is sent again, and after which pause."""

from email.utils import formatdate

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane import (
    InvalidInputError,
    LinplaneError,
    NoResponseError,
    RateLimitedError,
    ServerFailedError,
    UnavailableError,
    UnexpectedResponseError,
)
from linplane.retrying import Retrying
from unit.client.clients import BOTH, Either, Script, answer, refusal

both = pytest.mark.parametrize("client", BOTH)
NOW = 1_800_000_000.0
LIMITED = refusal(429, "rate-limited", "2")


def html(status: int, **headers: str) -> httpx.Response:
    """A proxy's page."""
    return httpx.Response(
        status, html="<html>", headers={key.replace("_", "-"): value for key, value in headers.items()}
    )


@both
@pytest.mark.parametrize(
    ("refused", "pause"),
    [
        (LIMITED, 2.0),
        (refusal(429, "rate-limited", "0"), 0.0),
        (refusal(503, "busy", "1"), 1.0),
        (refusal(503, "busy", formatdate(NOW + 7, usegmt=True)), 7.0),
        (refusal(503, "busy", formatdate(NOW - 7, usegmt=True)), 0.0),
        (html(503, retry_after="3"), 3.0),
        (html(503), 0.1),
        (html(503, retry_after="soon"), 0.1),
        (html(429), 0.1),
        (httpx.ConnectError("refused"), 0.1),
        (httpx.ReadError("reset"), 0.1),
        (httpx.ReadTimeout("late"), 0.1),
        (httpx.RemoteProtocolError("server disconnected without sending a response"), 0.1),
    ],
)
def test_request_is_repeated_after_the_pause(client: Either, refused: httpx.Response | Exception, pause: float) -> None:
    script = Script(refused, answer([5.0]))
    one = client(script, clock=lambda: NOW)
    assert one.predict([5]).value == 5
    assert one.waits == [pause]
    assert script.requests == 2


@both
@pytest.mark.parametrize(
    ("refused", "error"),
    [
        (refusal(503, "unavailable", reason="CurrentFrozen"), UnavailableError),
        (refusal(429, "rate-limited", "31"), RateLimitedError),
        (html(503, retry_after="86400"), UnexpectedResponseError),
        (refusal(500, "internal", "1"), ServerFailedError),
        (refusal(422, "invalid", "1"), InvalidInputError),
        (html(502), UnexpectedResponseError),
        (httpx.UnsupportedProtocol("ftp"), NoResponseError),
        (httpx.LocalProtocolError("a header is wrong"), NoResponseError),
    ],
)
def test_request_is_not_repeated_if_that_does_not_help(
    client: Either, refused: httpx.Response | Exception, error: type[LinplaneError]
) -> None:
    script = Script(refused, answer([5.0]))
    one = client(script)
    with pytest.raises(error):
        one.predict([5])
    assert one.waits == []
    assert script.requests == 1


@both
@pytest.mark.parametrize("retries", [0, 1, 4])
def test_retries_are_bounded(client: Either, retries: int) -> None:
    script = Script(LIMITED)
    one = client(script, retries=retries)
    with pytest.raises(RateLimitedError) as caught:
        one.predict([5])
    assert caught.value.retry_after == 2
    assert one.waits == [2.0] * retries
    assert script.requests == retries + 1


@both
def test_pauses_double_up_to_the_longest(client: Either) -> None:
    one = client(Script(httpx.ConnectError("refused")), retries=6, max_wait=1.0)
    with pytest.raises(NoResponseError, match="ConnectError: refused") as caught:
        one.predict([5])
    assert one.waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.0, 1.0])
    assert isinstance(caught.value.__cause__, httpx.ConnectError)


@both
def test_jitter_scales_a_backoff_and_adds_to_what_the_server_asks_for(client: Either) -> None:
    one = client(Script(httpx.ConnectError("refused"), LIMITED, answer([5.0])), jitter=lambda: 0.25)
    assert one.predict([5]).value == 5
    assert one.waits == pytest.approx([0.025, 2.05])


@both
def test_retries_are_counted_for_each_request(client: Either) -> None:
    script = Script(LIMITED, LIMITED, answer([1.0]), LIMITED, LIMITED, answer([2.0]))
    one = client(script, max_body_bytes=1, retries=2)
    assert one.predict_rows([[1], [2]]).values == [1, 2]
    assert len(one.waits) == 4


@given(
    attempt=st.integers(0, 40),
    retries=st.integers(0, 40),
    max_wait=st.floats(0, 1e6),
    jitter=st.none() | st.floats(0, 1, exclude_max=True),
    after=st.none() | st.integers(0, 10**9) | st.text(st.characters(codec="ascii", exclude_categories=["Cc"])),
    status=st.sampled_from([429, 503]),
)
def test_pause_is_within_its_bounds(
    attempt: int, retries: int, max_wait: float, jitter: float | None, after: int | str | None, status: int
) -> None:
    retrying = Retrying(retries, max_wait, lambda: NOW, None if jitter is None else lambda: jitter)
    response = html(status, **({} if after is None else {"retry_after": str(after)}))
    pause = retrying.pause(attempt, response)
    if pause is None:
        assert attempt >= retries or after is not None
    else:
        assert attempt < retries
        assert 0 <= pause <= max_wait
        assert not isinstance(after, int) or pause >= after
