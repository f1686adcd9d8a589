"""Numbers of bytes on the command line."""

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.utils import parse_quantity

from linplane_api.resources import MAX_BODY_BYTES, MIN_BODY_BYTES
from linplane_cli.byte_count import ByteCount
from linplane_cli.local import MAX_BODY

BYTES = ByteCount(1024, 16 * 1024 * 1024)


def test_bounds_of_max_body_are_those_of_a_model_server() -> None:
    assert (MAX_BODY.least, MAX_BODY.most) == (MIN_BODY_BYTES, MAX_BODY_BYTES)


@given(st.integers(0, 20_000_000), st.sampled_from(["", "k", "M", "Ki", "Mi"]))
def test_number_of_bytes_is_that_of_kubernetes_within_its_bounds(number: int, suffix: str) -> None:
    text = f"{number}{suffix}"
    expected = parse_quantity(text)
    if 1024 <= expected <= 16 * 1024 * 1024:
        assert BYTES.convert(text, None, None) == expected
    else:
        with pytest.raises(click.BadParameter, match="is not in the range from 1024 to 16777216 bytes"):
            BYTES.convert(text, None, None)


@pytest.mark.parametrize("text", ["", "x", "4MiB", "4 Mi", "-4Mi", "1.5Mi", "1e6", "4Gi", "4m", "٤Ki"])
def test_number_of_bytes_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a number of bytes, such as 65536, 512Ki or 4Mi"):
        BYTES.convert(text, None, None)
