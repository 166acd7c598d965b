"""Chance that can be checked: every draw and every holdout is a keyed hash, taken to a number. Pure.

HMAC-SHA-256 (RFC 2104) under the campaign's key: whoever has the key, which is published when the campaign closes, can
recompute all of it; before that its hash is known, so that nobody can choose another one.
"""

import hashlib
from collections.abc import Sequence
from typing import Final
from uuid import UUID

KEY_BYTES: Final = 32
U_BITS: Final = 53
"""So that a number is exact in every JSON reader."""
SHARE: Final = 10_000
"""A whole, in basis points."""
_DIGEST_BITS: Final = 64
_BLOCK: Final = 64
_INNER_PAD: Final = bytes(each ^ 0x36 for each in range(256))
_OUTER_PAD: Final = bytes(each ^ 0x5C for each in range(256))
_FIXED: Final = 0xF << 76 | 0b11 << 62
_VERSION_8: Final = 8 << 76 | 0b10 << 62


class Keyed:
    """HMAC-SHA-256 under one key: what depends on the key alone is worked out once, which is two thirds of it."""

    __slots__ = ("_inner", "_outer", "key")

    def __init__(self, key: bytes) -> None:
        """Take a key of at most 64 bytes, the block of SHA-256."""
        self.key = key
        block = key.ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(block.translate(_INNER_PAD))
        self._outer = hashlib.sha256(block.translate(_OUTER_PAD))

    def digest(self, message: str) -> bytes:
        """Return the keyed hash of a text's UTF-8."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message.encode())
        outer.update(inner.digest())
        return outer.digest()

    def number(self, message: str) -> int:
        """Take a text to a number u of 0 <= u < 2^53: the first 53 bits of its keyed hash."""
        return int.from_bytes(self.digest(message)[: _DIGEST_BITS // 8]) >> (_DIGEST_BITS - U_BITS)


def drawn(key: Keyed, *, campaign: str, pseudonym: str, occasion: str) -> int:
    """Return the number u of a customer's draw for an occasion: that of four parts, joined by line feeds."""
    return key.number(f"draw\n{campaign}\n{pseudonym}\n{occasion}")


def is_held_out(key: Keyed, *, campaign: str, pseudonym: str, share: int) -> bool:
    """Tell whether a customer is among the `share` (basis points) of all who never get a gift of a campaign."""
    return bool(share) and key.number(f"holdout\n{campaign}\n{pseudonym}") * SHARE >> U_BITS < share


def is_held_out_of_all(secret: Keyed, *, customer: int, share: int) -> bool:
    """Tell whether a customer, by the internal id, is among the `share` who never get any surprise of the program.

    Under the program's own secret. A larger share keeps all who were in a smaller one.
    """
    return bool(share) and secret.number(f"program holdout\n{customer}") * SHARE >> U_BITS < share


def moment_of(key: Keyed, *, campaign: str, pseudonym: str, occasion: str) -> int:
    """Return 53 random bits that say when a gift comes."""
    return key.number(f"moment\n{campaign}\n{pseudonym}\n{occasion}")


def mask_of(secret: Keyed, customer: int) -> bytes:
    """Make of a customer's internal id, with the program's secret, what all the customer's pseudonyms are made of."""
    return secret.digest(f"campaigns\n{customer}")


def pseudonym_of(mask: bytes, campaign: UUID) -> str:
    """Name a customer in one campaign's draws: 32 digits, by the customer's mask; in another one they are others."""
    return hashlib.sha256(mask + campaign.bytes).hexdigest()[:32]


def draw_id(secret: Keyed, campaign: UUID, customer: int, occasion: str) -> UUID:
    """Name the draw of a customer for an occasion: there can't be a second one with another name (RFC 9562, UUIDv8)."""
    value = int.from_bytes(secret.digest(f"draw\n{campaign.hex}\n{customer}\n{occasion}")[:16])
    return UUID(int=value & ~_FIXED | _VERSION_8)


def occasion_of_purchase(purchase_id: str) -> str:
    """Name a purchase as an occasion: by a hash, since its id is the caller's and may say anything."""
    return f"purchase:{hashlib.sha256(purchase_id.encode()).hexdigest()[:32]}"


def occasion_after(fact: UUID) -> str:
    """Name what comes a while after a purchase or a redeemed reward, by the id of its row."""
    return f"after:{fact.hex}"


def key_hash(key: bytes) -> str:
    """Return what is published of a key while the campaign runs: its SHA-256, as hex digits."""
    return hashlib.sha256(key).hexdigest()


def pick(u: int, weights: Sequence[int]) -> int | None:
    """Return the place of the prize that u, of 53 bits, falls on; None where no weight is left.

    Prize i has the odds weights[i] / sum(weights): u * sum >> 53 is a ticket, and prizes have tickets in their order.
    """
    ticket = u * sum(weights) >> U_BITS
    for place, weight in enumerate(weights):
        if ticket < weight:
            return place
        ticket -= weight
    return None
