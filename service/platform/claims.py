"""Claims: the natural ids of facts, one table for all kinds. Postgres alone decides what is new."""

import hashlib
from collections.abc import Sequence
from enum import IntEnum
from typing import Final
from uuid import UUID

import msgspec

from service.platform.statements import Statement, Write, load

_STATEMENTS = load(__file__)
_INSERT: Final[Statement] = _STATEMENTS["claim_insert"]


class ClaimKind(IntEnum):
    """What kind of fact an id belongs to. The numbers are stored: never reuse one."""

    PURCHASE = 1
    REFUND = 2
    OPENING_BALANCE = 3
    ACTIVITY = 4
    PAYMENT = 5
    CREDIT_NOTE = 6


class Claim(msgspec.Struct, frozen=True):
    """An id that is taken: by which content, and which row came of it."""

    id: str
    content_hash: bytes
    subject_id: UUID


def content_hash(content: msgspec.Struct) -> bytes:
    """Hash a decoded fact: 16 bytes, equal for equal content whatever its spelling was.

    Fields at their defaults are left out, so that a field added later, left out by the caller, changes no old hash.
    The struct must be declared with `omit_defaults=True` and hold its times in UTC.
    """
    return hashlib.blake2b(msgspec.json.encode(content, order="sorted"), digest_size=16).digest()


def claiming(program_id: int, kind: ClaimKind, claims: Sequence[Claim]) -> Write:
    """Take ids, in the order of ids, as the rule of locks wants. An id that is taken already writes no row."""
    rows = sorted((claim.id, claim.content_hash, claim.subject_id) for claim in claims)
    return Write(_INSERT, (program_id, int(kind), rows), len(rows))
