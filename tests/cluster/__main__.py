"""Obtains the programs of a control plane and prints where they are."""

import sys

from .binaries import BinariesMissingError, find_binaries


def main() -> int:
    """The exit code: 1 where one cannot be obtained."""
    try:
        binaries = find_binaries(obtain=True)
    except BinariesMissingError as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(map(str, binaries.values())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
