"""Buckets of tokens, and a process's share of one that many processes take from. Pure; times are seconds."""

import math
from typing import Final

import msgspec

from service.kernel.errors import Kind, Refusal

AHEAD_SECONDS: Final = 0.1
"""How far ahead a process takes tokens."""

Fields = list[tuple[bytes, bytes]]
"""Header fields of an answer, as they are sent."""


class RateLimit(msgspec.Struct, frozen=True):
    """`per_second` requests in the long run, `burst` at once: a bucket of `burst` tokens that fills at that rate."""

    per_second: float
    burst: int


DEFAULT_LIMIT: Final = RateLimit(1000, 2000)


class TooManyRequests(Refusal):
    """More calls than the limit lets through. `fields` tell the limit."""

    kind = Kind.RATE_LIMITED
    code = "rate_limited"
    title = "Too many requests"

    def __init__(self, detail: str, *, wait: float, fields: Fields | None = None) -> None:
        super().__init__(detail)
        self.retry_after = max(1, math.ceil(wait))
        self.fields: Fields = fields or []


class Bucket(msgspec.Struct, frozen=True):
    """How many tokens a bucket held at a moment."""

    tokens: float
    at: float


def filled(bucket: Bucket, limit: RateLimit, now: float) -> Bucket:
    """Add what has flowed in since. A clock that goes back adds nothing and takes nothing."""
    tokens = bucket.tokens + max(0.0, now - bucket.at) * limit.per_second
    return Bucket(min(float(limit.burst), tokens), now)


def wait_for_one(tokens: float, limit: RateLimit) -> float:
    """Tell in how many seconds a bucket holds a whole token."""
    return max(0.0, (1 - tokens) / limit.per_second)


class Share(msgspec.Struct, frozen=True):
    """What a process has of a key's shared bucket.

    `tokens` may be spent without asking. Below zero they are requests let through in advance, which the next tokens
    pay; `floor` is how far below. `left` is what the shared bucket held when last asked, `asked` the requests since,
    let through or not, and `level` the tokens that were to be in hand after that. `dry`: the shared bucket gave less
    than it was asked for.
    """

    tokens: int
    floor: int
    left: int
    asked: int = 0
    level: int = 0
    dry: bool = False


def advance(left: int) -> int:
    """Tell how far below zero a share may go: by a tenth of what the shared bucket holds, at least by one request.

    So each process runs ahead of the shared bucket by a tenth of it at most, and owes that.
    """
    return -max(1, left // 10) if left >= 1 else 0


def fresh(limit: RateLimit) -> Share:
    """Begin for a key that wasn't used here lately: its bucket is taken to be full, until it is asked."""
    return Share(tokens=0, floor=advance(limit.burst), left=limit.burst)


def may_spend(share: Share) -> bool:
    """Tell whether a request is let through."""
    return share.tokens > share.floor


def spent(share: Share) -> Share:
    """Let a request through."""
    return Share(share.tokens - 1, share.floor, share.left, share.asked + 1, share.level, share.dry)


def refused(share: Share) -> Share:
    """Count a request that isn't let through: it shows how many tokens are wanted here."""
    return Share(share.tokens, share.floor, share.left, share.asked + 1, share.level, share.dry)


def next_level(share: Share, limit: RateLimit) -> int:
    """Tell how many tokens are to be in hand: for twice what came since the last time, or half of the last level.

    So a share that isn't used is given back within half a second, and none is larger than what flows in meanwhile.
    """
    greatest = math.ceil(limit.per_second * AHEAD_SECONDS)
    return min(greatest, max(2 * share.asked, share.level // 2))


def asking(share: Share, level: int) -> Share:
    """Put what is to be given back out of hand, so that it isn't spent here and elsewhere."""
    return Share(min(share.tokens, level), share.floor, share.left, share.asked, share.level, share.dry)


def settled(share: Share, sent: Share, level: int, granted: int, left: int) -> Share:
    """Add what the shared bucket granted (below zero: was given back) for the share as it was `sent`.

    Requests that came while the answer was on its way are in `share` already.
    """
    return Share(
        tokens=share.tokens + max(0, granted),
        floor=advance(left),
        left=left,
        asked=share.asked - sent.asked,
        level=level,
        dry=granted < level - sent.tokens,
    )


def is_hungry(share: Share) -> bool:
    """Tell whether there is nothing in hand and the shared bucket may have more."""
    return share.tokens < 1 and not share.dry


def is_idle(share: Share) -> bool:
    """Tell whether there is nothing to take, to give back or to pay."""
    return share.asked == 0 and share.level == 0 and share.tokens == 0


def alone(share: Share, limit: RateLimit, now: float) -> Bucket:
    """Go on without the shared bucket: with what is in hand and what was left in it."""
    return Bucket(float(min(limit.burst, max(0, share.tokens + share.left))), now)


def owed(bucket: Bucket, limit: RateLimit, now: float) -> int:
    """Tell what the shared bucket doesn't know of what was let through without it."""
    return limit.burst - math.floor(filled(bucket, limit, now).tokens)


def rejoined(level: int, debt: int, granted: int, left: int) -> Share:
    """Begin again with the shared bucket. What it couldn't pay of the debt is forgiven: nobody waits for an outage."""
    return Share(max(0, granted - debt), advance(left), left, level=level, dry=granted < level + debt)
