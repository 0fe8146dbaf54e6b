"""Which addresses departments may have us call: https on the open internet, and nothing that only we can reach. Pure.

A department names the address itself, so without this rule it could have the city's own processes ask the city's own
servers. What a name resolves to is judged too, at every connection, and that very address is connected to.
"""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import urlsplit

import msgspec

from notifications.callbacks.model import URL_CHARACTERS_MAX

Network = IPv4Network | IPv6Network
LOCALHOST: Final = "localhost"
_LABEL: Final = re.compile(r"[a-z0-9_-]{1,63}")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A host whose last part is this is another spelling of an IPv4 address (WHATWG URL, "ends in a number")."""
_CARRIES_IPV4: Final = (
    (IPv6Network("::ffff:0:0/96"), 0),  # RFC 4291 §2.5.5.2, IPv4-mapped
    (IPv6Network("64:ff9b::/96"), 0),  # RFC 6052 §2.1, translated
    (IPv6Network("2002::/16"), 80),  # RFC 3056 §2, 6to4
)
"""IPv6 addresses that lead to an IPv4 one, and how far from the end it stands in them, in bits."""


class Reach(msgspec.Struct, frozen=True):
    """What may be called beside the open internet: `networks` (a government's own, say), and in a demo this machine."""

    networks: Sequence[Network] = ()
    has_loopback: bool = False

    def admits(self, host: str) -> bool:
        """Whether an IP address may be connected to."""
        try:
            found = ip_address(host.partition("%")[0])
        except ValueError:
            return False
        found = _carried(found)
        if any(found.version == network.version and found in network for network in self.networks):
            return True
        if found.is_loopback:
            return self.has_loopback
        is_odd = found.is_multicast or found.is_reserved or found.is_unspecified or found.is_link_local
        if isinstance(found, IPv6Address):
            is_odd = is_odd or found.is_site_local
        return found.is_global and not is_odd

    def wrong_with(self, url: str) -> str | None:
        """What is wrong with an address as it is written; None if we may call it, as far as that tells."""
        if len(url) > URL_CHARACTERS_MAX or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
            return f"an address has at most {URL_CHARACTERS_MAX} printable ASCII characters"
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            return "this is not an address"
        if not host or port == 0 or "@" in parts.netloc or "#" in url:
            return "an address names a host, nobody's user name, and has nothing after a #"
        is_ip = _is_ip(host)
        if not is_ip and not _is_name(host):
            return "an address names a host, or has an IP address as it is usually written"
        is_here = ip_address(host).is_loopback if is_ip else f".{host}".removesuffix(".").endswith(f".{LOCALHOST}")
        if parts.scheme != "https" and not (parts.scheme == "http" and is_here and self.has_loopback):
            return "only https is called"
        if is_here and not self.has_loopback:
            return "an address of this machine is not called"
        if is_ip and not self.admits(host):
            return "an address of a private network is not called"
        return None


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_name(host: str) -> bool:
    """Whether a host is a name (RFC 1123 §2.1, and underscores), and no number in disguise: `127.1`, `0x7f.0.0.1`."""
    labels = host.removesuffix(".").split(".")
    return all(_LABEL.fullmatch(label) for label in labels) and not _NUMBER.fullmatch(labels[-1])


def _carried(found: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one leads to; itself where it leads to none."""
    if isinstance(found, IPv6Address):
        for network, above in _CARRIES_IPV4:
            if found in network:
                return IPv4Address(int(found) >> above & 0xFFFFFFFF)
    return found
