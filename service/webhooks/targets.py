"""Where a webhook may lead: which URLs are well formed, and which addresses are of the public internet. Pure.

An address is asked about twice: when a URL is saved, and each time that a connection is made. What is no plain public
address is refused, however it is spelled; there is no list of spellings to go around.
"""

import re
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final, TypeAlias

import msgspec

from service.kernel.errors import Invalid

Address: TypeAlias = IPv4Address | IPv6Address

HTTPS_PORT: Final = 443
HTTP_PORT: Final = 80
LOWEST_FREE_PORT: Final = 1024
GREATEST_PORT: Final = 65535
_LONGEST_NAME: Final = 253

# Visible ASCII. No `@`, `\`, `%`, blank or line feed before the path; no fragment at all.
_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?(?P<rest>[/?][!-~]*)?",
    re.IGNORECASE,
)
_FORBIDDEN_IN_PATH: Final = re.compile(r'[#\\<>"{}|^`]')
_LABEL: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_LIKE_A_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A last label that resolvers read as a number, and so the whole name as an address."""
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
    found = _URL.fullmatch(url)
    if found is None or _FORBIDDEN_IN_PATH.search(found["rest"] or ""):
        detail = (
            "This is an absolute https URL in ASCII (a name in another script as `xn--`), without a user, a password"
            " or a fragment."
        )
        raise _bad(detail, "invalid_format")
    scheme, host = found["scheme"].lower(), found["host"].lower()
    if scheme != "https" and not anywhere:
        raise _bad("Only https is spoken to webhooks.", "not_https")
    port = int(found["port"]) if found["port"] else HTTPS_PORT if scheme == "https" else HTTP_PORT
    if not (1 <= port <= GREATEST_PORT and (anywhere or port == HTTPS_PORT or port >= LOWEST_FREE_PORT)):
        raise _bad(f"The port is {HTTPS_PORT}, or from {LOWEST_FREE_PORT} to {GREATEST_PORT}.", "bad_port")
    address = _literal(host)
    if address is None:
        _check_name(host, anywhere=anywhere)
    elif not (anywhere or is_public(address)):
        raise not_public()
    authority = host if found["port"] is None else f"{host}:{found['port']}"
    return Target(f"{scheme}://{authority}{found['rest'] or '/'}", host.strip("[]"), port, address)


def not_public() -> Invalid:
    """Make the refusal of an address."""
    return _bad("This leads to an address that is not of the public internet.", "address_not_public")


def _literal(host: str) -> Address | None:
    """Read a host as a literal address; None where it is a name. Raises Invalid for an odd spelling of an address."""
    try:
        if host.startswith("["):
            return IPv6Address(host[1:-1])
        last = host.removesuffix(".").rpartition(".")[2]
        return IPv4Address(host) if _LIKE_A_NUMBER.fullmatch(last) else None
    except AddressValueError:
        raise _bad("This is no plain spelling of an address.", "invalid_format") from None


def _check_name(name: str, *, anywhere: bool) -> None:
    labels = name.split(".")
    if len(name) > _LONGEST_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise _bad("This host is no name.", "invalid_format")
    inner = len(labels) == 1 or name.endswith(tuple(f".{end}" for end in _INSIDE))
    if inner and not anywhere:
        raise not_public()


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
