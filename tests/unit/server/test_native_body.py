"""Valid bodies, and the errors of others, which name the place and never a value that was sent."""

import contextlib
import json
import re

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_server.errors import Invalid, Malformed
from linplane_server.http.openapi import native_schemas
from linplane_server.interfaces.native_body import parse_request

ACCEPTED = frozenset({"area", "a/b"})
SCHEMA = jsonschema.Draft202012Validator(
    {"$ref": "#/components/schemas/Request", "components": {"schemas": native_schemas()}}
)

GOOD = [
    (b'{"features":{"area":1}}', [{"area": 1.0}]),
    (b'{"features":[1,2.5e0]}', [[1.0, 2.5]]),
    (b'{"rows":[{"area":1},[2]],"key":"u:1"}', [{"area": 1.0}, [2.0]]),
    (b' \n{"key":"a\\u003ab","features":{"x:y":-0.0}}\n', [{"x:y": 0.0}]),
    (b'{"features":{"area":' + b"9" * 200 + b"}}", [{"area": float("9" * 200)}]),
    (b'{"features":{"area":1e-400}}', [{"area": 0.0}]),
    (b'{"features":{"area":true,"a/b":false}}', [{"area": 1.0, "a/b": 0.0}]),
    (b'{"features":[false,2,true],"key":"a\\u003ab"}', [[0.0, 2.0, 1.0]]),
    (b'{"rows":[[1],[true],{"area":false}]}', [[1.0], [1.0], {"area": 0.0}]),
]


@pytest.mark.parametrize(("data", "rows"), GOOD)
def test_body_that_is_valid_is_read(data: bytes, rows: list[object]) -> None:
    assert parse_request(data, ACCEPTED)[1] == rows
    assert SCHEMA.is_valid(json.loads(data))


MALFORMED = [
    b"",
    b" ",
    b"{",
    b'{"features":{"area":1}} x',
    b'{"features":{"area":1}}{"features":{"area":1}}',
    b'\xef\xbb\xbf{"features":{"area":1}}',
    '{"features":{"area":1}}'.encode("utf-16"),
    '{"features":{"area":1}}'.encode("utf-16-le"),
    b'{"features":{"area":1},"key":"\xff"}',
    b'{"features":{"\xc3\x28":1}}',
    b'{"features":{"area":1},"key":"\\ud800"}',
    b'{"features":{"area":01}}',
    b'{"features":{"area":+1}}',
    b'{"features":{"area":0x10}}',
    b'{"features":{"area":1.}}',
    b"{'features':{}}",
    b'{"features":{"area":1,}}',
    b'{"features":{"area":1}/**/}',
    b"[" * 60_000,
    b'{"features":' * 5_000,
    b'{"rows":' + b"[" * 60_000,
    b'{"features":{"area":1,"area":2}}',
    b'{"features":{"area":1},"features":{"area":2}}',
    b'{"key":"a","features":{"area":1},"key":"b"}',
    b'{"rows":[{"area":1,"area":1}]}',
    b'{"features":{"area":1,"\\u0061rea":2}}',
    b'{"key":"\\u003a","features":{"area":1,"area":2}}',
    b'{"features":{"area":1},"key":"a\x01b"}',
    b'{"features":{"area":true,"area":1}}',
    b'{"features":{"area":true},"key":"\\ud800"}',
    b'{"features":[True]}',
    b'{"features":[true,01]}',
]


@pytest.mark.parametrize("data", MALFORMED)
def test_body_that_is_not_json_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_request(data, ACCEPTED)


INVALID = [
    (b"[]", ""),
    (b"1", ""),
    (b"null", ""),
    (b"NaN", ""),
    (b"{}", ""),
    (b'{"key":"a"}', ""),
    (b'{"features":{"area":1},"rows":[[1]]}', ""),
    (b'{"features":{"area":1},"verySecret":1}', ""),
    (b'{"features":null}', "/features"),
    (b'{"features":"verySecret"}', "/features"),
    (b'{"features":{"area":NaN}}', "/features/area"),
    (b'{"features":{"area":Infinity}}', "/features/area"),
    (b'{"features":{"area":-Infinity}}', "/features/area"),
    (b'{"features":{"area":1e400}}', "/features/area"),
    (b'{"features":{"area":' + b"9" * 10_000 + b"}}", "/features/area"),
    (b'{"features":true}', "/features"),
    (b'{"features":{"area":[true]}}', "/features/area"),
    (b'{"features":{"area":"true"}}', "/features/area"),
    (b'{"features":{"area":true,"b":null}}', "/features"),
    (b'{"features":[true,"false"]}', "/features/1"),
    (b'{"features":[true,1e400]}', "/features/1"),
    (b'{"features":[true],"rows":[[1]]}', ""),
    (b'{"rows":true}', "/rows"),
    (b'{"rows":[true]}', "/rows/0"),
    (b'{"features":[true],"key":true}', "/key"),
    (b'{"features":[true],"other":1}', ""),
    (b'{"features":{"area":"7"}}', "/features/area"),
    (b'{"features":{"area":null}}', "/features/area"),
    (b'{"features":{"a/b":null}}', "/features/a~1b"),
    (b'{"features":{"unknown":[]}}', "/features"),
    (b'{"features":{"unknown":"verySecret"}}', "/features"),
    (b'{"features":[1,"2"]}', "/features/1"),
    (b'{"features":{"area":1},"key":7}', "/key"),
    (b'{"features":{"area":1},"key":null}', "/key"),
    (b'{"rows":{}}', "/rows"),
    (b'{"rows":[]}', "/rows"),
    (b'{"rows":[[1],7]}', "/rows/1"),
    (b'{"rows":[[1],[2],[true],[null]]}', "/rows/3/0"),
    (b'{"rows":[[1],{"area":[]}]}', "/rows/1/area"),
]


