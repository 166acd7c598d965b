"""Which offer applies: by the referrer's tier, by priority, by campaign, at its time."""

from datetime import datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.kernel.times import FIRST_MOMENT
from service.programs.definitions import DefinitionVersion, State, applying_of
from service.programs.rules import Program, ProgramSettings
from service.programs.tier_policy import RollingPeriod, TierPolicy
from service.referrals.book import OfferBook, offer_of_code, offered_to, offers_of
from service.referrals.offers import FOLLOWED_ONLY
from service.tiers.rules import TierContent
from tests.rules.referrals import CLAIMED, DAY, MOMENT, offer, program, version

TIERED = ProgramSettings(tiers=TierPolicy(RollingPeriod(months=12)))


def tier(number: int, threshold: int, **given: Any) -> DefinitionVersion:
    content = msgspec.json.encode(TierContent("a tier", threshold))
    return msgspec.structs.replace(version(number, offer(), **given), content=content)


TIERS = {"silver": [tier(1, 100)], "gold": [tier(2, 500)]}


def offered(its: Program, *, has: str | None = None, now: datetime = CLAIMED) -> list[str]:
    """Name what a customer with a tier is offered, in order."""
    return [each.id for each in offered_to(its, has, now)]


def stands_for(its: Program, code_of: str | None = None, *, has: str | None = None) -> str | None:
    """Tell which offer a code of a campaign's offer stands for, or the customer's own."""
    found = offer_of_code(its, code_of, has, CLAIMED)
    return None if found is None else found.id


def test_the_one_with_the_highest_priority_applies_and_of_equals_the_first_by_name() -> None:
    its = program(b=[version(1, offer(priority=5))], a=[version(1, offer(priority=5))], z=[version(1, offer())])
    assert offered(its) == ["a"]
    its = program(b=[version(1, offer(priority=6))], a=[version(1, offer(priority=5))])
    assert (offered(its), stands_for(its)) == (["b"], "b")


def test_an_offer_of_a_campaign_has_codes_of_its_own_beside_the_one_that_applies() -> None:
    summer = offer(campaign="Summer", priority=9)
    its = program(summer=[version(1, summer)], winter=[version(1, offer(campaign="W"))], friends=[version(1, offer())])
    assert offered(its) == ["summer", "friends", "winter"]
    assert [stands_for(its, code_of) for code_of in (None, "summer", "winter")] == ["friends", "summer", "winter"]
    assert stands_for(its, "autumn") is None
    alone = program(summer=[version(1, summer)])
    assert (offered(alone), stands_for(alone), stands_for(alone, "summer")) == (["summer"], None, "summer")


def test_an_offer_with_a_minimum_tier_is_for_those_who_have_it_or_a_higher_one() -> None:
    its = program(
        tiers=TIERS,
        settings=TIERED,
        golden=[version(1, offer(minimum_tier="gold", priority=9))],
        silvery=[version(1, offer(minimum_tier="silver", priority=8))],
        summer=[version(1, offer(minimum_tier="gold", campaign="Summer"))],
        friends=[version(1, offer())],
    )
    assert offered(its) == ["friends"]
    assert offered(its, has="silver") == ["silvery"]
    assert offered(its, has="gold") == ["golden", "summer"]
    assert offered(its, has="platinum") == ["friends"], "which there is no more"
    assert [stands_for(its, "summer", has=each) for each in (None, "silver", "gold")] == [None, None, "summer"]


@pytest.mark.parametrize(
    ("settings", "tiers"),
    [(ProgramSettings(), TIERS), (TIERED, {}), (TIERED, {"gold": [tier(1, 500, state=State.PAUSED)]})],
)
def test_where_there_is_no_such_tier_nobody_has_it(settings: ProgramSettings, tiers: dict[str, Any]) -> None:
    its = program(tiers=tiers, settings=settings, golden=[version(1, offer(minimum_tier="gold"))])
    assert offered(its, has="gold") == []


def test_an_offer_applies_from_its_version_on_and_to_its_end() -> None:
    its = program(
        friends=[
            version(1, offer(priority=1), since=CLAIMED),
            version(2, offer(priority=2), since=CLAIMED + DAY),
            version(3, offer(priority=2), since=CLAIMED + 2 * DAY, state=State.PAUSED),
            version(4, offer(priority=4, ends_at="2026-11-05T12:00:00Z"), since=CLAIMED + 3 * DAY),
        ],
    )
    book = offers_of(its)
    versions = [
        (moment, [each.version for each in book.at(CLAIMED + moment)])
        for moment in (-MOMENT, 0 * DAY, DAY - MOMENT, DAY, 2 * DAY, 3 * DAY, 4 * DAY - MOMENT, 4 * DAY, 99 * DAY)
    ]
    assert [found for _, found in versions] == [[], [1], [1], [2], [], [4], [4], [], []]


