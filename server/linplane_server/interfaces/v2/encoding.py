"""Compression of bodies: gzip (RFC 1952), and deflate in the zlib format (RFC 1950), by RFC 9110, 8.4.1."""

import zlib
from collections.abc import Iterator

from ...errors import Malformed, TooLarge, UnsupportedBody
from ...predict.interface import Content, Slices
from ..accept import weights
from ..content_type import IDENTITY, content_coding

_WINDOW_BITS = {b"gzip": 16 + zlib.MAX_WBITS, b"x-gzip": 16 + zlib.MAX_WBITS, b"deflate": zlib.MAX_WBITS}

WORTHWHILE = 1024
"""Smaller responses are not compressed, in bytes."""

PART = 1 << 16
"""Bytes that are compressed at once, or made by decompression: a millisecond or two."""

_LEVEL = 1  # doubles have little redundancy: higher levels take several times as long, and save few per cent


def decompressed(body: bytes, coding: bytes | None, limit: int) -> Slices[bytes]:
    """Returns the body without its Content-Encoding `coding`. At most `limit` bytes and a part are produced.

    Raises UnsupportedBody for an unknown coding, TooLarge, and Malformed.
    """
    coding = content_coding(coding)
    if coding == IDENTITY:
        return body
    bits = _WINDOW_BITS.get(coding)
    if bits is None:
        raise UnsupportedBody("the body may be compressed by gzip or deflate, and by nothing else")
    result = bytearray()
    try:
        for part in _inflated(body, zlib.decompressobj(bits)):
            result += part
            if len(result) > limit:
                raise TooLarge(f"the decompressed body is over {limit} bytes; send fewer rows per request")
            yield
    except zlib.error:
        raise Malformed("the body is not compressed as Content-Encoding says") from None
    return bytes(result)


def _inflated(body: bytes, stream: "zlib._Decompress") -> Iterator[bytes]:
    """Yields at most PART bytes at a time, made of as many at most."""
    for begin in range(0, len(body), PART):
        data, part = body[begin : begin + PART], b""
        while data or len(part) == PART:
            part = stream.decompress(data, PART)
            yield part
            if stream.eof and not stream.unused_data and begin + PART >= len(body):
                return
            data = stream.unconsumed_tail
        if stream.eof:
            break
    raise Malformed("the compressed body is truncated, or followed by other data")


def response_coding(accepted: bytes | None, length: int | None) -> bytes | None:
    """Returns gzip or deflate if the Accept-Encoding `accepted` names it and a body of `length` is worth it; None is
    that of a large one.
    """
    if not accepted or (length is not None and length < WORTHWHILE):
        return None
    found = weights(accepted)
    return next((coding for coding in (b"gzip", b"deflate") if found.get(coding, 0) > 0), None)


def compressed(body: Content, coding: bytes) -> Content:
    """Returns the body in this coding, in parts if it is large or comes in parts."""
    parts = _parts(body) if isinstance(body, bytes) else body
    result = _compressed(parts, zlib.compressobj(_LEVEL, wbits=_WINDOW_BITS[coding]))
    return b"".join(result) if isinstance(body, bytes) and len(body) <= PART else result


def _parts(body: bytes) -> Iterator[bytes]:
    return (body[begin : begin + PART] for begin in range(0, len(body), PART))


def _compressed(parts: Iterator[bytes], stream: "zlib._Compress") -> Iterator[bytes]:
    yield from map(stream.compress, parts)
    yield stream.flush()
