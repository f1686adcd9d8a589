"""A file behind http or https that is read in parts, from any place: RFC 9110, 14 (ranges) and 13.1.1 (`If-Match`).

Each part is a download of its own, so that every rule for hosts, addresses and redirects holds for it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import BadData, TrainingFailed
from .download import Download, Network, download
from .ranges import RangedFile
from .uri_rules import Rules

NO_PARTS = "the URI's host does not serve parts of a file, which Parquet needs: use a claim, s3, or CSV"
CHANGED = "the file behind the URI changed while it was read"
STATUSES = (200, 206, 412, 416)
CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")

Ask = Callable[[Mapping[str, str]], Download]
"""Requests the file with more fields in the head."""


@dataclass(frozen=True)
class Stamp:
    """What differs between two states of a file: its entity tag or, if a host gives none, its date."""

    tag: str
    date: str

    @classmethod
    def of(cls, response: Download) -> "Stamp":
        """That of a response."""
        return cls(response.header("ETag"), response.header("Last-Modified"))

    @property
    def condition(self) -> dict[str, str]:
        """The field by which a host itself refuses another state; empty for a weak tag, which would never match."""
        return {"If-Match": self.tag} if self.tag.startswith('"') else {}

    def differs(self, other: "Stamp") -> bool:
        """Whether another response is known to be of another state: it may leave both out."""
        pairs = ((self.tag, other.tag), (self.date, other.date))
        known = next((pair for pair in pairs if all(pair)), ("", ""))
        return known[0] != known[1]


class UriBytes:
    """A file behind a URI, read in order by one request, or by one for each part."""

    def __init__(self, uri: str, rules: Rules, network: Network) -> None:
        """Sends the first request. Raises TrainerError."""
        self._ask: Ask = lambda fields: download(uri, rules, network, fields, STATUSES)
        self._first = download(uri, rules, network)
        self._file: RangedFile | None = None
        self.size = self._first.size

    def read(self, size: int) -> bytes:
        """At most `size` bytes."""
        return self._first.read(size)

    def random_access(self) -> Any:
        """The file in parts. Raises BadData if the host does not serve them, or TrainingFailed."""
        self._first.close()
        parts = Parts(self._ask, self.size, Stamp.of(self._first))
        self.size = parts.size
        self._file = RangedFile(parts.size, parts.fetch)
        return self._file

    def close(self) -> None:
        """Ends the connection, or that of the part that is being read."""
        self._first.close()
        if self._file is not None:
            self._file.close()


class Parts:
    """The parts of one state of a file. `size` is the file's, in bytes."""

    def __init__(self, ask: Ask, size: int | None, stamp: Stamp) -> None:
        """`size` and `stamp`: those of the first response. Requests the first byte if the size is unknown. Raises
        TrainerError.
        """
        self._ask, self._stamp = ask, stamp
        self.size = self._asked_size() if size is None else size

    def fetch(self, start: int, length: int) -> bytes:
        """That many bytes. Raises TrainerError."""
        data = bytearray()
        while len(data) < length:
            data += self._part(start + len(data), start + length)
        return bytes(data)

    def _asked_size(self) -> int:
        response = self._ask(self._fields(0, 1))
        response.close()
        return self._content_range(response)[2]

    def _fields(self, start: int, end: int) -> dict[str, str]:
        return {"Range": f"bytes={start}-{end - 1}", **self._stamp.condition}

    def _part(self, start: int, end: int) -> bytes:
        """The bytes from `start` to `end`, or fewer if the host gives fewer, but at least one."""
        response = self._ask(self._fields(start, end))
        try:
            first, last, total = self._content_range(response)
            if total != self.size:
                raise TrainingFailed(CHANGED)
            if first != start or not first <= last < end:
                raise TrainingFailed("the URI's host answered with another part than the one requested")
            return _exactly(response, last + 1 - first)
        finally:
            response.close()

    def _content_range(self, response: Download) -> tuple[int, int, int]:
        """The part that the response has: first and last byte, and the size of the file. Raises TrainerError if it has
        none, or another state of the file.
        """
        if response.status == 200:
            raise BadData(NO_PARTS)
        if response.status != 206 or self._stamp.differs(Stamp.of(response)):
            raise TrainingFailed(CHANGED)
        match = CONTENT_RANGE.fullmatch(response.header("Content-Range"))
        if match is None:
            raise BadData(NO_PARTS)
        first, last, total = map(int, match.groups())
        return first, last, total


def _exactly(response: Download, length: int) -> bytes:
    data = bytearray()
    while len(data) < length and (more := response.read(length - len(data))):
        data += more
    if len(data) < length:
        raise TrainingFailed(f"the download broke off, {length - len(data)} bytes short")
    return bytes(data)
