"""Pages out of templates. Everything that is put in is escaped; a name that a template doesn't get is a fault."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from service.portal.pages import earning, history, offers
from service.portal.pages.texts import OWN_NAMES, TAGS
from service.portal.pages.words import Words
from service.portal.schemas import Everything, MyTransactionOut
from service.referrals.codes.links import qr_svg

FOLDER: Final = Path(__file__).parent
MOST_PICTURED: Final = 10
"""Vouchers that get a QR code at once: drawing one takes some milliseconds."""
_MANY_DIGITS: Final = 9

_environment: Final = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)


class Look(msgspec.Struct, frozen=True):
    """What a partner's pages look like: the name, the six digits of the accent, where the logo is, the way home."""

    name: str
    accent: str
    logo: str | None
    home: str | None


PLAIN: Final = Look("", "2457d6", None, None)
"""The look where nobody knows whose page it would be."""


class Forms(msgspec.Struct, frozen=True):
    """What forms of a page carry: the token bound to the session, and a maker of keys for commands."""

    token: str
    new_key: Callable[[], str]


class Notice(msgspec.Struct, frozen=True):
    """What became of what the customer just did: `kind` is good, sad or bad. `prize` is what a play brought."""

    kind: str
    text: Markup
    prize: Markup | None = None


class Chrome(msgspec.Struct, frozen=True):
    """What surrounds every page: its address for the links to other languages, the languages, a notice."""

    path: str
    version: str
    notice: Notice | None = None


def page(
    everything: Everything,
    *,
    words: Words,
    look: Look,
    chrome: Chrome,
    forms: Forms,
    names: offers.Names,
    tier_share: int | None,
) -> str:
    """Render the page of a customer. `tier_share` is how much of the way to the next tier is done, of a hundred."""
    return _render(
        "page.html",
        words,
        look,
        chrome,
        its=everything,
        forms=forms,
        names=names,
        tier_share=tier_share,
        large=_is_large(everything),
        offers=offers,
        earning=earning,
        history=history,
        qr=_qr,
        most_pictured=MOST_PICTURED,
        share=_share,
    )


def history_page(
    transactions: list[MyTransactionOut], following: str | None, *, words: Words, look: Look, chrome: Chrome
) -> str:
    """Render a page of the history; `following` leads to the next."""
    return _render(
        "history.html",
        words,
        look,
        chrome,
        transactions=transactions,
        following=following,
        history=history,
    )


def plain_page(title: Markup, text: Markup, *, words: Words, look: Look, chrome: Chrome, again: bool = False) -> str:
    """Render a page that says one thing; `again` offers to try it once more."""
    return _render("plain.html", words, look, chrome, title=title, text=text, again=again)


def _render(template: str, words: Words, look: Look, chrome: Chrome, **more: object) -> str:
    languages = [
        (OWN_NAMES[language], tag, f"{chrome.path}?{urlencode({'lang': tag})}") for language, tag in TAGS.items()
    ]
    return _environment.get_template(template).render(
        t=words.t, n=words.n, w=words, look=look, chrome=chrome, languages=languages, **more
    )


def _is_large(everything: Everything) -> bool:
    """Tell whether some total needs a line of its own on a phone."""
    its, referral = everything.me.balance, everything.referral
    totals = (its.available, its.pending, its.held, its.debt, its.lifetime_earned)
    return len(str(max(*totals, referral.points_earned, referral.points_waiting))) > _MANY_DIGITS


def _qr(text: str) -> Markup:
    return Markup(qr_svg(text))  # noqa: S704 - it escapes what it draws


def _share(link: str, text: str) -> Mapping[str, str]:
    """Make links that open a letter or a messenger with a text: nothing is asked of these before somebody follows."""
    both = f"{text} {link}"
    return {
        "mail": f"mailto:?{urlencode({'subject': text, 'body': both}, quote_via=quote)}",
        "whatsapp": f"https://wa.me/?{urlencode({'text': both}, quote_via=quote)}",
        "telegram": f"https://t.me/share/url?{urlencode({'url': link, 'text': text}, quote_via=quote)}",
    }
