"""Damages requests at random, for tests that no body makes the server fail or keep memory. CANARY and NUMBER are values
that no answer may repeat.
"""

import copy
import gc
import random
import sys
from collections.abc import Iterator
from typing import Any

CANARY = "c4n4ry"
NUMBER = 918273645.5
JUNK: list[Any] = [
    None, True, 0, -1, 1, 2, NUMBER, 1e308, 2**64, 10**30, 10**309, 3.0, "", CANARY, [], {}, [[]], [CANARY], [NUMBER],
    {CANARY: CANARY}, "FP32", "BOOL", "BYTES", "INT8", "area", [1, 1], [2, 2], [0, 2], [10**12, 3],
]  # fmt: skip
NUMBERS = [0, -1, 3.0, 0.5, 1e308, 2**64, 10**309, -(10**309)]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container with each of its keys, so each place that can be replaced."""
    found: list[tuple[Any, Any]] = []
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            found += [(value, key), *places(value[key])]
    return found


def damage_json(body: dict[str, Any], chance: random.Random) -> None:
    """Replaces, removes or repeats a part."""
    choices = places(body)
    if not choices:
        return
    container, key = chance.choice(choices)
    action = chance.randrange(5)
    if action == 0:
        del container[key]
    elif action == 1 and isinstance(container, list):
        container.insert(key, copy.deepcopy(container[key]))
    elif action == 2 and type(container[key]) in (int, float):
        container[key] = chance.choice(NUMBERS)
    else:
        container[key] = copy.deepcopy(chance.choice(JUNK))


def damage_bytes(data: bytes, chance: random.Random) -> bytes:
    """Changes, removes or repeats some bytes."""
    start = chance.randrange(len(data) + 1)
    end = min(len(data), start + chance.randrange(8))
    new = [b"", chance.randbytes(3), data[start:end] * 2, b'"', b",", b"[" * 200, b"NaN", b"1e999"]
    return data[:start] + chance.choice(new) + data[end:]


def in_flat_memory(count: int) -> Iterator[int]:
    """Yields 0 to `count` - 1, one for each request. Raises AssertionError at the end if the second half of them left
    objects behind: more than one per ten requests, counted as CPython's blocks of up to 512 bytes.
    """
    before = 0
    for number in range(count):
        if number == count // 2:
            before = _blocks()
        yield number
    left = _blocks() - before
    assert left < count / 2 / 10, f"{left} blocks after {count / 2:.0f} requests"


def _blocks() -> int:
    gc.collect()
    return sys.getallocatedblocks()
