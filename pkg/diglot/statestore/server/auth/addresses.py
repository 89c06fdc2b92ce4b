"""Which addresses are one client."""

from __future__ import annotations

import ipaddress


def client_of(address: str) -> str:
    """The client behind an address. An IPv6 client has a whole /64 to choose from, so that counts as one."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))
    return address