def test_what_has_ended_is_offered_no_more() -> None:
    its = program(friends=[version(1, offer()), version(2, offer(), since=CLAIMED, state=State.ENDED)])
    assert (offered(its, now=CLAIMED - MOMENT), offered(its)) == (["friends"], [])


def test_without_any_offer_ever_referrals_are_followed_and_nobody_gets_anything() -> None:
    (only,) = offered_to(program(), None, CLAIMED)
    assert (only.id, only.version, only.content) == ("default", 0, FOLLOWED_ONLY)
    assert (only.content.referrer, only.content.referee, only.content.steps) == (None, None, ())
    assert stands_for(program()) == "default"
    assert stands_for(program(), "summer") is None


@pytest.mark.parametrize(
    "only",
    [
        version(1, offer(), since=CLAIMED + DAY),
        version(1, offer(), state=State.PAUSED),
        version(1, offer(), state=State.ENDED),
        version(1, offer(ends_at="2026-11-01T12:00:00Z")),
        msgspec.structs.replace(version(1, offer()), content=b'{"name": "of tomorrow", "referrer": {"kind": "cash"}}'),
    ],
)
def test_whoever_defined_an_offer_once_offers_nothing_else(only: DefinitionVersion) -> None:
    its = program(friends=[only])
    assert (offered(its), stands_for(its)) == ([], None)


def test_a_draft_is_no_offer_yet() -> None:
    """As drafts apply to nothing, referrals go on being followed."""
    its = program(friends=applying_of([version(1, offer(), state=State.DRAFT)]))
    assert offered(its) == ["default"]


def test_one_that_can_not_be_read_keeps_no_other_from_being_offered_and_is_told() -> None:
    odd = msgspec.structs.replace(version(1, offer()), content=b'{"name": "of tomorrow", "luck": 7}')
    its = program(friends=[version(1, offer())], odd=[odd, version(2, offer(priority=1), since=CLAIMED + DAY)])
    assert offered(its) == ["friends"]
    assert offered(its, now=CLAIMED + DAY) == ["odd"]
    assert [(each.offer, each.version) for each in offers_of(its).unreadable] == [("odd", 1)]


def test_offers_are_read_once_for_a_loaded_program() -> None:
    its = program(friends=[version(1, offer())])
    assert offers_of(its) is offers_of(its)
    assert offers_of(its).at(CLAIMED)[0] is offers_of(its).at(CLAIMED)[0]


names = st.sampled_from(["a", "b", "c", "d"])
versions_of = st.lists(
    st.tuples(
        st.sampled_from([FIRST_MOMENT, CLAIMED - DAY, CLAIMED, CLAIMED + DAY]),
        st.sampled_from(State),
        st.builds(
            offer,
            priority=st.integers(0, 2),
            campaign=st.none() | st.just("Summer"),
            minimum_tier=st.none() | st.sampled_from(["silver", "gold"]),
        ),
    ),
    max_size=3,
)


@given(st.dictionaries(names, versions_of), st.sampled_from([None, "silver", "gold"]))
def test_a_customer_has_at_most_one_offer_for_the_own_code_and_all_of_campaigns(
    made: dict[str, list[Any]], has: str | None
) -> None:
    versions = {
        its_id: applying_of(
            [version(n, each, since=since, state=state) for n, (since, state, each) in enumerate(its, 1)]
        )
        for its_id, its in made.items()
    }
    its = program(tiers=TIERS, settings=TIERED, **versions)
    found = offered_to(its, has, CLAIMED)
    own = [each for each in found if each.content.campaign is None]
    reached = {None, *{None: (), "silver": ("silver",), "gold": ("silver", "gold")}[has]}
    possible = [each for each in OfferBook(versions).at(CLAIMED) if each.content.minimum_tier in reached]
    best = [each for each in possible if each.content.campaign is None][:1]
    assert own == best
    assert [each for each in found if each.content.campaign] == [each for each in possible if each.content.campaign]
    assert offer_of_code(its, None, has, CLAIMED) == (own[0] if own else None)
    for each in found:
        if each.content.campaign is not None:
            assert offer_of_code(its, each.id, has, CLAIMED) == each
