"""A fresh key on the curve P-256 for the tokens of service accounts; for tests only, as it is not constant-time."""

import base64
import secrets
from pathlib import Path

# NIST SP 800-186, 3.2.1.3
_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_PRIME256V1 = bytes.fromhex("06082a8648ce3d030107")

Point = tuple[int, int]


def make_key(file: Path) -> None:
    """Writes a private key as PEM (SEC 1); it contains the public half."""
    number = 1 + secrets.randbelow(_N - 1)
    encoded = base64.encodebytes(_encode(number)).decode()
    file.write_text(f"-----BEGIN EC PRIVATE KEY-----\n{encoded}-----END EC PRIVATE KEY-----\n")


def _encode(number: int) -> bytes:
    """ECPrivateKey of RFC 5915 in DER."""
    public = b"\x00\x04" + b"".join(part.to_bytes(32, "big") for part in _times(number))
    parts = _der(0x02, b"\x01"), _der(0x04, number.to_bytes(32, "big")), _der(0xA0, _PRIME256V1)
    return _der(0x30, b"".join(parts) + _der(0xA1, _der(0x03, public)))


def _der(tag: int, content: bytes) -> bytes:
    assert len(content) < 128
    return bytes([tag, len(content)]) + content


def _times(number: int) -> Point:
    """The base point times a number from 1 to the order less 1, by doubling and adding."""
    result: Point | None = None
    for bit in f"{number:b}":
        result = _add(result, result) if result else None
        if bit == "1":
            result = _add(result, _G) if result else _G
    assert result
    return result


def _add(one: Point, other: Point) -> Point:
    """The sum of two points of which neither is the other's negative."""
    (x, y), (u, v) = one, other
    slope = (3 * x * x - 3) * pow(2 * y, -1, _P) if one == other else (v - y) * pow(u - x, -1, _P)
    across = (slope * slope - x - u) % _P
    return across, (slope * (x - across) - y) % _P
