"""Is a server within the house? Media of licensed corpora may go to no other."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit


def is_private(url: str) -> bool:
    """Whether every address of the URL's host is a loopback or private one; False for a host without addresses."""
    addresses = _addresses(urlsplit(url).hostname or "")
    return bool(addresses) and all(map(_is_private, addresses))


def _addresses(host: str) -> list[str]:
    try:
        # The zone of a link-local address ("fe80::1%eth0") says nothing about whose it is.
        return [entry[4][0].partition("%")[0] for entry in socket.getaddrinfo(host, None)]
    except (OSError, UnicodeError):
        return []


def _is_private(text: str) -> bool:
    address = ipaddress.ip_address(text)
    # Older Pythons call every IPv4 address private that is written as one of IPv6.
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_private
