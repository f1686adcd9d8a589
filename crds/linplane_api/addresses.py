"""IP addresses."""

from ipaddress import IPv6Address, ip_address


def is_loopback(text: str) -> bool:
    """True for a loopback address, also one of IPv4 mapped into IPv6; False for a name."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback
