"""Decodes the body of a prediction request, strictly. The fast path is one typed decode; only a body that it refuses is
parsed again, to name the place of the error.

`{"features": F, "key": "..."}` or `{"rows": [F, ...], "key": "..."}`, where F is an object (numbers by feature name)
or an array.
"""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ..errors import Invalid, Malformed
from ..predict.rows import Row
from .json_body import REFUSED, check_duplicates, json_type, parse_leniently, wrong_row

_Key = Annotated[str, Meta(description="Identifies the user, for the split of the traffic.")]

Rows = Annotated[list[Row], Meta(extra_json_schema={"minItems": 1})]  # `parse_request` checks it, with a better message


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """One row as `features`, or several as `rows`."""

    features: Row | UnsetType = UNSET
    rows: Rows | UnsetType = UNSET
    key: _Key | UnsetType = UNSET


_decode = msgspec.json.Decoder(Request).decode
_NUMBERS = frozenset({float})


def parse_request(data: bytes, accepted: frozenset[str]) -> tuple[Request, list[Row]]:
    """Returns the body and its rows. Raises Malformed or Invalid, whose pointer contains names of `accepted` only."""
    try:
        body = _decode(data)
    except REFUSED:
        raise diagnose(data, accepted) from None
    if body.rows is UNSET:
        if body.features is UNSET:
            raise Invalid("", "features or rows is needed")
        row = body.features
        rows = [row]
        keys = len(row) if type(row) is dict else 0
    else:
        rows = body.rows
        if body.features is not UNSET:
            raise Invalid("", "either features or rows, not both")
        if not rows:
            raise Invalid("/rows", "at least one row is needed")
        keys = sum([len(row) for row in rows if type(row) is dict])
    # The decoder accepts a duplicate key and keeps the last value.
    if data.count(b":") != keys + (1 if body.key is UNSET else 2):
        check_duplicates(data)
    return body, rows


def diagnose(data: bytes, accepted: frozenset[str]) -> Malformed | Invalid:
    """Returns the error in a body that the typed decoder refused, with its place. It repeats no value of the body."""
    try:
        value = parse_leniently(data)
    except Malformed as malformed:
        return malformed
    return _wrong_field(value, accepted) or Malformed("not JSON: a text is not valid Unicode")


def _wrong_field(value: Any, accepted: frozenset[str]) -> Invalid | None:
    if not isinstance(value, dict):
        return Invalid("", f"an object is needed, not {json_type(value)}")
    if set(value) - set(Request.__struct_fields__):
        return Invalid("", "unknown field; features, rows and key are known")
    if "key" in value and not isinstance(value["key"], str):
        return Invalid("/key", f"a text is needed, not {json_type(value['key'])}")
    places = [(value["features"], "/features")] if "features" in value else []
    if "rows" in value:
        if not isinstance(value["rows"], list):
            return Invalid("/rows", f"an array is needed, not {json_type(value['rows'])}")
        places += [(row, f"/rows/{number}") for number, row in enumerate(value["rows"])]
    return next((wrong for row, place in places if (wrong := wrong_row(row, place, accepted, _NUMBERS))), None)
