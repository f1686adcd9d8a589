"""Columns of PostgreSQL as Parquet has them. PURE."""

import re

import pyarrow as pa

from .csv_numbers import NumberRules, by_rules

NUMERIC = frozenset({"int2", "int4", "int8", "float4", "float8", "bool", "numeric"})
KEYS = frozenset({"int2", "int4", "int8", "text", "varchar", "bpchar"})
TYPE = b"POSTGRESQL:type"
"""The driver's metadata with the type's name: its Arrow types are those of `money`, `oid` and others too."""
RULES = NumberRules()


def type_name(field: pa.Field) -> str:
    """PostgreSQL's name of a column's type; of an array that of its items, after a `_`."""
    name = (field.metadata or {}).get(TYPE, b"").decode()
    return name if re.fullmatch(r"\w+", name) else "other"


def values_of(column: pa.Array, kind: str) -> pa.Array:
    """A column of a type in NUMERIC. Those of `numeric`, which the driver gives as text, are doubles, NaN for a gap."""
    if kind != "numeric":
        return column
    text = column.storage if isinstance(column, pa.ExtensionArray) else column
    numbers = by_rules(text.fill_null("").cast(pa.binary()), RULES)
    assert numbers is not None, "every numeric is a number"
    return pa.array(numbers, pa.float64())
