"""Reads responses: pure."""

import re

import httpx
import msgspec

from linplane_api.names import HEADER_DIGEST, HEADER_REVISION, PROBLEM_TYPE_PREFIX

from .answers import Batch
from .errors import LinplaneError, Problem, UnexpectedResponseError, refused
from .retrying import is_problem, retry_after

NO_PATH = f"{PROBLEM_TYPE_PREFIX}no-path"
"""The type of the problem for a path that a port does not have."""

_WHICH_PORT = "is the URL that of the public port (8080 by default)?"
_POINTER = re.compile(r"/rows/([0-9]{1,18})(?=/|$)")


class _Body(msgspec.Struct, rename="camel"):
    predictions: tuple[float, ...]
    version: str
    route: str
    assigned_by: str


_decode = msgspec.json.Decoder(_Body).decode
_decode_problem = msgspec.json.Decoder(Problem).decode


def read_batch(response: httpx.Response, start: int, count: int, now: float, *, one: bool) -> Batch:
    """Returns the predictions of `count` rows, of which the first is the caller's row `start`; `one` if the caller gave
    a row and not a list of one. Raises LinplaneError.
    """
    if response.status_code != 200:
        raise _error(response, start, now, one)
    try:
        body = _decode(response.content)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise UnexpectedResponseError(200, "the response has no predictions; is this the public port?") from None
    if len(body.predictions) != count:
        raise UnexpectedResponseError(200, f"{len(body.predictions)} predictions for {count} rows")
    digest, revision = (response.headers.get(name, "") for name in (HEADER_DIGEST, HEADER_REVISION))
    return Batch(body.predictions, body.version, digest, revision, body.route, body.assigned_by)


def _error(response: httpx.Response, start: int, now: float, one: bool) -> LinplaneError:
    if is_problem(response):
        try:
            problem = _decode_problem(response.content)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            pass
        else:
            if problem.type == NO_PATH:
                return UnexpectedResponseError(problem.status, f"{problem.detail}; {_WHICH_PORT}")
            return refused(*_in_rows_of_caller(problem, start, one), retry_after(response, now))
    hint = f"; {_WHICH_PORT}" if response.status_code == 404 else ""
    shown = response.headers.get("content-type", "no type")
    return UnexpectedResponseError(response.status_code, f"not a response of Linplane ({shown}){hint}")


def _in_rows_of_caller(problem: Problem, start: int, one: bool) -> tuple[Problem, int | None]:
    """Returns the problem with its pointer in all of the caller's rows, and the row's number."""
    found = _POINTER.match(problem.pointer or "")
    if found is None:
        return problem, None
    row = start + int(found[1])
    assert problem.pointer is not None
    place = "/features" if one else f"/rows/{row}"
    return msgspec.structs.replace(problem, pointer=f"{place}{problem.pointer[found.end() :]}"), row
