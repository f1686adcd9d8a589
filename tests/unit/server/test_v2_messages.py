"""What a client reads of a request of the wrong shape: a JSON pointer, and words instead of types of a language."""

import copy
import json
import re
from typing import Any

import pytest

from linplane_server.errors import Invalid, Malformed
from linplane_server.interfaces.v2.messages import parse_message
from linplane_server.predict.interface import finished
from unit.server.damage import places

WHOLE = {
    "id": "a",
    "parameters": {"key": "u"},
    "inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP64", "parameters": {"a": 1}, "data": [[1.5, True]]}],
    "outputs": [{"name": "prediction", "parameters": {"binary_data": False}}],
}
LONG = "5,000 digits"
MISSING = "missing"
WRONG: list[Any] = [None, True, 1, 2.5, 2.0, -1, "text", [], {}, [[]], [{}], ["text"], [None], [[[1]]], LONG]
_is_strange = re.compile(r"`|Expected|Object|\\b(str|int|float|bool|dict|list|NoneType|truncated)\\b").search
_is_pointer = re.compile(r"(/(id|parameters|inputs|outputs|name|shape|datatype|data|[0-9]))*").fullmatch


def refused(data: bytes) -> Invalid | Malformed | None:
    try:
        finished(parse_message(data))
    except (Invalid, Malformed) as error:
        return error
    return None


def test_message_of_each_wrong_value_of_each_member_is_a_pointer_and_words() -> None:
    count = 0
    for number, (_, key) in enumerate(places(WHOLE)):
        for wrong in (*WRONG, MISSING):
            body = copy.deepcopy(WHOLE)
            container, _ = places(body)[number]
            container[key] = wrong
            if wrong == MISSING:
                del container[key]
            error = refused(json.dumps(body).replace(f'"{LONG}"', "9" * 5000).encode())
            if error is not None:
                count += 1
                assert not _is_strange(error.detail), (key, wrong, error.detail)
                assert error.pointer is None or _is_pointer(error.pointer), error.pointer
    assert count > 100


MATRIX = '{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP64","data":[1,%s]}]%s}'
MESSAGES = [
    (MATRIX % ('"3"', ""), "/inputs/0/data/1", "a number is needed, not a text"),
    (
        MATRIX % ("NaN", ""),
        "/inputs/0/data/1",
        "a finite number is needed, not NaN, an infinity or a number out of range",
    ),
    (
        MATRIX % ("1e400", ""),
        "/inputs/0/data/1",
        "a finite number is needed, not NaN, an infinity or a number out of range",
    ),
    (MATRIX % ("{}", ""), "/inputs/0/data/1", "a number is needed, not an object"),
    (MATRIX % ("3", ',"id":5'), "/id", "a text is needed, not a number"),
    (MATRIX % ("3", ',"outputs":[{}]'), "/outputs/0", 'the member "name" is missing'),
    (MATRIX.replace("[1,2]", "[1,2.5]", 1) % ("3", ""), "/inputs/0/shape/1", "an integer is needed"),
    (MATRIX.replace("[1,2]", "[1,2.0]", 1) % ("3", ""), "/inputs", "a dimension is not written as an integer"),
    (MATRIX.replace("[1,2]", '["1",2]', 1) % ("3", ""), "/inputs/0/shape/0", "an integer is needed, not a text"),
    ("[]", "", "an object is needed, not an array"),
    ("{}", "", 'the member "inputs" is missing'),
    (MATRIX % ("3", ',"id":"\\ud800"'), None, "not JSON: a number is out of range, or a text is not valid Unicode"),
    ("{", None, "not JSON (line 1, column 2)"),
    (MATRIX % ("3", ',"a":' + "[" * 63 + "]" * 63), "", ""),
    (MATRIX % ("3", ',"a":' + "[" * 64 + "]" * 64), None, "not JSON: nested too deep"),
    (MATRIX % ("3", ',"a":"' + "[" * 64 + '"'), "", ""),
    (MATRIX % ("3", ',"]]]]\\"":' + "[" * 64), None, "not JSON: nested too deep"),
    (MATRIX % ("3", ',"a":[' + ",".join(["[{}]"] * 100) + "]"), "", ""),
]


@pytest.mark.parametrize(("text", "pointer", "detail"), MESSAGES, ids=range(len(MESSAGES)))
def test_message_has_the_place_and_the_words_of_all_interfaces(text: str, pointer: str | None, detail: str) -> None:
    if not detail:
        finished(parse_message(text.encode()))
        return
    with pytest.raises((Invalid, Malformed)) as refused:
        finished(parse_message(text.encode()))
    assert (refused.value.pointer, refused.value.detail) == (pointer, detail)
