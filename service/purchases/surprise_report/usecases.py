"""Reading what reports and forecasts of surprises are made from."""

import asyncio
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from service.customers import usecases as customers
from service.customers.rules import Profile
from service.platform.clock import database_time
from service.platform.statements import Db
from service.programs.rules import Program
from service.purchases.surprise_report import store
from service.purchases.surprise_report.figures import CampaignForecast, CampaignReport, SurpriseReport
from service.purchases.surprise_report.forecasting import MOST, Looked, asked_of, eligible, told
from service.purchases.surprise_report.rules import Booked, Study, is_paid_game, report, study_of
from service.surprises import lifecycle
from service.surprises.book import campaigns_of
from service.surprises.chance import Keyed
from service.surprises.drawing import OF_PROGRAM

_AT_ONCE: Final = 500


async def report_campaign(db: Db, *, program: Program, wire_id: str) -> CampaignReport:
    """Make the report of a campaign, in the snapshot of a transaction: one of `Reporting`. Raises NotFound."""
    found = await lifecycle.read(db, program_id=program.id, wire_id=wire_id)
    study, its_id = _study(program, found), lifecycle.id_of(wire_id)
    booked = await _read(db, program, study, comparison=its_id, campaign=its_id)
    return report(study, booked, CampaignReport, campaign_id=wire_id)


async def report_program(db: Db, *, program: Program) -> SurpriseReport:
    """Make the report of all campaigns together but paid games: everyone against those who never get a surprise."""
    policy = program.settings.surprises
    study = Study(
        metric=policy.metric,
        window_days=policy.window_days,
        holdout=policy.holdout,
        margin=policy.margin,
        currency=program.settings.currency,
    )
    booked = await _read(db, program, study, comparison=OF_PROGRAM, campaign=None)
    return report(study, booked.without(_paid_games(program)), SurpriseReport)


def _study(program: Program, campaign: lifecycle.Campaign) -> Study:
    settings = program.settings
    return study_of(campaign.content, margin=settings.surprises.margin, currency=settings.currency)


async def _read(db: Db, program: Program, study: Study, *, comparison: UUID, campaign: UUID | None) -> Booked:
    now, days = await database_time(db), study.window_days
    treated, held_out = await store.read_arms(
        db, program_id=program.id, comparison=comparison, window_days=days, now=now, currency=study.currency
    )
    gifts = await store.read_gifts(
        db, program_id=program.id, comparison=comparison, campaign=campaign, window_days=days, now=now
    )
    stops = await store.read_stops(db, program_id=program.id, campaign=campaign)
    return Booked(now, treated, held_out, gifts, stops)


def _paid_games(program: Program) -> set[UUID]:
    """Name the games that cost points: the program's holdout doesn't bind them."""
    return {each.id for each in campaigns_of(program).all() if is_paid_game(each.content)}


async def forecast_campaign(db: Db, *, program: Program, wire_id: str) -> CampaignForecast:
    """Forecast what a campaign can find, whether it has started or not; one of `Reporting`, too. Raises NotFound."""
    found = await lifecycle.read(db, program_id=program.id, wire_id=wire_id)
    study, asked = _study(program, found), asked_of(found.content)
    now, zone = await database_time(db), ZoneInfo(program.settings.time_zone)
    secret = Keyed(await customers.secret(db, program_id=program.id))
    sample, there_are = await store.read_sample(db, program_id=program.id, most=MOST)
    ids = list[int]()
    for place in range(0, len(sample), _AT_ONCE):
        some = sample[place : place + _AT_ONCE]
        known = await customers.read_by_id(db, program_id=program.id, customers=some)
        profiles = dict[int, Profile]()
        if asked.audience.asks_profile:
            profiles = await customers.read_profiles(db, program_id=program.id, customers=some)
        ids += eligible(
            asked,
            [(each, profiles.get(each.id, Profile())) for each in known],
            now=now,
            zone=zone,
            secret=secret,
            holdout=0 if study.paid_game else program.settings.surprises.holdout,
        )
        await asyncio.sleep(0)  # others come first
    history = await store.read_history(
        db, program_id=program.id, customers=ids, window_days=study.window_days, now=now, currency=study.currency
    )
    return told(wire_id, study, asked, Looked(now, there_are, len(sample), len(ids), history))
