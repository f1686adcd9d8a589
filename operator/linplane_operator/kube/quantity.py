"""Quantities as the API server compares them: it writes 0.5 as 500m, and 1024Mi as 1Gi."""

import re
from decimal import Decimal

_FORM = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?[0-9]{1,3}))?")
_DECIMAL = {name: Decimal(1000) ** power for power, name in enumerate("num", start=-3)} | {
    name: Decimal(1000) ** power for power, name in enumerate("kMGTPE", start=1)
}
_BINARY = {f"{name}i": Decimal(1024) ** power for power, name in enumerate("KMGTPE", start=1)}
_FACTORS = _DECIMAL | _BINARY | {None: Decimal(1)}


def value(quantity: object) -> Decimal | None:
    """What a quantity is worth; None where it is none."""
    found = _FORM.fullmatch(str(quantity))
    if found is None:
        return None
    number, suffix, exponent = found.groups()
    return Decimal(number) * _FACTORS[suffix] * Decimal(10) ** int(exponent or 0)


def is_same(one: object, other: object) -> bool:
    """Two quantities are worth the same, or are the same text."""
    worth = value(one)
    return one == other or (worth is not None and worth == value(other))
