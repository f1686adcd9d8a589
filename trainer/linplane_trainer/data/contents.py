"""The contents of a source's bytes: unpacked, if they are gzip, bzip2 or zstd. Streamed: what a small file unpacks to
costs time and no memory.
"""

import bz2
import io
from typing import Any

import pyarrow as pa

from ..errors import BadData
from .file_kind import MAGIC_BYTES, packing_of
from .source import Readable

BUFFER_BYTES = 1 << 18


class Contents:
    """A stream of the contents, without short reads. `packing` is `gzip`, `bzip2`, `zstd`, or empty. Reading raises
    TrainerError.
    """

    def __init__(self, raw: Readable) -> None:
        """Reads the first bytes, which say whether the others are packed. Does not own them."""
        packed = io.BufferedReader(raw, BUFFER_BYTES)
        magic = packed.read(MAGIC_BYTES)
        self.packing = packing_of(magic)
        self.stream = joined(magic, packed)
        if self.packing:
            self.stream = io.BufferedReader(_Unpacked(self.stream, self.packing), BUFFER_BYTES)


def joined(ahead: bytes, rest: "io.BufferedReader[Any]") -> "io.BufferedReader[Any]":
    """The bytes that were read ahead, then the rest; without short reads, which pyarrow would take for blocks."""
    return io.BufferedReader(_Joined(ahead, rest), BUFFER_BYTES)


class _Joined(io.RawIOBase):
    def __init__(self, ahead: bytes, rest: "io.BufferedReader[Any]") -> None:
        super().__init__()
        self._ahead, self._rest = memoryview(ahead), rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._ahead:
            return self._rest.readinto(buffer)
        part, self._ahead = self._ahead[: len(buffer)], self._ahead[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


class _Unpacked(io.RawIOBase):
    """All members of a file are one stream, by RFC 1952 (2.2), RFC 8878 (3) and bzip2's manual."""

    def __init__(self, packed: "io.BufferedReader[Any]", packing: str) -> None:
        super().__init__()
        self._packing = packing
        self._stream = _Bzip2(packed) if packing == "bzip2" else pa.CompressedInputStream(packed, packing)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._stream.read(len(buffer))
        except OSError as error:
            raise BadData(self._damage("Truncated" in str(error))) from None
        buffer[: len(data)] = data
        return len(data)

    def _damage(self, is_cut_off: bool) -> str:
        if is_cut_off:
            return f"the {self._packing} file is cut off: its end is missing"
        window = ", or is packed with a window of more than 128 MiB" if self._packing == "zstd" else ""
        return f"the {self._packing} file is damaged, or followed by something else{window}"


class _Bzip2:
    """As pyarrow's stream, which fails on an empty member that others follow."""

    def __init__(self, packed: "io.BufferedReader[Any]") -> None:
        self._packed, self._member = packed, bz2.BZ2Decompressor()

    def read(self, size: int) -> bytes:
        """At most `size` bytes, b"" only at the end. Raises OSError."""
        while True:
            ahead = self._member.unused_data
            if not ahead and (self._member.eof or self._member.needs_input):
                ahead = self._packed.read(BUFFER_BYTES)
                if not ahead and self._member.eof:
                    return b""
                if not ahead:
                    raise OSError("Truncated stream")
            if self._member.eof:
                self._member = bz2.BZ2Decompressor()
            if data := self._member.decompress(ahead, size):
                return data
