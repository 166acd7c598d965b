"""URLs of the web: which are plain, and what they are made of. Pure.

Libraries differ about odd spellings, and what one of them takes for a name is a user or an address to the next. So what
is not plain is no URL here.
"""

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final, TypeAlias

import msgspec

Address: TypeAlias = IPv4Address | IPv6Address

GREATEST_PORT: Final = 65535
HTTPS: Final = "https"
_LONGEST_NAME: Final = 253

# Visible ASCII. No `@`, `\`, `%`, blank or line feed before the path.
_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?(?P<rest>[/?][!-~]*)?",
    re.IGNORECASE,
)
_FRAGMENT: Final = re.compile("[!-~]*")
_FORBIDDEN: Final = re.compile(r'[#\\<>"{}|^`]')
_LABEL: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_LIKE_A_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A last label that resolvers read as a number, and so the whole name as an address."""


class Url(msgspec.Struct, frozen=True):
    """An absolute URL of http or https in ASCII, without a user and a password.

    `scheme` and `host` are in lower case, the host of an IPv6 address in brackets; `address` is the host where that is
    a literal address, else it is a name. `port` is the number that is told, 0 to 99999, or None; `authority` is the
    host with it. `rest` is path and query as they were given, empty or beginning with `/` or `?`; `fragment` is what
    follows the `#`, None without one.
    """

    scheme: str
    host: str
    port: int | None
    authority: str
    rest: str
    fragment: str | None
    address: Address | None


def url_of(text: str) -> Url | None:
    """Take a URL apart; None for what is no plain one."""
    before, mark, fragment = text.partition("#")
    found = _URL.fullmatch(before)
    if found is None or _FRAGMENT.fullmatch(fragment) is None:
        return None
    rest, host = found["rest"] or "", found["host"].lower()
    if _FORBIDDEN.search(rest + fragment):
        return None
    try:
        address = _literal(host)
    except AddressValueError:
        return None
    if address is None and not _is_name(host):
        return None
    port, authority = (int(found["port"]), f"{host}:{found['port']}") if found["port"] else (None, host)
    return Url(found["scheme"].lower(), host, port, authority, rest, fragment if mark else None, address)


def _literal(host: str) -> Address | None:
    """Read a host as a literal address; None where it is a name. Raises AddressValueError for an odd spelling."""
    if host.startswith("["):
        return IPv6Address(host[1:-1])
    last = host.removesuffix(".").rpartition(".")[2]
    return IPv4Address(host) if _LIKE_A_NUMBER.fullmatch(last) else None


def _is_name(host: str) -> bool:
    return len(host) <= _LONGEST_NAME and all(_LABEL.fullmatch(label) for label in host.split("."))
