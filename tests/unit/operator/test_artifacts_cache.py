"""Artifacts are parsed once."""

from linplane_operator.compile import artifacts
from unit.operator.builders import text


def test_artifacts_are_parsed_once_each() -> None:
    artifacts._parse.cache_clear()
    texts = [text(slope=float(number)) for number in range(3000)]
    for _ in range(2):
        for one in texts:
            artifacts._parse(one)
    assert artifacts._parse.cache_info().misses == len(texts)
