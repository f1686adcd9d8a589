"""Obtains the programs that the integration tests need and prints their paths."""

import sys

from . import clients, judges
from .binaries import TEST_PROGRAMS, find_binaries
from .gobuild import BinariesMissingError


def main() -> int:
    """The exit code: 1 if a program cannot be obtained."""
    try:
        programs = find_binaries(TEST_PROGRAMS, obtain=True) | judges.obtain() | clients.obtain()
    except BinariesMissingError as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(map(str, programs.values())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
