"""Which addresses are of this machine alone."""

import pytest

from linplane_api.addresses import is_loopback


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.0.1", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1"])
def test_loopback_addresses(address: str) -> None:
    assert is_loopback(address)


@pytest.mark.parametrize("address", ["10.0.0.1", "::ffff:10.0.0.1", "::", "0.0.0.0", "localhost", "", "127.0.0.1:80"])
def test_loopback_is_no_other_address_or_name(address: str) -> None:
    assert not is_loopback(address)
