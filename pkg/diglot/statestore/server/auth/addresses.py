"""Which addresses count as one client."""

from __future__ import annotations

import ipaddress


def client_of(address: str) -> str:
    """The client behind an address. An IPv6 client can choose from a whole /64, so that counts as one client."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))
    return address
