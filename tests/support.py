"""Helpers that several test folders share."""

import os
import time
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")


def eventually(check: Callable[[], T], timeout: float = 30.0, interval: float = 0.02) -> T:
    """Calls `check` until it returns something true, and returns that.

    An AssertionError or OSError counts as not yet. At the timeout (seconds) the last one is raised, or an
    AssertionError that says what was seen.
    """
    deadline = time.monotonic() + timeout
    while True:
        last: BaseException | None = None
        value: T | None = None
        try:
            value = check()
        except (AssertionError, OSError) as error:
            last = error
        if value:
            return value
        if time.monotonic() > deadline:
            raise last or AssertionError(f"not within {timeout} s; last seen: {value!r}")
        time.sleep(interval)


def is_ci() -> bool:
    """Whether a test that cannot run is a failure."""
    return os.environ.get("CI", "").lower() in ("true", "1")


def sized(name: str, *, short: object, full: object) -> pytest.MarkDecorator:
    """Gives a test an argument in two sizes: `make test` runs it with `short`, `make thorough` with `full`.

    A test that has only a full size is marked `pytest.mark.thorough` instead. A full size that takes more than two
    minutes needs `pytest.mark.timeout` as well.
    """
    long = pytest.param(full, id="full", marks=pytest.mark.thorough)
    return pytest.mark.parametrize(name, [pytest.param(short, id="short"), long])
