"""The split of users between versions: pure, deterministic, the same in every process, replica and release.

The point of a key is the first 8 bytes, big-endian, of SHA-256(salt, 0x00, key). Shares are hundredths of a
percent; the first candidate takes the points in [0, p), the second those in [1-q, 1), everything between belongs to
the current version. So growing or shrinking one candidate moves no user of the other. The vectors in
tests/unit/api/split_vectors.json fix this.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, repeat
from operator import itemgetter
from typing import Literal

import msgspec

WHOLE = 10_000  # hundredths of a percent
_SPACE = 1 << 64

KeySource = Literal["key", "header", "features"]


def point(salt: str, key: str) -> int:
    """The point of a key, in [0, 2^64). Any string is a key, also one with lone surrogates."""
    return int.from_bytes(_digest(_salted(salt), key)[:8], "big")


def _salted(salt: str) -> "hashlib._Hash":
    """The hash of what precedes each key. A copy of it is made faster than a new one."""
    return hashlib.sha256(salt.encode("utf-8", "surrogatepass") + b"\0")


def _digest(salted: "hashlib._Hash", key: str) -> bytes:
    digest = salted.copy()
    try:
        digest.update(key.encode())
    except UnicodeEncodeError:  # a lone surrogate; to encode with an argument takes longer
        digest.update(key.encode("utf-8", "surrogatepass"))
    return digest.digest()


Group = tuple[Sequence[str], Iterable[Iterable[float]]]
"""Names, and rows of finite values in their order."""


def feature_key(groups: Iterable[Group]) -> str:
    """The key of a request without one: its values in any order, so that a retry gets the same version.

    JSON of the rows, each an object with its names sorted by code point, numbers as Python writes a float. `groups` are
    the rows in their order; what depends on the names alone is done once for a group.
    """
    return f"[{','.join(_texts_of(groups))}]"


def _texts_of(groups: Iterable[Group]) -> Iterator[str]:
    return (_written(names, list(rows)) for names, rows in groups)


def _written(names: Sequence[str], rows: Sequence[Iterable[float]]) -> str:
    ordered = sorted(names)
    cells = [f"{json.dumps(name, ensure_ascii=False).replace('%', '%%')}:%s" for name in ordered]
    values: Iterable[Iterable[float]] = rows
    if ordered != list(names):
        values = map(itemgetter(*(names.index(name) for name in ordered)), map(tuple, rows))
    numbers = _texts(list(map(float, chain.from_iterable(values))))
    return ",".join(repeat("{" + ",".join(cells) + "}", len(rows))) % tuple(numbers)


def _texts(numbers: Sequence[float]) -> Sequence[str]:
    """Each as `repr` writes it. The encoder has the same digits in a tenth of the time, but writes an exponent, and
    numbers between -0.0001 and 0.0001, in other ways.
    """
    text = msgspec.json.encode(numbers).decode()[1:-1]
    texts = text.split(",") if text else []
    if "e" in text or "0.0000" in text:
        return [repr(x) if "e" in t or "0.0000" in t else t for x, t in zip(numbers, texts, strict=True)]
    return texts


class Splitter:
    """The thresholds of one route's split. `shares` are hundredths of a percent of at most two candidates, in order."""

    __slots__ = ("_high", "_low", "_salted")

    def __init__(self, salt: str, shares: tuple[int, ...]) -> None:
        """Raises ValueError for more than two candidates, a share outside of [0, 10000], or a sum over 10000."""
        if len(shares) > 2 or any(not 0 <= share <= WHOLE for share in shares) or sum(shares) > WHOLE:
            raise ValueError("at most two shares, each from 0 to 10000 hundredths of a percent, 10000 in sum")
        self._salted = _salted(salt)
        first, second = (*shares, 0, 0)[:2]
        self._low = _threshold(-(-first * _SPACE // WHOLE))
        self._high = _threshold(-(-(WHOLE - second) * _SPACE // WHOLE))

    def pick(self, key: str) -> int | None:
        """The candidate's index, or None for the current version."""
        return self._candidate(_digest(self._salted, key))

    def picking(self) -> "Picking":
        """A key that comes in parts."""
        return Picking(self._salted.copy(), self._candidate)

    def _candidate(self, digest: bytes) -> int | None:
        if digest < self._low:
            return 0
        return None if digest < self._high else 1


def _threshold(place: int) -> bytes:
    """Returns what exactly the digests of the points below `place` are less than: bytes compare as big-endian numbers,
    and of two that begin alike the shorter is less.
    """
    return place.to_bytes(8, "big") if place < _SPACE else b"\xff" * (hashlib.sha256().digest_size + 1)


class Picking:
    """What `pick` returns for the `feature_key` of rows that come in blocks, none of which is kept."""

    def __init__(self, salted: "hashlib._Hash", candidate: Callable[[bytes], int | None]) -> None:
        """`salted` is the hash of what precedes the key."""
        self._hash = salted
        self._candidate = candidate
        self._before = b"["

    def add(self, groups: Iterable[Group]) -> None:
        """Adds the next rows."""
        for text in _texts_of(groups):
            self._hash.update(self._before + text.encode("utf-8", "surrogatepass"))
            self._before = b","

    def pick(self) -> int | None:
        """The candidate's index, or None for the current version, of all rows, of which there is one at least."""
        self._hash.update(b"]")
        return self._candidate(self._hash.digest())
