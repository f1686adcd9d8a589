"""Numbers of bytes on the command line."""

import re

import click

_FACTORS = {"": 1, "k": 1000, "M": 1000**2, "Ki": 1024, "Mi": 1024**2}
_parts = re.compile(r"([0-9]{1,9})(|k|M|Ki|Mi)", re.ASCII).fullmatch


class ByteCount(click.ParamType[int]):
    """A whole number of bytes from `least` to `most`, with k, M, Ki or Mi as in a quantity of Kubernetes.

    The parser of the kubernetes package, which takes fractions and exponents as well, comes with the operator's
    libraries, which local mode does not need.
    """

    name = "bytes"

    def __init__(self, least: int, most: int) -> None:
        """See the class."""
        self.least = least
        self.most = most

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Returns the number. Fails if the text is none, or out of range."""
        found = _parts(str(value))
        if found is None:
            self.fail(f"{value!r} is not a number of bytes, such as 65536, 512Ki or 4Mi", param, ctx)
        count = int(found[1]) * _FACTORS[found[2]]
        if not self.least <= count <= self.most:
            self.fail(f"{value} is not in the range from {self.least} to {self.most} bytes", param, ctx)
        return count
