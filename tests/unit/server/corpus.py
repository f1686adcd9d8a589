"""Requests as bytes, accepted and refused ones, for tests of the wire and of both ways to answer."""

import gzip
import struct

from linplane_server.settings import Limits

PREDICT = b'{"features":{"area":2,"rooms":3}}'

HEAD = b"POST /routes/homes/predict HTTP/1.1\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(PREDICT)
GOOD = HEAD + b"Host: x\r\n" + LENGTH + b"\r\n" + PREDICT
CHUNKED = HEAD + b"Host: x\r\nTransfer-Encoding: chunked\r\n\r\n"
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
OTHER = b"GET /docs HTTP/1.1\r\nHost: x\r\n\r\n"

UNPARSABLE = [
    ("CL and TE", HEAD + b"Host: x\r\n" + LENGTH + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("TE and CL", HEAD + b"Host: x\r\nTransfer-Encoding: chunked\r\n" + LENGTH + b"\r\n0\r\n\r\n", 400),
    ("two CL", HEAD + b"Host: x\r\n" + LENGTH + LENGTH + b"\r\n" + PREDICT, 400),
    ("two CL that differ", HEAD + b"Host: x\r\n" + LENGTH + b"Content-Length: 1\r\n\r\n" + PREDICT, 400),
    ("a CL list", HEAD + b"Host: x\r\nContent-Length: 3, 3\r\n\r\nabc", 400),
    ("a negative CL", HEAD + b"Host: x\r\nContent-Length: -1\r\n\r\n", 400),
    ("an enormous CL", HEAD + b"Host: x\r\nContent-Length: 99999999999999999999999\r\n\r\n", 400),
    ("an unknown TE", HEAD + b"Host: x\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
    ("TE of chunked and more", HEAD + b"Host: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
    ("no Host", HEAD + LENGTH + b"\r\n" + PREDICT, 400),
    ("two Hosts", HEAD + b"Host: x\r\nHost: y\r\n" + LENGTH + b"\r\n" + PREDICT, 400),
    ("bare LF everywhere", GOOD.replace(b"\r\n", b"\n"), 400),
    ("bare LF after a field", HEAD + b"Host: x\n" + LENGTH + b"\r\n" + PREDICT, 400),
    ("bare CR", HEAD + b"Host: x\r\nX: a\rb\r\n\r\n", 400),
    ("NUL in a field", HEAD + b"Host: x\r\nX: a\x00b\r\n\r\n", 400),
    ("a space before the colon", HEAD + b"Host : x\r\n\r\n", 400),
    ("a folded field", HEAD + b"Host: x\r\nX: a\r\n b\r\n\r\n", 400),
    ("a bad chunk size", HEAD + b"Host: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    ("bare LF in a chunk", HEAD + b"Host: x\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n", 400),
    ("HTTP/1.2", GOOD.replace(b"1.1", b"1.2", 1), 400),
    ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ("CONNECT", b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("a target that is none", b"POST http://[ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ("a target over 8 KiB", b"GET /" + b"a" * 8200 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    ("a target without an end", b"GET /" + b"a" * 200_000, 414),
    ("101 fields", HEAD + b"Host: x\r\n" + b"A: b\r\n" * 100 + b"\r\n", 431),
    ("5,000 fields", HEAD + b"Host: x\r\n" + b"A: b\r\n" * 5000 + b"\r\n", 431),
    ("a field of 64 KiB", HEAD + b"Host: x\r\nA: " + b"b" * 65_536 + b"\r\n\r\n", 431),
    ("a field without an end", HEAD + b"Host: x\r\nA: " + b"b" * 2_000_000, 431),
    ("trailers of 64 KiB", CHUNKED + b"0\r\nA: " + b"b" * 70_000 + b"\r\n\r\n", 431),
    ("a chunk extension without an end", CHUNKED + b"1;" + b"b" * 900_000, 413),
]
"""Name, bytes, and status of what is refused before an application sees it, at the default limits."""


def single(data: bytes) -> bytes:
    """In chunks of one byte."""
    return b"".join(b"1\r\n%c\r\n" % byte for byte in data)


FULL = PREDICT + b" " * (65_536 - len(PREDICT))

TAKEN = [
    ("as usual", GOOD, 1),
    ("HTTP/1.0 without Host", GOOD.replace(b"1.1", b"1.0", 1).replace(b"Host: x\r\n", b""), 1),
    ("two at once", GOOD * 2, 2),
    ("fifty at once", GOOD * 50, 50),
    ("an absolute target", GOOD.replace(b"/routes", b"http://x/routes", 1), 1),
    ("a target of 8,000 bytes", GOOD.replace(b"predict ", b"predict?" + b"a" * 7900 + b" ", 1), 1),
    ("100 fields", HEAD + b"Host: x\r\n" + LENGTH + b"A: b\r\n" * 98 + b"\r\n" + PREDICT, 1),
    ("an upgrade that is not offered", GOOD.replace(b"Host: x\r\n", b"Host: x\r\n" + H2C) * 2 + GOOD, 3),
    ("chunks of one byte and a trailer", CHUNKED + single(PREDICT) + b"0\r\nA: b\r\n\r\n", 1),
    ("64 KiB in chunks of one byte", CHUNKED + single(FULL) + b"0\r\n\r\n", 1),
    ("64 KiB at once", HEAD + b"Host: x\r\nContent-Length: 65536\r\n\r\n" + FULL, 1),
]
"""Name, bytes, and number of predictions."""

JSON = {"Content_Type": "application/json"}

BODIES: list[tuple[str, bytes, dict[str, str], int]] = [
    ("NaN", b'{"features":{"area":NaN,"rooms":1}}', JSON, 422),
    ("Infinity", b'{"features":{"area":Infinity,"rooms":1}}', JSON, 422),
    ("-Infinity", b'{"features":[-Infinity,1]}', JSON, 422),
    ("1e400", b'{"features":{"area":1e400,"rooms":1}}', JSON, 422),
    ("a sum that overflows", b'{"features":[1e308,1e308]}', JSON, 422),
    ("a product that overflows", b'{"features":[1.7e308,-1.7e308]}', JSON, 422),
    ("an integer of 10,000 digits", b'{"features":[' + b"9" * 10_000 + b",1]}", JSON, 422),
    ("a boolean", b'{"features":{"area":true,"rooms":1}}', JSON, 200),
    ("a boolean in a text", b'{"features":{"area":"true","rooms":1}}', JSON, 422),
    ("a boolean as a row", b'{"rows":[true]}', JSON, 422),
    ("a number as text", b'{"features":{"area":"1","rooms":1}}', JSON, 422),
    ("null", b'{"features":{"area":null,"rooms":1}}', JSON, 422),
    ("arrays 30,000 deep", b"[" * 30_000 + b"]" * 30_000, JSON, 400),
    ("objects 10,000 deep", b'{"a":' * 10_000 + b"1" + b"}" * 10_000, JSON, 400),
    ("a feature 30,000 deep", b'{"features":{"area":' + b"[" * 30_000, JSON, 400),
    ("100,000 deep", b"[" * 100_000, JSON, 400),
    ("over the limit", b"[" * (Limits.body_bytes + 1), JSON, 413),
    ("bad UTF-8", b'{"features":{"area":1,"rooms":1},"key":"\xff\xfe"}', JSON, 400),
    ("an overlong UTF-8 sequence", b'{"features":{"area":1,"rooms":1},"key":"\xc0\xaf"}', JSON, 400),
    ("a byte order mark", b"\xef\xbb\xbf" + PREDICT, JSON, 400),
    ("UTF-16", PREDICT.decode().encode("utf-16"), JSON, 400),
    ("UTF-32", PREDICT.decode().encode("utf-32"), JSON, 400),
    ("a feature twice", b'{"features":{"area":1,"area":2,"rooms":1}}', JSON, 400),
    ("a field twice", b'{"features":[1,2],"features":[1,2]}', JSON, 400),
    ("trailing bytes", PREDICT + b"x", JSON, 400),
    ("two documents", PREDICT + PREDICT, JSON, 400),
    ("empty", b"", JSON, 400),
    ("white space", b" \n", JSON, 400),
    ("a NUL", b'{"features":[1,2]}\x00', JSON, 400),
    ("another content type", PREDICT, {"Content_Type": "text/plain"}, 415),
    ("as curl -d says it", PREDICT, {"Content_Type": "application/x-www-form-urlencoded"}, 200),
    ("a form", b"area=1&rooms=2", {"Content_Type": "application/x-www-form-urlencoded"}, 400),
    ("compressed", PREDICT, {**JSON, "Content_Encoding": "gzip"}, 415),
    ("no content type", PREDICT, {}, 200),
    ("a missing feature", b'{"features":{"area":1}}', JSON, 422),
    ("an unknown feature", b'{"features":{"area":1,"rooms":1,"x":1}}', JSON, 422),
    ("an unknown field", b'{"features":[1,2],"x":1}', JSON, 422),
    ("both", b'{"features":[1,2],"rows":[[1,2]]}', JSON, 422),
    ("neither", b"{}", JSON, 422),
    ("no row", b'{"rows":[]}', JSON, 422),
    ("a key that is a number", b'{"features":[1,2],"key":1}', JSON, 422),
    ("a lone surrogate", b'{"features":[1,2],"key":"\\ud800"}', JSON, 400),
]
"""Name, body, fields (underscores are hyphens) and status of predictions of a route with area and rooms."""


def post(body: bytes, *fields: bytes, target: bytes = b"/routes/homes/predict", method: bytes = b"POST") -> bytes:
    """A request with these fields, Host and the body's length besides."""
    lines = b"".join(b"%b\r\n" % field for field in (b"Host: homes", *fields, b"Content-Length: %d" % len(body)))
    return b"%b %b HTTP/1.1\r\n%b\r\n%b" % (method, target, lines, body)


def _bodies() -> list[tuple[str, bytes]]:
    return [
        (name, post(body, *(b"%b: %b" % (k.replace("_", "-").encode(), v.encode()) for k, v in fields.items())))
        for name, body, fields, _ in BODIES
    ]


BIG = b" " * 3_000

V2 = b"/v2/models/homes/infer"
MATRIX = b'{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP64","data":[2,3]}]}'
BINARY = b'{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP64","parameters":{"binary_data_size":16}}]}'
HEADER_LENGTH = b"Inference-Header-Content-Length: %d" % len(BINARY)
INFERENCES = [
    ("v2", post(MATRIX, target=V2)),
    ("v2, a version", post(MATRIX, target=b"/v2/models/homes/versions/v1/infer")),
    ("v2, a version that is not there", post(MATRIX, target=b"/v2/models/homes/versions/v9/infer")),
    ("v2, an unknown route", post(MATRIX, target=b"/v2/models/absent/infer")),
    ("v2, no JSON", post(b"{", target=V2)),
    ("v2, too large", post(BIG, target=V2)),
    ("v2, a text", post(MATRIX.replace(b"2,3", b'2,"3"'), target=V2)),
    ("v2, GET", post(b"", target=V2, method=b"GET")),
    ("v2, binary", post(BINARY + struct.pack("<2d", 2, 3), HEADER_LENGTH, target=V2)),
    ("v2, binary that is short", post(BINARY + b"abc", HEADER_LENGTH, target=V2)),
    ("v2, gzip", post(gzip.compress(MATRIX, mtime=0), b"Content-Encoding: gzip", target=V2)),
    ("v2, an unknown encoding", post(MATRIX, b"Content-Encoding: br", target=V2)),
    ("v2, 64 deep", post(MATRIX[:-1] + b',"x":' + b"[" * 63 + b"]" * 63 + b"}", target=V2)),
    ("v2, 65 deep", post(MATRIX[:-1] + b',"x":' + b"[" * 64 + b"]" * 64 + b"}", target=V2)),
    ("v2, metadata", post(b"", target=b"/v2/models/homes", method=b"GET")),
    ("v2, ready", post(b"", target=b"/v2/health/ready", method=b"GET")),
]

CSV = (b"Content-Type: text/csv", b"Accept: text/csv")

REQUESTS: list[tuple[str, bytes]] = [
    *((name, data) for name, data, _ in UNPARSABLE),
    *((name, data) for name, data, _ in TAKEN),
    *_bodies(),
    *INFERENCES,
    ("by name", post(b'{"features":{"rooms":3,"area":2}}')),
    ("in order", post(b'{"features":[2,3]}')),
    ("rows", post(b'{"rows":[[2,3],{"area":1,"rooms":0}]}')),
    ("a key", post(b'{"features":[2,3],"key":"user-1"}')),
    ("a header as key", post(PREDICT, b"X-User-Id: user-2")),
    ("a request id", post(PREDICT, b"X-Request-Id: abc-1")),
    ("a request id that is replaced", post(PREDICT, b"X-Request-Id: a b")),
    ("a route by Host", post(PREDICT, target=b"/predict")),
    ("of KServe V1", post(b'{"instances":[[2,3]],"key":"u"}', target=b"/v1/models/homes:predict")),
    ("of KServe V1, refused", post(b'{"instances":[[2]]}', target=b"/v1/models/homes%3Apredict")),
    ("of MLflow", post(b'{"inputs":[{"area":2,"rooms":3,"x":1}]}', target=b"/invocations")),
    ("of MLflow, in CSV", post(b"area,rooms\n2,3\n", b"Content-Type: text/csv", target=b"/invocations")),
    ("in CSV, if Accept prefers it", post(b'{"features":[2,3],"key":"a"}', b"Accept: text/csv")),
    (
        "of MLflow, in CSV both ways",
        post(b"area,rooms\n2,3\n", *CSV, target=b"/invocations"),
    ),
    ("of MLflow, refused", post(PREDICT, target=b"/routes/homes/invocations")),
    ("a query", post(PREDICT, target=b"/predict?a=b")),
    ("an escaped target", post(PREDICT, target=b"/routes/h%6fmes/predict")),
    ("a target of invalid UTF-8", post(PREDICT, target=b"/routes/%ff/predict")),
    ("a target with a fragment", post(PREDICT, target=b"/predict#a")),
    ("an absolute target without a path", post(PREDICT, target=b"http://homes")),
    ("an asterisk", post(PREDICT, target=b"*")),
    ("an unknown route", post(PREDICT, target=b"/routes/absent/predict")),
    ("no prediction", post(PREDICT, target=b"/routes/homes")),
    ("GET", post(b"", target=b"/predict", method=b"GET")),
    ("HEAD", post(b"", target=b"/predict", method=b"HEAD")),
    ("PUT with a body", post(PREDICT, target=b"/predict", method=b"PUT")),
    ("OPTIONS", post(b"", target=b"/predict", method=b"OPTIONS")),
    ("no length", HEAD + b"Host: x\r\n\r\n"),
    ("a length with zeros", HEAD + b"Host: x\r\nContent-Length: 0000000033\r\n\r\n" + PREDICT),
    ("HTTP/1.0 that keeps alive", post(PREDICT, b"Connection: keep-alive").replace(b"1.1", b"1.0", 1)),
    ("close", post(PREDICT, b"Connection: close")),
    ("close, in capitals", post(PREDICT, b"Connection: CLOSE")),
    ("close, then another", post(PREDICT, b"Connection: close") + GOOD),
    ("another, then close, then another", GOOD + post(PREDICT, b"Connection: close") + GOOD),
    ("100-continue", post(PREDICT, b"Expect: 100-continue")),
    ("another expectation", post(PREDICT, b"Expect: tea")),
    ("declared too large", post(BIG)),
    ("declared too large, then another", post(BIG) + GOOD),
    ("declared too large, with 100-continue", post(BIG, b"Expect: 100-continue")),
    ("declared too large, and close", post(BIG, b"Connection: close")),
    ("counted too large", CHUNKED + b"BB8\r\n" + BIG + b"\r\n0\r\n\r\n"),
    ("counted too large, then another", CHUNKED + b"BB8\r\n" + BIG + b"\r\n0\r\n\r\n" + GOOD),
    ("counted too large, without an end", CHUNKED + b"FFFF\r\n" + BIG),
    ("as large as allowed", post(PREDICT + b" " * (2_000 - len(PREDICT)))),
    ("chunked", CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (len(PREDICT), PREDICT)),
    ("chunked with trailers, then another", CHUNKED + single(PREDICT) + b"0\r\nA: b\r\nHost: y\r\n\r\n" + GOOD),
    ("too many trailers", CHUNKED + single(PREDICT) + b"0\r\nA: " + b"b" * 9_000 + b"\r\n\r\n"),
    ("an empty line before", b"\r\n" + GOOD),
    ("an empty line after", GOOD + b"\r\n"),
    ("garbage after", GOOD + b"\x00garbage\r\n\r\n"),
    ("garbage after two", GOOD + GOOD + b"\x00garbage\r\n\r\n"),
    ("a bad head after", GOOD + b"POST /predict HTTP/1.1\r\nHost : x\r\n\r\n"),
    ("a head without an end after", GOOD + b"POST /predict HTTP/1.1\r\nHost: x\r\n"),
    ("a head that is too large after", GOOD + b"POST /predict HTTP/1.1\r\nA: " + b"b" * 9_000),
    ("a body without an end after", GOOD + post(PREDICT)[:-3]),
    ("one for the application before", OTHER + GOOD),
    ("one for the application after", GOOD + OTHER),
    ("for both in turn", (GOOD + OTHER) * 4),
    ("an upgrade", post(PREDICT, *H2C.strip().split(b"\r\n"))),
    ("an upgrade, then another", post(PREDICT, *H2C.strip().split(b"\r\n")) + GOOD),
    ("an upgrade after another", GOOD + post(PREDICT, *H2C.strip().split(b"\r\n"))),
    ("an upgrade and close", post(PREDICT, b"Connection: close, Upgrade", b"Upgrade: h2c") + GOOD),
    ("a refused one between two", GOOD + post(b"{") + GOOD),
]
"""Requests for a server with the limits of `wire.LIMITS` and its route `homes`, which is split."""