@pytest.mark.parametrize(("data", "pointer"), INVALID)
def test_body_error_names_its_place(data: bytes, pointer: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_request(data, ACCEPTED)
    assert caught.value.pointer == pointer
    assert "verySecret" not in caught.value.detail


def test_unknown_feature_is_named_even_if_its_value_is_invalid() -> None:
    with pytest.raises(Invalid) as caught:
        parse_request(b'{"features":{"are\\u200ba":"secret"}}', ACCEPTED)
    assert caught.value.detail == r"unknown feature are\u200ba; send only features of the route"


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=4) | st.sampled_from(["a", "b", "a:b", ":"])
pairs = st.lists(st.tuples(names, st.integers(-9, 9)), min_size=1, max_size=4)


@given(pairs, names | st.none(), st.booleans())
def test_duplicate_key_is_never_overlooked(row: list[tuple[str, int]], key: str | None, ascii_only: bool) -> None:
    members = ",".join(f"{json.dumps(name, ensure_ascii=ascii_only)}:{value}" for name, value in row)
    field = "" if key is None else f',"key":{json.dumps(key, ensure_ascii=ascii_only)}'
    data = f'{{"features":{{{members}}}{field}}}'.encode()
    if len(dict(row)) == len(row):
        assert parse_request(data, ACCEPTED)[1] == [dict(row)]
    else:
        with pytest.raises(Malformed):
            parse_request(data, ACCEPTED)


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_body_of_random_bytes_is_refused(data: bytes) -> None:
    with pytest.raises((Malformed, Invalid)):
        parse_request(data, ACCEPTED)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["features", "rows", "key"]) | names, inner, max_size=3)
    ),
    max_leaves=8,
)


@given(json_values)
def test_body_of_any_json_is_read_or_refused(value: object) -> None:
    with contextlib.suppress(Malformed, Invalid):
        parse_request(json.dumps(value).encode(), ACCEPTED)


@pytest.mark.parametrize("data", [data for data, _ in INVALID if not re.search(b"NaN|Infinity|1e400|9{999}", data)])
def test_body_that_is_invalid_does_not_follow_the_schema(data: bytes) -> None:
    """Except for numbers that are not finite, which JSON Schema cannot exclude."""
    assert not SCHEMA.is_valid(json.loads(data))


numbers = st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()
wrong = st.none() | st.just("true") | st.just("1")
rows = st.one_of(
    [
        st.lists(value, max_size=2) | st.dictionaries(st.sampled_from(["area", "b"]), value, max_size=2)
        for value in (numbers, numbers | wrong)
    ]
)
fields = {
    "features": rows | wrong,
    "rows": st.lists(rows, max_size=2) | rows | wrong,
    "key": st.just("u") | wrong,
    "other": numbers,
}
given_fields = st.sampled_from(
    ["features", "features key", "rows", "rows key", "features rows", "key", "", "features other", "rows other"]
)
bodies = given_fields.flatmap(lambda names: st.fixed_dictionaries({name: fields[name] for name in names.split()}))


@given(bodies)
def test_body_is_read_exactly_if_it_follows_the_schema(body: object) -> None:
    try:
        parse_request(json.dumps(body).encode(), ACCEPTED)
    except Invalid:
        accepted = False
    else:
        accepted = True
    assert SCHEMA.is_valid(body) is accepted


@given(st.lists(numbers, min_size=1, max_size=4), st.booleans())
def test_boolean_is_one_or_zero(values: list[float], named: bool) -> None:
    def read(row: list[float]) -> object:
        body = {"features": {str(i): value for i, value in enumerate(row)} if named else row}
        return parse_request(json.dumps(body).encode(), ACCEPTED)[1]

    assert repr(read(values)) == repr(read(list(map(float, values))))
