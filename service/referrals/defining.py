"""Referral offers as definitions: what a marketer sets is checked whenever a version is made."""

from typing import Final

from service.programs.definitions import DefinitionKind
from service.referrals.offers import DEFAULT_OFFER, REFERRAL_OFFER, ReferralOfferContent, checked

REFERRAL_OFFERS: Final = DefinitionKind(
    REFERRAL_OFFER, ReferralOfferContent, lambda content, _: checked(content), reserved=frozenset({DEFAULT_OFFER})
)
