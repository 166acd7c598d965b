"""`/portal`: the customer's page, its history, and what its forms do."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from litestar import Response, Router, get, post
from markupsafe import Markup

from service.customers import usecases as customers
from service.kernel.errors import NotFound, Refusal
from service.platform.database import Database
from service.platform.http.paging import limit_and_before
from service.platform.http.request import ApiRequest, caller_id, own_id
from service.platform.idempotency import Commands, KeyInFlight, hash_of_request
from service.platform.statements import Db
from service.points.rules import InsufficientPoints
from service.portal import doing, reading
from service.portal.admission import NotAllowed
from service.portal.pages import files, rendering
from service.portal.pages.answering import HANDLERS, OTHERWISE, html, look_of, see_other, sorry, words_for
from service.portal.pages.earning import tier_share
from service.portal.pages.offers import Names, names_of
from service.portal.pages.rendering import Chrome, Forms, Notice
from service.portal.pages.texts import TAGS, message
from service.portal.pages.visiting import COOKIE, Forged, Visit, forgotten, form_of, kept, visit
from service.portal.pages.words import Words
from service.portal.session_handlers import base_of
from service.programs.portal_policy import picture_of
from service.rewards.rules import RewardLimitReached, RewardNotAvailable, RewardOutOfStock, RewardTierTooLow
from service.surprises.gift_schemas import play_out
from service.surprises.playing import GameNotOpen, PlaysUsedUp
from service.tiers.book import ladder_at

_PAGE: Final = "/portal"
_KEY_CHARACTERS: Final = 24
_GREATEST_KEY: Final = 100
_REDEEMED, _WON, _NOTHING, _LEFT = "redeemed", "won", "nothing", "left"
_TOLD: Final[Mapping[str, tuple[str, str]]] = {
    _REDEEMED: ("good", message("It's yours! The voucher is ready below.")),
    _NOTHING: ("sad", message("Nothing this time. Better luck next time!")),
    InsufficientPoints.code: ("bad", message("You don't have enough points for that.")),
    RewardNotAvailable.code: ("bad", message("This reward can't be had any more. None of your points were spent.")),
    RewardOutOfStock.code: ("bad", message("This reward has just sold out. None of your points were spent.")),
    RewardLimitReached.code: ("bad", message("You have had as many of this reward as one can have.")),
    RewardTierTooLow.code: ("bad", message("This reward is for a higher level.")),
    GameNotOpen.code: ("bad", message("This game isn't open for you at the moment.")),
    PlaysUsedUp.code: ("bad", message("You have no play left for now.")),
    NotAllowed.code: ("bad", message("That can't be done on this page.")),
    KeyInFlight.code: ("sad", message("That is being done already. Look again in a moment.")),
    NotFound.code: ("bad", message("That isn't offered any more.")),
}
"""What is told after a form, by the code that the redirect carries."""


@get("/", include_in_schema=False)
async def show(request: ApiRequest) -> Response[str]:
    """Show the page. A token in the address becomes the session, and leaves the address."""
    token = request.query_params.get("token")
    if token is not None:
        began = await visit(request, token)
        return see_other(_address(request.query_params.get("lang")), began.program, {"Set-Cookie": kept(began)})
    if _LEFT in request.query_params and COOKIE not in request.cookies:
        return sorry(request, HTTPStatus.UNAUTHORIZED, notice=message("You have left. Nothing of you is kept here."))
    its = await visit(request)
    actor, program = its.actor, its.program
    everything = await reading.read_everything(
        request.part(Database),
        program=program,
        customer_id=actor.customer_id,
        may_redeem=actor.may_redeem,
        may_play=actor.may_play,
    )
    words = words_for(request, program=program, told=everything.me.locale)
    ladder = ladder_at(program, its.now)
    tiers = () if ladder is None else ladder.tiers
    names = names_of(everything, {each.id: each.content.name for each in tiers})
    content = rendering.page(
        everything,
        words=words,
        look=look_of(program),
        chrome=Chrome(_PAGE, files.VERSION, _notice(its, request.query_params.get("done"), words, names)),
        forms=Forms(its.form_token, lambda: secrets.token_urlsafe(_KEY_CHARACTERS)),
        names=names,
        tier_share=tier_share(everything.me.balance.tier, {each.id: each.content.threshold for each in tiers}),
    )
    return html(content, words=words, program=program)


@get("/history", include_in_schema=False)
async def show_history(request: ApiRequest) -> Response[str]:
    """Show older transfers."""
    its = await visit(request)
    limit, before = limit_and_before(request)
    async with request.part(Database).reading() as db:
        who: dict[str, Any] = {"program": its.program, "customer_id": its.actor.customer_id}
        found = await reading.read_transactions(db, **who, limit=limit, before=before)
        _, profile = await customers.get(db, program_id=its.program.id, customer_id=its.actor.customer_id)
    words = words_for(request, program=its.program, told=profile.locale)
    content = rendering.history_page(
        found.data,
        found.next_cursor,
        words=words,
        look=look_of(its.program),
        chrome=Chrome(f"{_PAGE}/history", files.VERSION),
    )
    return html(content, words=words, program=its.program)


@get("/logo", include_in_schema=False)
async def logo(request: ApiRequest) -> Response[bytes]:
    """Serve the partner's logo to who has a session."""
    its = await visit(request)
    logo = its.program.settings.portal.logo
    picture = None if logo is None else picture_of(logo)
    if picture is None:
        raise NotFound
    headers = {
        "Cache-Control": "private, max-age=86400",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Content-Security-Policy": "default-src 'none'",
    }
    return Response(picture.content, media_type=picture.media_type, headers=headers)


