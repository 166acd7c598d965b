"""Where a webhook may lead: which URLs are well formed, and which addresses are of the public internet. Pure.

An address is asked about twice: when a URL is saved, and each time that a connection is made. What is no plain public
address is refused, however it is spelled; there is no list of spellings to go around.
"""

from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

import msgspec

from service.kernel.errors import Invalid
from service.kernel.urls import GREATEST_PORT, HTTPS, Address, url_of

HTTPS_PORT: Final = 443
HTTP_PORT: Final = 80
LOWEST_FREE_PORT: Final = 1024
_INSIDE: Final = (
    "localhost",
    "localdomain",
    "local",
    "internal",
    "intranet",
    "lan",
    "home",
    "corp",
    "private",
    "home.arpa",
)
"""Ends of names that mean something else in each network."""

_NOT_PUBLIC_4: Final = tuple(
    IPv4Network(each)
    for each in (
        "0.0.0.0/8",  # this network, and unspecified
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by carriers; Alibaba's metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's platform
        "169.254.0.0/16",  # link-local; metadata of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocols; Oracle's metadata
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
_PUBLIC_6: Final = IPv6Network("2000::/3")
"""All else is loopback, mapped, translated, local, multicast or not given out yet."""
_NOT_PUBLIC_6: Final = tuple(
    IPv6Network(each)
    for each in (
        "2001::/23",  # protocols: Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address within
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
_ISATAP: Final = 0x5EFE
_ISATAP_BITS: Final = 0xFCFF_FFFF


class Target(msgspec.Struct, frozen=True):
    """A well-formed URL. `address` is the host where that is a literal address, else `host` is a name to look up."""

    url: str
    host: str
    port: int
    address: Address | None


def target_of(url: str, *, anywhere: bool = False) -> Target:
    """Read a URL as a place that messages may be sent to. Raises Invalid.

    `anywhere`: for development, also http, inner names, any port and any address.
    """
    found = url_of(url)
    if found is None or found.fragment is not None:
        detail = (
            "This is an absolute https URL in ASCII (a name in another script as `xn--`), without a user, a password"
            " or a fragment, and with a plain name or address."
        )
        raise _bad(detail, "invalid_format")
    if found.scheme != HTTPS and not anywhere:
        raise _bad("Only https is spoken to webhooks.", "not_https")
    usual = HTTPS_PORT if found.scheme == HTTPS else HTTP_PORT
    port = usual if found.port is None else found.port
    if not (1 <= port <= GREATEST_PORT and (anywhere or port == HTTPS_PORT or port >= LOWEST_FREE_PORT)):
        raise _bad(f"The port is {HTTPS_PORT}, or from {LOWEST_FREE_PORT} to {GREATEST_PORT}.", "bad_port")
    if not (anywhere or _is_public_host(found.host, found.address)):
        raise not_public()
    return Target(f"{found.scheme}://{found.authority}{found.rest or '/'}", found.host.strip("[]"), port, found.address)


def not_public() -> Invalid:
    """Make the refusal of an address."""
    return _bad("This leads to an address that is not of the public internet.", "address_not_public")


def _is_public_host(host: str, address: Address | None) -> bool:
    if address is not None:
        return is_public(address)
    return "." in host and not host.endswith(tuple(f".{end}" for end in _INSIDE))


def is_public(address: Address) -> bool:
    """Tell whether an address is of the public internet, and holds no other address within."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    if address.scope_id is not None or address not in _PUBLIC_6:
        return False
    holds_another = int(address) >> 32 & _ISATAP_BITS == _ISATAP
    return not holds_another and not any(address in network for network in _NOT_PUBLIC_6)


def address_of(text: str) -> Address | None:
    """Read an address as a connection is told it; None for every odd spelling."""
    try:
        return IPv6Address(text) if ":" in text else IPv4Address(text)
    except AddressValueError:
        return None


def _bad(detail: str, reason: str) -> Invalid:
    return Invalid(detail, pointer="/url", reason=reason)
