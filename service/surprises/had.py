"""What a customer had of campaigns, as the customer's row keeps it: the arms, how many gifts and plays, and when. Pure.

Whoever locks the row, or proves that nobody changed it since, can hold limits for each customer exactly, without
looking anywhere else.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final

import msgspec

from service.programs.surprise_policy import MOST_A_YEAR

YEAR: Final = timedelta(days=365)
MOST_GIVEN: Final = 2 * MOST_A_YEAR
"""So many moments are kept at most: more than any yearly limit asks for, also once some were given back."""
_replace = msgspec.structs.replace


class Arm(IntEnum):
    """On which side of a comparison a customer is, once an occasion came."""

    UNKNOWN = 0
    TREATED = 1
    HELD_OUT = 2


class OfCampaign(
    msgspec.Struct,
    frozen=True,
    omit_defaults=True,
    rename={"arm": "a", "gifts": "g", "plays": "p", "day": "d", "today": "t", "granted": "r"},
):
    """What a customer had of one campaign.

    `arm` once enrolled; `gifts` that were drawn and not given back; `plays` in all, and of these `today`, the program's
    `day` (its ordinal); `granted` plays that are left.
    """

    arm: Arm = Arm.UNKNOWN
    gifts: int = 0
    plays: int = 0
    day: int = 0
    today: int = 0
    granted: int = 0


class Had(msgspec.Struct, frozen=True, omit_defaults=True, rename={"arm": "a", "campaigns": "c", "given": "g"}):
    """What a customer had of all campaigns that are not over.

    `arm` is that of the program's own holdout, `given` are the moments of surprises of the last year, in seconds since
    1970, the earliest first; prizes of games are not among them. Of very many the last ones are enough.
    """

    arm: Arm = Arm.UNKNOWN
    campaigns: dict[str, OfCampaign] = {}
    given: tuple[int, ...] = ()

    def of(self, campaign: str) -> OfCampaign:
        """Return what the customer had of a campaign, by the hex digits of its id."""
        return self.campaigns.get(campaign, _NONE)

    def with_campaign(self, campaign: str, its: OfCampaign) -> "Had":
        """Replace what the customer had of a campaign."""
        return _replace(self, campaigns={**self.campaigns, campaign: its})

    def with_gift(self, now: datetime) -> "Had":
        """Count a surprise. Those of more than a year ago are forgotten, and of the others all but the newest."""
        since = int((now - YEAR).timestamp())
        given = *(each for each in self.given if each > since), int(now.timestamp())
        return _replace(self, given=given[-MOST_GIVEN:])

    def without_gift(self, at: datetime) -> "Had":
        """Count a surprise of a moment no more: it was stopped."""
        second, left = int(at.timestamp()), list(self.given)
        if second in left:
            left.remove(second)
        return _replace(self, given=tuple(left))

    def without(self, is_forgotten: Callable[[str], bool]) -> "Had":
        """Forget campaigns that are over."""
        left = {its_id: its for its_id, its in self.campaigns.items() if not is_forgotten(its_id)}
        return self if len(left) == len(self.campaigns) else _replace(self, campaigns=left)

    def in_year(self, now: datetime) -> int:
        """Return how many surprises there were within the last 365 days."""
        since = int((now - YEAR).timestamp())
        return sum(each > since for each in self.given)


_NONE: Final = OfCampaign()
NOTHING_HAD: Final = Had()
_decode = msgspec.json.Decoder(Had).decode
_encode = msgspec.json.Encoder().encode


def read_had(text: str | None) -> Had:
    """Read what a customer's row says."""
    return NOTHING_HAD if text is None else _decode(text)


def write_had(had: Had) -> str | None:
    """Write it for the customer's row; None where there is nothing."""
    return None if had == NOTHING_HAD else _encode(had).decode()


def joined(source: Had, target: Had) -> Had:
    """Return what one customer had who were two: arms of the target first, numbers together."""
    campaigns = dict(target.campaigns)
    for its_id, its in source.campaigns.items():
        other = campaigns.get(its_id)
        campaigns[its_id] = its if other is None else _both(its, other)
    return Had(target.arm or source.arm, campaigns, tuple(sorted([*source.given, *target.given])[-MOST_GIVEN:]))


def _both(source: OfCampaign, target: OfCampaign) -> OfCampaign:
    today = source.today if source.day == target.day else 0
    newer = target if target.day >= source.day else source
    return OfCampaign(
        target.arm or source.arm,
        source.gifts + target.gifts,
        source.plays + target.plays,
        newer.day,
        newer.today + (today if newer is target else 0),
        source.granted + target.granted,
    )
