"""Programs and keys on the wire."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from service.kernel.ids import to_wire
from service.kernel.times import FIRST_MOMENT, Time
from service.platform.rate_limits import DEFAULT_LIMIT
from service.platform.roles import Role
from service.programs.rules import ApiKey, KeyLimit, Program, ProgramSettings

_DEFAULT_LIMIT = KeyLimit(int(DEFAULT_LIMIT.per_second), DEFAULT_LIMIT.burst)
KeyName = Annotated[str, Meta(min_length=1, max_length=200)]


class ProgramOut(msgspec.Struct, frozen=True):
    """A program with its newest settings; `version` grows with each change of them.

    They apply to what occurs from `valid_from` on; null: also to all before.
    """

    id: str
    name: str
    live: bool
    version: int
    valid_from: Time | None
    settings: ProgramSettings


class ProgramChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A change of a program. Each setting that is given is replaced whole, the others stay.

    Purchases that occur from `valid_from` on are booked by it, however late they are reported; what is booked already
    stays as it was. Without one it counts from now on; it can't be in the future. With nothing else to change, the
    newest settings apply from that earlier moment on.
    """

    name: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    settings: dict[str, Any] = {}
    valid_from: Time | None = None


class NewKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key to make. Without a `rate_limit`, or with null, the default counts."""

    role: Role
    name: KeyName = "API key"
    rate_limit: KeyLimit | None = None


class KeyChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A change of a key. A `rate_limit` of null is the default; without one the limit stays."""

    rate_limit: KeyLimit | msgspec.UnsetType | None = msgspec.UNSET


class Rotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long the old key goes on beside the new one."""

    grace_seconds: Annotated[int, Meta(ge=0, le=30 * 86_400)] = 86_400


class KeyOut(msgspec.Struct, frozen=True, omit_defaults=True):
    """A key, with the rate limit that counts for it. `key` is in the answer that made it, and nowhere else."""

    id: str
    role: Role
    name: str
    hint: str
    created_at: Time
    expires_at: Time | None
    revoked_at: Time | None
    rate_limit: KeyLimit
    key: str | None = None


def program_out(program: Program) -> ProgramOut:
    """Render a program."""
    newest = program.newest
    since = None if newest.valid_from == FIRST_MOMENT else newest.valid_from
    return ProgramOut(program.code, program.name, program.live, newest.number, since, newest.settings)


def key_out(key: ApiKey, secret: str | None = None) -> KeyOut:
    """Render a key, with its secret where it was just made."""
    return KeyOut(
        to_wire("key", key.id),
        key.role,
        key.name,
        key.hint,
        key.created_at,
        key.expires_at,
        key.revoked_at,
        key.limit or _DEFAULT_LIMIT,
        secret,
    )
