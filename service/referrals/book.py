"""A program's offers: which there are at a moment, and which of them applies to a referrer. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from service.programs.definitions import Definitions, DefinitionVersion, State
from service.programs.rules import Program
from service.programs.versions import applied_at
from service.referrals.offers import DEFAULT_OFFER, FOLLOWED_ONLY, REFERRAL_OFFER, ReferralOfferContent
from service.tiers.book import ladder_at
from service.tiers.rules import reaches

_decode = msgspec.json.Decoder(ReferralOfferContent).decode


class Offer(msgspec.Struct, frozen=True):
    """An offer at a version."""

    id: str
    version: int
    content: ReferralOfferContent


class UnreadableOffer(NamedTuple):
    """A version of an offer that another release of the service saved, and this one can't read."""

    offer: str
    version: int
    reason: str


_DEFAULT: Final = Offer(DEFAULT_OFFER, 0, FOLLOWED_ONLY)


class OfferBook:
    """All offers of a program at all moments. One that can't be read is not offered, and keeps no other from it."""

    def __init__(self, definitions: Mapping[str, Sequence[DefinitionVersion]]) -> None:
        """Take, by their ids, the versions of offers that apply to some moment, the earliest first."""
        self.unreadable = list[UnreadableOffer]()
        """What was found that can't be read. Whoever tells of it takes it out."""
        self._versions = definitions
        self._offers = {
            (its_id, version.number): self._read(its_id, version)
            for its_id, versions in definitions.items()
            for version in versions
        }

    def at(self, moment: datetime) -> list[Offer]:
        """Return the offers that there are at a moment, those first that apply first."""
        if not any(self._versions.values()):  # drafts are none
            return [_DEFAULT]
        found = [offer for its_id in self._versions if (offer := self._at(its_id, moment)) is not None]
        return sorted(found, key=lambda offer: (-offer.content.priority, offer.id))

    def _at(self, its_id: str, moment: datetime) -> Offer | None:
        version = applied_at(self._versions[its_id], moment)
        if version is None or version.state is not State.ACTIVE:
            return None
        offer = self._offers[its_id, version.number]
        if offer is None or (offer.content.ends_at is not None and moment >= offer.content.ends_at):
            return None
        return offer

    def _read(self, its_id: str, version: DefinitionVersion) -> Offer | None:
        try:
            return Offer(its_id, version.number, _decode(version.content))
        except msgspec.MsgspecError as fault:
            self.unreadable.append(UnreadableOffer(its_id, version.number, str(fault)))
            return None


def offers_of(program: Program) -> OfferBook:
    """Return a program's offers; they are read once for each loaded program."""
    return program.definitions.once(_book)


def _book(definitions: Definitions) -> OfferBook:
    return OfferBook(definitions.of(REFERRAL_OFFER))


def offered_to(program: Program, tier: str | None, now: datetime) -> list[Offer]:
    """Return what a customer with a tier can offer now: the first is for the customer's own code, unless of a campaign.

    Those of campaigns have codes of their own.
    """
    ladder = ladder_at(program, now)
    found, has_own = list[Offer](), False
    for offer in offers_of(program).at(now):
        minimum = offer.content.minimum_tier
        if minimum is not None and (ladder is None or not reaches(ladder, tier, minimum)):
            continue
        if offer.content.campaign is None:
            if has_own:
                continue
            has_own = True
        found.append(offer)
    return found


def offer_of_code(program: Program, offer: str | None, tier: str | None, now: datetime) -> Offer | None:
    """Return what a code stands for now: the offer of its campaign, or what applies to its owner. None: nothing."""
    for each in offered_to(program, tier, now):
        if (each.content.campaign is None) if offer is None else (each.id == offer):
            return each
    return None
