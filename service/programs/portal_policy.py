"""What a merchant may set of the pages that customers see. Pure. What the pages show is in `service.portal`."""

import base64
import binascii
import re
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from service.kernel.errors import Invalid
from service.kernel.urls import HTTPS, url_of

GREATEST_LOGO: Final = 24 * 1024
"""Bytes of a picture, decoded."""
_LOGO: Final = re.compile("data:(image/(?:png|jpeg|webp));base64,([A-Za-z0-9+/]+={0,2})")
_BEGINS: Final = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff", "image/webp": b"RIFF"}

Origin = Annotated[
    str,
    Meta(
        max_length=200,
        pattern=r"^https?://[!-~]+$(?!\n)",
        description="A web origin: https, a host in lower case, and a port where it is not the usual one; of test"
        " programs also http. `https://www.example.com`.",
    ),
]
Home = Annotated[
    str,
    Meta(
        max_length=500,
        pattern=r"^https?://[!-~]+$(?!\n)",
        description="An absolute https URL in ASCII, without credentials; of test programs also http.",
    ),
]


class PortalPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How customers' pages look, who may embed them, and what customers may do there.

    `name` null: the program's. `logo` is a picture as a data URL, so that no page asks anybody else for it. Pages of
    the `origins` may read a customer's data with a token of that customer; pages of `framed_by` may show the portal in
    a frame. What customers may do, keys of the role `portal` may do for them.
    """

    name: Annotated[str, Meta(min_length=1, max_length=80)] | None = None
    accent: Annotated[
        str, Meta(pattern="^#[0-9a-fA-F]{6}$(?!\n)", description="A colour; pages take shades of it that can be read.")
    ] = "#2457d6"
    logo: (
        Annotated[
            str,
            Meta(
                max_length=33_000,
                description=f"data:image/png;base64,... (or jpeg, webp), of at most {GREATEST_LOGO} bytes.",
            ),
        ]
        | None
    ) = None
    home: Home | None = None
    origins: Annotated[tuple[Origin, ...], Meta(max_length=20)] = ()
    framed_by: Annotated[tuple[Origin, ...], Meta(max_length=20)] = ()
    may_redeem: bool = False
    may_play: bool = False


class Picture(msgspec.Struct, frozen=True):
    """A picture with its media type."""

    media_type: str
    content: bytes


def picture_of(logo: str) -> Picture | None:
    """Take a logo out of its data URL; None for what is no picture of a known kind."""
    found = _LOGO.fullmatch(logo)
    if found is None:
        return None
    try:
        content = base64.b64decode(found[2], validate=True)
    except binascii.Error:
        return None
    if not content.startswith(_BEGINS[found[1]]) or len(content) > GREATEST_LOGO:
        return None
    return Picture(found[1], content)


def is_origin(text: str) -> bool:
    """Tell whether a text is a web origin as browsers spell it."""
    url = url_of(text)
    if url is None or url.rest or url.fragment is not None or text != f"{url.scheme}://{url.authority}":
        return False
    usual = 443 if url.scheme == HTTPS else 80
    return url.port is None or (0 < url.port < 65_536 and url.port != usual)  # noqa: PLR2004 - ports have 16 bits


def check_portal(policy: PortalPolicy, within: str, *, live: bool) -> None:
    """Refuse pictures that are none, and origins that no browser spells so. Raises Invalid.

    `within` is the pointer to the policy. The link home is checked by who checks links.
    """
    if policy.logo is not None and picture_of(policy.logo) is None:
        detail = f"This is no PNG, JPEG or WebP of at most {GREATEST_LOGO} bytes as a data URL in base64."
        raise Invalid(detail, pointer=f"{within}/logo", reason="invalid_format")
    for name, origins in (("origins", policy.origins), ("framed_by", policy.framed_by)):
        for place, origin in enumerate(origins):
            pointer = f"{within}/{name}/{place}"
            if not is_origin(origin):
                detail = "This is no origin as a browser spells it: scheme, host in lower case, an unusual port."
                raise Invalid(detail, pointer=pointer, reason="invalid_format")
            if live and not origin.startswith(f"{HTTPS}:"):
                raise Invalid("Only test programs may have an origin of http.", pointer=pointer, reason="not_https")
