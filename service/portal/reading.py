"""What a customer is shown, section by section. Lists are bounded, and no section asks once for each of its rows."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec

from service.customers import usecases as customers
from service.earning import usecases as earning
from service.earning.book import rules_of
from service.earning.limits import Shared
from service.earning.ways import Looker, uses_of, ways_of
from service.invoices import usecases as invoices
from service.invoices.schemas import quote_out
from service.invoices.settling import quote
from service.kernel.errors import NotFound
from service.kernel.ids import to_wire
from service.kernel.periods import today_in
from service.platform.clock import database_time
from service.platform.database import Database
from service.platform.http.paging import Page, page
from service.platform.statements import Db
from service.points import coming as points_coming
from service.points import usecases as points
from service.points.explaining import in_short
from service.points.rules import worth
from service.points.schemas import transfer_out
from service.portal.schemas import (
    Everything,
    ExpiringOut,
    GameOut,
    MeOut,
    MoneyOut,
    MyTransactionOut,
    NextRewardOut,
    OpenInvoiceOut,
    PartnerOut,
    PendingOut,
    WayOut,
    game_out,
    pending_out,
    referral_way_out,
    rewards_of,
    way_out,
)
from service.programs.rules import Program
from service.referrals.book import offered_to
from service.referrals.codes.showing import show as show_referral
from service.rewards import usecases as rewards
from service.rewards import wallet
from service.rewards.rules import Hindrance, Reward, RewardStatus, WhyNot
from service.rewards.schemas import RewardOut, VoucherOut, for_customer_out, reward_out, voucher_out
from service.surprises import gifting
from service.surprises.games import games_for
from service.surprises.gift_schemas import SurpriseOut, surprise_out
from service.tiers import usecases as tiers
from service.tiers.reaching import reached
from service.tiers.schemas import balance_out

MOST_REWARDS: Final = 200
MOST_INVOICES: Final = 50
MOST_SURPRISES: Final = 50
FIRST_TRANSACTIONS: Final = 20
"""How many the page shows at once."""
_HIDDEN: Final = frozenset({WhyNot.NOT_YET, WhyNot.OVER})
_Offered = Sequence[tuple[Reward, Hindrance | None]]


async def read_everything(
    database: Database, *, program: Program, customer_id: str, may_redeem: bool, may_play: bool
) -> Everything:
    """Read all that the page shows, as of one moment but for the referrals. Raises NotFound, Unavailable.

    What is allowed is what the program and the token allow besides reading.
    """
    referral = await show_referral(database, program=program, customer_id=customer_id)
    async with database.reading() as db, db.transaction(isolation="repeatable_read", readonly=True):
        me = await read_me(db, program=program, customer_id=customer_id, may_redeem=may_redeem, may_play=may_play)
        pending, expiring = await read_coming(db, program=program, customer_id=customer_id)
        return Everything(
            me=me,
            pending=pending,
            expiring=expiring,
            ways=await read_ways(db, program=program, customer_id=customer_id),
            rewards=await read_rewards(db, program=program, customer_id=customer_id),
            vouchers=await read_vouchers(db, program=program, customer_id=customer_id),
            transactions=await read_transactions(
                db, program=program, customer_id=customer_id, limit=FIRST_TRANSACTIONS, before=None
            ),
            referral=referral,
            invoices=await read_invoices(db, program=program, customer_id=customer_id),
            games=await read_games(db, program=program, customer_id=customer_id),
            surprises=await read_surprises(db, program=program, customer_id=customer_id),
        )


async def read_me(db: Db, *, program: Program, customer_id: str, may_redeem: bool, may_play: bool) -> MeOut:
    """Read a customer at a glance, with what the program and the token allow. Raises NotFound."""
    (shown,) = await tiers.balances(db, program=program, customer_ids=[customer_id])
    if isinstance(shown, NotFound):
        raise shown
    _, profile = await customers.get(db, program_id=program.id, customer_id=customer_id)
    offered = await _offered(db, program=program, customer_id=customer_id)
    settings, balance = program.settings, balance_out(*shown)
    portal = settings.portal
    return MeOut(
        customer_id=balance.customer_id,
        name=profile.name,
        locale=profile.locale,
        partner=PartnerOut(
            name=portal.name or program.name,
            program=program.code,
            live=program.live,
            currency=settings.currency,
            time_zone=settings.time_zone,
            accent=portal.accent,
            home=portal.home,
            may_redeem=may_redeem,
            may_play=may_play,
        ),
        balance=balance,
        value=MoneyOut(worth(balance.available, settings.point_value), settings.currency)
        if balance.available
        else None,
        next_reward=_next_reward(offered),
    )


async def read_coming(db: Db, *, program: Program, customer_id: str) -> tuple[list[PendingOut], list[ExpiringOut]]:
    """Read what is pending and why, and what ends when. Raises NotFound."""
    coming = await points_coming.read_coming(db, program_id=program.id, customer_id=customer_id)
    return [pending_out(each) for each in coming.pending], [ExpiringOut(sum_, at) for at, sum_ in coming.ending]


async def read_ways(db: Db, *, program: Program, customer_id: str) -> list[WayOut]:
    """Read the ways to earn that are open to a customer now, the program's own first. Raises NotFound."""
    customer, profile = await customers.get(db, program_id=program.id, customer_id=customer_id)
    now = await database_time(db)
    rules, today = rules_of(program).at(now), today_in(now, program.settings.time_zone)
    uses = uses_of(rules, today)
    used = await earning.read_use(db, program=program, uses=uses, now=now, at_once=False) if uses else {}
    has = reached(customer, program, now)
    tier = None if has.ladder is None else has.ladder.at(has.ladder.level(has.tier))
    ways = ways_of(Looker(program, customer, profile, tier, Shared(all=used), now), rules)
    offers = [each for each in offered_to(program, has.tier, now) if each.content.referrer or each.content.referee]
    names = await wallet.names_of(db, program_id=program.id, reward_ids=rewards_of(offers))
    return [*map(way_out, ways), *(referral_way_out(each, names) for each in offers)]


