"""Access to admin calls."""

import pytest

from linplane_server.admin.access import FAILURES, Access
from linplane_server.errors import Refusal
from linplane_server.problems import STATUSES
from linplane_server.state.limiter import SECOND
from unit.server.builders import Clock


def status_of(refusal: Refusal) -> int:
    return STATUSES[type(refusal)][0]


LOCAL = [(b"host", b"localhost:8081")]

MATRIX = [
    # peer, fields, status (None: taken)
    ("127.0.0.1", LOCAL, None),
    ("127.8.8.8", [(b"host", b"127.0.0.1")], None),
    ("::1", [(b"host", b"[::1]:8081")], None),
    ("::ffff:127.0.0.1", [(b"host", b"LOCALHOST")], None),
    ("192.0.2.7", LOCAL, 403),
    ("10.0.0.1", [(b"host", b"localhost"), (b"x-forwarded-for", b"127.0.0.1")], 403),
    ("", LOCAL, 403),
    ("127.0.0.1", [*LOCAL, (b"origin", b"http://evil.example")], 403),
    ("127.0.0.1", [*LOCAL, (b"origin", b"http://localhost:8081")], 403),
    ("127.0.0.1", [*LOCAL, (b"origin", b"null")], 403),
    ("127.0.0.1", [(b"host", b"evil.example:8081")], 403),
    ("127.0.0.1", [(b"host", b"localhost.evil.example")], 403),
    ("127.0.0.1", [(b"host", b"localhost:8081@evil")], 403),
    ("127.0.0.1", [(b"host", b"127.0.0.1.nip.io")], 403),
    ("127.0.0.1", [], 403),
    ("127.0.0.1", [*LOCAL, (b"host", b"evil")], 403),
]


@pytest.mark.parametrize(("peer", "fields", "status"), MATRIX)
def test_access_without_a_token_is_for_localhost_and_no_web_page(
    peer: str, fields: list[tuple[bytes, bytes]], status: int | None
) -> None:
    denied = Access(None, Clock()).check(peer, fields)
    assert (denied and status_of(denied)) == status


TOKENS = [
    ([(b"authorization", b"Bearer right")], None),
    ([(b"authorization", b"bearer right")], None),
    ([(b"authorization", b"Bearer right"), (b"origin", b"http://x"), (b"host", b"x")], None),
    ([], 401),
    ([(b"authorization", b"Bearer wrong")], 401),
    ([(b"authorization", b"Bearer")], 401),
    ([(b"authorization", b"Bearer ")], 401),
    ([(b"authorization", b"right")], 401),
    ([(b"authorization", b"Basic right")], 401),
    ([(b"authorization", b"Bearer right"), (b"authorization", b"Bearer right")], 401),
    ([(b"authorization", b"Bearer r\xefght")], 401),
]


@pytest.mark.parametrize("peer", ["127.0.0.1", "192.0.2.7"])
@pytest.mark.parametrize(("fields", "status"), TOKENS)
def test_token_if_configured_is_required_and_works_from_anywhere(
    peer: str, fields: list[tuple[bytes, bytes]], status: int | None
) -> None:
    denied = Access(b"right", Clock()).check(peer, [*LOCAL, *fields])
    assert (denied and status_of(denied)) == status


def test_tokens_that_are_wrong_are_limited_by_address_and_the_right_one_never_is() -> None:
    clock = Clock()
    access = Access(b"right", clock)
    wrong, right = [(b"authorization", b"Bearer wrong")], [(b"authorization", b"Bearer right")]
    answers = [access.check("192.0.2.7", wrong) for _ in range(FAILURES + 1)]
    assert [denied and status_of(denied) for denied in answers] == [401] * FAILURES + [429]
    assert answers[-1] is not None
    assert answers[-1].retry_after == 1
    assert access.check("192.0.2.7", right) is None
    other = access.check("192.0.2.8", wrong)
    assert other is not None
    assert status_of(other) == 401
    clock.now += SECOND
    later = access.check("192.0.2.7", wrong)
    assert later is not None
    assert status_of(later) == 401
