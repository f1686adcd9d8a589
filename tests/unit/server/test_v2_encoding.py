"""Compressed bodies, both ways, with a bound on what they become."""

import gzip
import json
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linplane_server.errors import Malformed, PredictionRefusal, TooLarge, UnsupportedBody
from linplane_server.interfaces.v2.encoding import WORTHWHILE, compressed, decompressed, response_coding
from linplane_server.interfaces.v2.infer import INFERENCE
from linplane_server.predict.interface import finished
from linplane_server.settings import Limits
from unit.server.builders import Client, document, serving
from unit.server.oip import binary, packed, tensor

LIMIT = 10_000


@given(st.binary(max_size=2000), st.sampled_from([b"gzip", b"x-gzip", b"deflate", b" GZIP "]))
def test_body_reads_back(body: bytes, coding: bytes) -> None:
    packed_body = compressed(body, coding.strip().lower())
    assert finished(decompressed(packed_body, coding, LIMIT)) == body
    assert (gzip.decompress if b"zip" in coding.lower() else zlib.decompress)(packed_body) == body


@pytest.mark.parametrize("coding", [None, b"", b"identity", b"Identity"])
def test_body_without_coding_is_as_it_came(coding: bytes | None) -> None:
    assert finished(decompressed(b"\x1f\x8b", coding, 1)) == b"\x1f\x8b"


BAD: list[tuple[bytes, bytes, type[PredictionRefusal]]] = [
    (b"abc", b"br", UnsupportedBody),
    (b"abc", b"zstd", UnsupportedBody),
    (gzip.compress(b"a", mtime=0), b"gzip, gzip", UnsupportedBody),
    (b"", b"gzip", Malformed),
    (b"abc", b"gzip", Malformed),
    (zlib.compress(b"a"), b"gzip", Malformed),
    (gzip.compress(b"a", mtime=0), b"deflate", Malformed),
    (zlib.compress(b"a")[2:-4], b"deflate", Malformed),
    (gzip.compress(b"a" * 100, mtime=0)[:-1], b"gzip", Malformed),
    (gzip.compress(b"a", mtime=0) + b"b", b"gzip", Malformed),
    (gzip.compress(b"a", mtime=0) + gzip.compress(b"b", mtime=0), b"gzip", Malformed),
    (gzip.compress(bytes(LIMIT + 1), mtime=0), b"gzip", TooLarge),
    (zlib.compress(bytes(1000 * LIMIT)), b"deflate", TooLarge),
]


@pytest.mark.parametrize(("body", "coding", "refusal"), BAD)
def test_body_that_cannot_be_decompressed_is_refused(
    body: bytes, coding: bytes, refusal: type[PredictionRefusal]
) -> None:
    with pytest.raises(refusal):
        finished(decompressed(body, coding, LIMIT))


def test_body_of_exactly_the_limit_is_accepted() -> None:
    assert len(finished(decompressed(gzip.compress(bytes(LIMIT)), b"gzip", LIMIT))) == LIMIT


def test_body_over_the_limit_takes_no_more_memory_than_the_limit() -> None:
    bomb = zlib.compress(bytes(50_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            finished(decompressed(bomb, b"deflate", LIMIT))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


ACCEPTED = [
    (None, None),
    (b"", None),
    (b"identity", None),
    (b"br", None),
    (b"gzip", b"gzip"),
    (b"deflate", b"deflate"),
    (b"gzip, deflate, br", b"gzip"),
    (b"deflate, GZIP", b"gzip"),
    (b"gzip;q=0, deflate;q=0.5", b"deflate"),
    (b"gzip;q=0.0, deflate; q=0", None),
    (b"gzip; q=1.0", b"gzip"),
    (b"gzip;q=banana", None),
    (b"*", None),
]


@pytest.mark.parametrize(("accepted", "coding"), ACCEPTED)
def test_response_is_compressed_as_the_client_accepts(accepted: bytes | None, coding: bytes | None) -> None:
    assert response_coding(accepted, WORTHWHILE) == coding
    assert response_coding(accepted, WORTHWHILE - 1) is None


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_compressed_request_gets_a_compressed_response(coding: str) -> None:
    client = Client(await serving(document()))
    read: Callable[[bytes], bytes] = gzip.decompress if coding == "gzip" else zlib.decompress
    values = [float(number) for number in range(600)]
    expected = [1 + 2 * a + 10 * b for a, b in zip(values[::2], values[1::2], strict=True)]
    headers = {"content_encoding": coding, "accept_encoding": f"{coding}, br"}

    text = json.dumps({"inputs": [tensor(values, [300, 2])]}).encode()
    status, out, content = client.ask(compressed(text, coding.encode()), "homes", interface=INFERENCE, **headers)
    assert (status, out["content-encoding"], out["content-length"]) == (200, coding, str(len(content)))
    assert json.loads(read(content))["outputs"][0]["data"] == expected

    raw = packed(values)
    text = json.dumps(
        {"inputs": [binary(raw, [300, 2])], "parameters": {"binary_data_output": True}},
    ).encode()
    headers["inference_header_content_length"] = str(len(text))
    status, out, content = client.ask(compressed(text + raw, coding.encode()), "homes", interface=INFERENCE, **headers)
    assert (status, out["content-encoding"], out["content-length"]) == (200, coding, str(len(content)))
    body = read(content)
    length = int(out["inference-header-content-length"])
    assert json.loads(body[:length])["outputs"][0]["parameters"] == {"binary_data_size": 2400}
    assert body[length:] == packed(expected)


async def test_body_that_grows_over_the_limit_is_413() -> None:
    client = Client(await serving(document()))
    bomb = zlib.compress(bytes(10_000_000))
    status, headers, content = client.ask(bomb, "homes", interface=INFERENCE, content_encoding="deflate")
    assert (status, headers["content-type"]) == (413, "application/json")
    assert str(Limits.body_bytes) in json.loads(content)["error"]
    assert client.ask(bomb, "homes", interface=INFERENCE, content_encoding="br")[0] == 415