async def read_rewards(db: Db, *, program: Program, customer_id: str) -> list[RewardOut]:
    """Read the rewards that are offered now, those in reach first, then by their points. Raises NotFound."""
    offered = await _offered(db, program=program, customer_id=customer_id)
    found = sorted(offered, key=lambda each: (each[1] is not None, each[0].terms.points, each[0].id))
    return [reward_out(reward, for_customer_out(why)) for reward, why in found]


async def read_vouchers(db: Db, *, program: Program, customer_id: str) -> list[VoucherOut]:
    """Read a customer's vouchers, those that can be used first, then the newest. Raises NotFound."""
    found = await wallet.vouchers_of(db, program_id=program.id, customer_id=customer_id)
    return [voucher_out(voucher, why) for voucher, why in found]


async def read_transactions(
    db: Db, *, program: Program, customer_id: str, limit: int, before: UUID | None
) -> Page[MyTransactionOut]:
    """Read a page of a customer's history, the newest first, with why in words. Raises NotFound."""
    found = await points.history(db, program_id=program.id, customer_id=customer_id, before=before, limit=limit)
    last, zone = found[limit - 1].id.bytes if len(found) > limit else None, program.settings.time_zone
    told = [MyTransactionOut(*msgspec.structs.astuple(transfer_out(each)), why=in_short(each, zone)) for each in found]
    return page(told, limit, last)


async def read_invoices(db: Db, *, program: Program, customer_id: str) -> list[OpenInvoiceOut]:
    """Read a customer's open invoices with what closes them today, those that are due first. Raises NotFound."""
    found = await invoices.list_newest(
        db, program_id=program.id, before=None, limit=MOST_INVOICES, is_open=True, customer_id=customer_id
    )
    today = today_in(await database_time(db), program.settings.time_zone)
    told = [
        OpenInvoiceOut(
            id=its.external_id,
            number=its.number,
            issued_on=its.issued_on,
            due_on=its.agreement.due_on,
            currency=its.currency,
            total=its.bill.total,
            open=its.open,
            quote=quote_out(its, quote(its.standing, max(today, its.issued_on))),
        )
        for its in (each.invoice for each in found[:MOST_INVOICES])
    ]
    return sorted(told, key=lambda each: (each.due_on is None, each.due_on or each.issued_on, each.id))


async def read_games(db: Db, *, program: Program, customer_id: str) -> list[GameOut]:
    """Read the games that run now and are for this customer. Raises NotFound."""
    return [game_out(each) for each in await games_for(db, program=program, customer_id=customer_id)]


async def read_surprises(db: Db, *, program: Program, customer_id: str) -> list[SurpriseOut]:
    """Read the newest gifts of a customer that were revealed. Raises NotFound."""
    found = await gifting.list_of_customer(
        db, program_id=program.id, customer_id=customer_id, before=None, limit=MOST_SURPRISES
    )
    return [surprise_out(each.gift, each.customer_id, each.voucher) for each in found[:MOST_SURPRISES]]


async def _offered(db: Db, *, program: Program, customer_id: str) -> _Offered:
    """Read the rewards that are offered at this moment, and what keeps the customer from having them."""
    active = await rewards.list_rewards(
        db, program_id=program.id, before=None, limit=MOST_REWARDS, status=RewardStatus.ACTIVE
    )
    active = active[:MOST_REWARDS]
    found = await rewards.hindrances(db, program=program, customer_id=customer_id, rewards=active)
    both = zip(active, found, strict=True)
    return [(reward, why) for reward, why in both if why is None or why.why not in _HIDDEN]


def _next_reward(offered: _Offered) -> NextRewardOut | None:
    """Choose the cheapest reward for which points are missing, else the dearest that can be had."""
    missing = [(each, why.missing_points) for each, why in offered if why is not None and why.missing_points]
    reward, points_missing = min(missing, key=lambda each: (each[1], each[0].id), default=(None, 0))
    if reward is None:
        had = [each for each, why in offered if why is None]
        reward = max(had, key=lambda each: (each.terms.points, each.id), default=None)
    if reward is None:
        return None
    its_id, terms = to_wire("rwd", reward.id), reward.terms
    return NextRewardOut(its_id, terms.name, terms.points, points_missing or 0, available=not points_missing)