@post("/redeem", status_code=HTTPStatus.SEE_OTHER, include_in_schema=False)
async def redeem(request: ApiRequest) -> Response[str]:
    """Redeem a reward, and lead back to the page."""

    async def do(its: Visit, fields: Mapping[str, str]) -> list[str]:
        if not its.actor.may_redeem:
            raise NotAllowed
        reward_id = own_id("rwd", fields.get("reward_id", ""))

        async def work(db: Db) -> tuple[int, Any]:
            await doing.redeem_at_once(db, program=its.program, customer_id=its.actor.customer_id, reward_id=reward_id)
            return HTTPStatus.SEE_OTHER, [_REDEEMED]

        return await _once(request, its, fields, f"redeem {reward_id}", work)

    return await _done(request, do)


@post("/play", status_code=HTTPStatus.SEE_OTHER, include_in_schema=False)
async def play(request: ApiRequest) -> Response[str]:
    """Play a game, and lead back to the page."""

    async def do(its: Visit, fields: Mapping[str, str]) -> list[str]:
        if not its.actor.may_play:
            raise NotAllowed
        game_id = caller_id(fields.get("game_id", ""))

        async def work(db: Db) -> tuple[int, Any]:
            played = await doing.play(db, program=its.program, customer_id=its.actor.customer_id, campaign_id=game_id)
            won = play_out("", played).prize
            if won is None:
                return HTTPStatus.SEE_OTHER, [_NOTHING]
            return HTTPStatus.SEE_OTHER, [_WON, str(won.points), won.reward_id or ""]

        return await _once(request, its, fields, f"play {game_id}", work)

    return await _done(request, do)


@post("/leave", status_code=HTTPStatus.SEE_OTHER, include_in_schema=False)
async def leave(request: ApiRequest) -> Response[str]:
    """End the session in this browser."""
    its = await visit(request)
    fields = await form_of(request, its, base_of(request))
    return see_other(_address(fields.get("lang"), left="1"), its.program, {"Set-Cookie": forgotten(its)})


@get(["/redeem", "/play", "/leave"], include_in_schema=False)
async def lead_back() -> Response[str]:
    """Lead who opens a form's address by hand to the page."""
    return see_other(_PAGE, None)


@get("/{rest:path}", include_in_schema=False)
async def nowhere(request: ApiRequest) -> Response[str]:
    """Tell that there is no such page."""
    return sorry(request, HTTPStatus.NOT_FOUND, said=OTHERWISE)


async def _done(request: ApiRequest, do: Callable[[Visit, Mapping[str, str]], Awaitable[list[str]]]) -> Response[str]:
    """Do what a form asks for, and lead back to the page, which tells what came of it."""
    its = await visit(request)
    fields = await form_of(request, its, base_of(request))
    try:
        told = await do(its, fields)
    except Refusal as refusal:
        if refusal.code not in _TOLD:
            raise
        told = [refusal.code]
    return see_other(_address(fields.get("lang"), done=its.sealed(*told)), its.program)


async def _once(
    request: ApiRequest,
    its: Visit,
    fields: Mapping[str, str],
    named: str,
    work: Callable[[Db], Awaitable[tuple[int, Any]]],
) -> list[str]:
    """Run a command once for the key that its page made, however often the form is sent. Raises Forged."""
    key = fields.get("key", "")
    if not 0 < len(key) <= _GREATEST_KEY or not key.isascii():
        raise Forged
    answered = await request.part(Commands).run(
        program_id=its.program.id,
        key=f"{its.actor.key_id.hex}:page:{key}",
        request_hash=hash_of_request(f"page {named}", None),
        work=work,
    )
    return msgspec.convert(answered.answer, list[str])


def _notice(its: Visit, done: str | None, words: Words, names: Names) -> Notice | None:
    code, *rest = its.unsealed(done) or [""]
    if code == _WON:
        points, reward_id = rest
        if not reward_id:
            return Notice("good", words.t("You have won! The points are yours."), words.points(int(points)))
        prize = Markup.escape(names.rewards.get(reward_id) or words.t("A reward"))
        return Notice("good", words.t("You have won! Your voucher will be here in a moment."), prize)
    told = _TOLD.get(code)
    return None if told is None else Notice(told[0], words.t(told[1]))


def _address(lang: str | None, **query: str) -> str:
    """Return the page's address, in the language that was asked for."""
    its = ({"lang": lang} if lang in TAGS.values() and lang is not None else {}) | query
    return f"{_PAGE}?{urlencode(its)}" if its else _PAGE


router: Final = Router(
    "/portal",
    route_handlers=[show, show_history, logo, redeem, play, leave, lead_back, nowhere, files.asset, files.theme],
    exception_handlers=HANDLERS,
)
