"""Both clients against the code that answers in a server, without a network."""

import pytest

from linplane import (
    InvalidInputError,
    MissingFeatureError,
    RateLimitedError,
    RouteNotFoundError,
    UnavailableError,
)
from linplane_api.routing import RateLimit, Unavailable
from linplane_api.split import Splitter
from unit.client.clients import BOTH, Either
from unit.client.server import Server
from unit.server.builders import document

pytestmark = pytest.mark.parametrize("client", BOTH)
HOME = {"area": 70, "rooms": 3}
V1_OF_HOME, V2_OF_HOME = 1 + 2 * 70 + 10 * 3, 1 + 3 * 70 + 20 * 3


def test_prediction_is_that_of_the_version(client: Either) -> None:
    doc = document()
    one = client(Server(doc))
    found = one.predict(HOME)
    assert (found.value, found.version, found.route, found.assigned_by) == (V1_OF_HOME, "v1", "homes", "current")
    assert found.digest == doc.versions["v1"].digest
    assert found.revision.startswith("sha256:")
    assert one.predict([70, 3]) == found


def test_key_decides_the_version(client: Either) -> None:
    one = client(Server(document(split=[("v2", 5000)])))
    splitter = Splitter("homes", (5000,))
    for number in range(20):
        found = one.predict(HOME, key=f"user-{number}")
        candidate = splitter.pick(f"user-{number}") == 0
        assert (found.version, found.assigned_by) == ("v2" if candidate else "v1", "key")
        assert found.value == (V2_OF_HOME if candidate else V1_OF_HOME)


def test_rows_in_many_bodies_come_back_in_order(client: Either) -> None:
    rows = [{"area": number, "rooms": 0} for number in range(1000)]
    found = client(Server(document(), limit=700), max_body_bytes=2000).predict_rows(rows, key="u")
    assert found.values == [1 + 2 * number for number in range(1000)]
    assert len(found.batches) > 30


def test_refused_row_is_named_by_its_number_among_all(client: Either) -> None:
    rows: list[dict[str, object]] = [dict(HOME) for _ in range(400)]
    rows[321]["area"] = None
    one = client(Server(document()), max_body_bytes=1000)
    with pytest.raises(InvalidInputError) as caught:
        one.predict_rows(rows)
    assert (caught.value.row, caught.value.pointer) == (321, "/rows/321/area")
    assert str(caught.value) == "422: a finite number is needed, not null, at /rows/321/area"
    del rows[321]["area"]
    with pytest.raises(MissingFeatureError, match="version v1 needs the feature area") as missing:
        one.predict_rows(rows)
    assert (missing.value.row, missing.value.version) == (321, "v1")
    rows[321] |= {"area": 1, "garden": 2}
    with pytest.raises(InvalidInputError, match="unknown feature garden; the route takes area, rooms") as unknown:
        one.predict_rows(rows)
    assert unknown.value.row == 321
    rows[321] |= {"street": "x"}
    with pytest.raises(InvalidInputError, match="unknown features garden, street; send only features of the route"):
        one.predict_rows(rows)


def test_rate_limit_is_waited_for(client: Either) -> None:
    server = Server(document(limit=RateLimit(0.5, 1, "Route")))
    one = client(server, sleep=server.sleep)
    assert [one.predict([number, 0]).value for number in range(5)] == [1, 3, 5, 7, 9]
    assert server.clock.now > 8_000_000_000
    with pytest.raises(RateLimitedError) as caught:
        client(server, retries=0).predict(HOME)
    assert caught.value.retry_after == 2


def test_other_refusals_are_errors_of_their_class(client: Either) -> None:
    with pytest.raises(RouteNotFoundError, match="no route of this name is loaded here"):
        client(Server(document()), route="flats").predict(HOME)
    frozen = document(current=None, versions={}, unavailable=Unavailable("CurrentFrozen", "v1 is frozen"))
    with pytest.raises(UnavailableError) as caught:
        client(Server(frozen)).predict(HOME)
    assert caught.value.reason == "CurrentFrozen"
    assert caught.value.request_id
