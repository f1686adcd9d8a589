"""Decodes the body of a prediction request, strictly. The fast path is one typed decode; only a body that it refuses is
parsed again, to name the place of the error.

`{"features": F, "key": "..."}` or `{"rows": [F, ...], "key": "..."}`, where F is an object (numbers by feature name)
or an array.
"""

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from linplane_api.canonical import FormatError, parse_json, unique
from linplane_api.display import display_name

from ..errors import Invalid, Malformed
from ..predict.rows import Row, escape

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
        body = _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise diagnose(data, accepted) from None
    if body.rows is UNSET:
        if body.features is UNSET:
            raise Invalid("", "features or rows is needed")
        rows: list[Row] = [body.features]
    else:
        rows = body.rows
        if body.features is not UNSET:
            raise Invalid("", "either features or rows, not both")
        if not rows:
            raise Invalid("/rows", "at least one row is needed")
    # The decoder accepts a duplicate key and keeps the last value. Each key in the JSON text is followed by a colon, so
    # more colons than decoded keys mean a duplicate, or a colon inside a string. Only then is the body parsed again, by
    # a parser that detects duplicates and takes several times as long.
    keys = (1 if body.key is UNSET else 2) + sum([len(row) for row in rows if type(row) is dict])
    if data.count(b":") != keys:
        _refuse_duplicates(data)
    return body, rows


def _refuse_duplicates(data: bytes) -> None:
    try:
        parse_json(data)
    except FormatError as error:
        raise Malformed(error.problem) from None


def diagnose(data: bytes, accepted: frozenset[str]) -> Malformed | Invalid:
    """Returns the error in a body that the typed decoder refused, with its place. It repeats no value of the body."""
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=unique, parse_int=float)
    except UnicodeDecodeError as error:
        return Malformed(f"not UTF-8 (byte {error.start})")
    except json.JSONDecodeError as error:
        return Malformed(f"not JSON (line {error.lineno}, column {error.colno})")
    except RecursionError:
        return Malformed("not JSON: nested too deep")
    except FormatError as error:
        return Malformed(error.problem)
    return _wrong_field(value, accepted) or Malformed("not JSON: a text is not valid Unicode")


def _wrong_field(value: Any, accepted: frozenset[str]) -> Invalid | None:
    if not isinstance(value, dict):
        return Invalid("", f"an object is needed, not {_json_type(value)}")
    if set(value) - set(Request.__struct_fields__):
        return Invalid("", "unknown field; features, rows and key are known")
    if "key" in value and not isinstance(value["key"], str):
        return Invalid("/key", f"a text is needed, not {_json_type(value['key'])}")
    places = [(value["features"], "/features")] if "features" in value else []
    if "rows" in value:
        if not isinstance(value["rows"], list):
            return Invalid("/rows", f"an array is needed, not {_json_type(value['rows'])}")
        places += [(row, f"/rows/{number}") for number, row in enumerate(value["rows"])]
    return next((wrong for row, place in places if (wrong := _wrong_row(row, place, accepted))), None)


def _wrong_row(row: Any, place: str, accepted: frozenset[str]) -> Invalid | None:
    if isinstance(row, dict):
        return next(
            (_wrong_value(value, name, place, accepted) for name, value in row.items() if not _is_number(value)), None
        )
    if isinstance(row, list):
        wrong = ((number, value) for number, value in enumerate(row) if not _is_number(value))
        return next(
            (
                Invalid(f"{place}/{number}", f"a finite number is needed, not {_json_type(value)}")
                for number, value in wrong
            ),
            None,
        )
    return Invalid(place, f"an object or an array is needed, not {_json_type(row)}")


def _wrong_value(value: Any, name: str, place: str, accepted: frozenset[str]) -> Invalid:
    if name in accepted:
        return Invalid(f"{place}/{escape(name)}", f"a finite number is needed, not {_json_type(value)}")
    return Invalid(place, f"unknown feature {display_name(name)}, with {_json_type(value)} instead of a finite number")


def _is_number(value: Any) -> bool:
    return type(value) is float and math.isfinite(value)


def _json_type(value: Any) -> str:
    if isinstance(value, float):
        return "a number" if math.isfinite(value) else "NaN, an infinity or a number out of range"
    names: Mapping[type, str] = {
        str: "a text",
        bool: "a boolean",
        dict: "an object",
        list: "an array",
        type(None): "null",
    }
    return names[type(value)]
