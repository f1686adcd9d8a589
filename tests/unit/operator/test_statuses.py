"""Typed statuses: what another release or a person wrote keeps nothing else from being read."""

import pytest

from linplane_api.canonical import FormatError
from linplane_api.resources import LinearModelStatus, ModelRouteStatus
from linplane_operator.compile.last_good import digests_of_status, document_of_status
from linplane_operator.compile.statuses import read_status, readable_status
from unit.operator.builders import model_route

LATER = {"type": "Later", "status": "True", "reason": "FromALaterRelease", "message": "", "lastTransitionTime": "t"}
DIGEST = "sha256:" + "0" * 64
TRAFFIC = [{"version": "v1", "percent": "100", "digest": DIGEST}]


def test_status_with_conditions_of_a_later_release_is_read() -> None:
    status = read_status(ModelRouteStatus, {"version": "v1", "conditions": [LATER], "later": 1})
    assert status == ModelRouteStatus(version="v1")


@pytest.mark.parametrize("status", [{"version": 1}, {"switches": [{"to": "v1"}]}, {"traffic": "all"}])
def test_status_with_a_wrong_type_is_read_but_for_that_field(status: dict[str, object]) -> None:
    with pytest.raises(FormatError, match=r"^status\."):
        read_status(ModelRouteStatus, status)
    assert readable_status(ModelRouteStatus, {**status, "revision": "r"}) == ModelRouteStatus(revision="r")


def test_status_that_is_readable_is_read_as_a_whole() -> None:
    status = {"digest": DIGEST, "servingIn": ["homes"]}
    assert readable_status(LinearModelStatus, status) == read_status(LinearModelStatus, status)


def test_last_good_traffic_is_known_despite_conditions_of_a_later_release() -> None:
    """An operator that was rolled back, and has never seen the document itself."""
    route = {**model_route(), "status": {"version": "v1", "traffic": TRAFFIC, "conditions": [LATER]}}
    document = document_of_status(route)
    assert document is not None
    assert document.current == "v1"
    assert digests_of_status(route) == {"v1": DIGEST}
