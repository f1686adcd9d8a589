"""Decodes the body of a prediction request, strictly. The fast path is one typed decode; only a body that it refuses is
parsed again, to name the place of the error, or because true and false count as 1 and 0.

`{"features": F, "key": "..."}` or `{"rows": [F, ...], "key": "..."}`, where F is an object (numbers by feature name)
or an array.
"""

from contextlib import suppress
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ..errors import Invalid
from ..predict.interface import Slices, finished
from ..predict.rows import Row
from .json_body import DECODED, REFUSED, as_row, as_rows, check_duplicates, need, read_json

_Key = Annotated[str, Meta(description="Identifies the user, for the split of the traffic.")]

Rows = Annotated[list[Row], Meta(extra_json_schema={"minItems": 1})]  # `parse_request` checks it, with a better message


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """One row as `features`, or several as `rows`."""

    features: Row | UnsetType = UNSET
    rows: Rows | UnsetType = UNSET
    key: _Key | UnsetType = UNSET


_decode = msgspec.json.Decoder(Request).decode


def parse_request(data: bytes, accepted: frozenset[str]) -> tuple[Request, list[Row]]:
    """Returns the body and its rows. Raises Malformed or Invalid, whose pointer contains names of `accepted` only."""
    try:
        return _checked(_decode(data), data)
    except REFUSED:
        return finished(_parse_again(data, accepted))


def parse_in_slices(data: bytes, accepted: frozenset[str]) -> Slices[tuple[Request, list[Row]]]:
    """As `parse_request`; a body over DECODED bytes is parsed leniently in any case."""
    if len(data) <= DECODED:
        with suppress(*REFUSED):
            return _checked(_decode(data), data)
    return (yield from _parse_again(data, accepted))


def _parse_again(data: bytes, accepted: frozenset[str]) -> Slices[tuple[Request, list[Row]]]:
    body = yield from read_json(data, lambda value: _read(value, accepted))
    return body, _rows(body)


def _checked(body: Request, data: bytes) -> tuple[Request, list[Row]]:
    rows = _rows(body)
    row = rows[0]
    if len(rows) > 1:
        keys = sum([len(row) for row in rows if type(row) is dict])
    else:
        keys = len(row) if type(row) is dict else 0
    # The decoder accepts a duplicate key and keeps the last value.
    if data.count(b":") != keys + (1 if body.key is UNSET else 2):
        check_duplicates(data)
    return body, rows


def _rows(body: Request) -> list[Row]:
    if body.rows is UNSET:
        if body.features is UNSET:
            raise Invalid("", "features or rows is needed")
        return [body.features]
    if body.features is not UNSET:
        raise Invalid("", "either features or rows, not both")
    if not body.rows:
        raise Invalid("/rows", "at least one row is needed")
    return body.rows


def _read(body: dict[str, Any], accepted: frozenset[str]) -> Slices[Request]:
    """Returns the same as the typed decode, with true and false as 1 and 0. Raises Invalid, with the place."""
    if set(body) - set(Request.__struct_fields__):
        wrap = "" if {"features", "rows"} & set(body) else '; wrap a row: {"features": {...}}'
        raise Invalid("", f"unknown field; features, rows and key are known{wrap}")
    request = Request()
    if "key" in body:
        request.key = need(body["key"], str, "/key")
    if "features" in body:
        request.features = as_row(body["features"], "/features", accepted)
    if "rows" in body:
        rows: list[Any] = need(body["rows"], list, "/rows")
        request.rows = []
        if rows:
            request.rows = yield from as_rows(rows, "/rows", lambda row, place: as_row(row, place, accepted))
    return request
