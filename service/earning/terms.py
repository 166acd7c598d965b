"""The terms on which facts of one batch are rewarded, and what a reward moves in a customer's account. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias
from uuid import UUID

import msgspec

from service.customers.rules import Customer, Profile
from service.earning.book import RuleBook, rules_of
from service.earning.deciding import Candidate, Decided, decide
from service.earning.limits import Allowance, Shared
from service.earning.occasion import Known, Occasion, known_of
from service.earning.rules import Line
from service.points.account import Account
from service.points.policies import life_of
from service.points.rules import Cause
from service.programs.policies import ExpiryPolicy, OwnPending, PendingUntilConfirmed
from service.programs.rules import Program, SettingsVersion
from service.tiers.climbing import Climbing

_Life: TypeAlias = tuple[OwnPending | None, ExpiryPolicy | None]


@dataclass(slots=True)
class Terms:
    """All by which facts of one batch are decided. `profiles` are those that rules ask for, by internal ids."""

    program: Program
    rules: RuleBook
    profiles: dict[int, Profile] = field(default_factory=dict[int, Profile])
    shared: Shared = field(default_factory=Shared)
    _allowances: dict[int, Allowance] = field(default_factory=dict[int, Allowance])
    climbing: Climbing = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nobody's tier changed."""
        self.climbing = Climbing(self.program)

    def known(self, customer: Customer) -> Known:
        """Tell rules what is known of a customer."""
        return known_of(customer, self.profiles.get(customer.id))

    def allowance(self, customer: Customer) -> Allowance:
        """Tell what limits leave the customer. What the row holds of it is read once, and again where it is another."""
        known = self._allowances.get(customer.id)
        if known is None or known.text != customer.limits_used:
            known = self._allowances[customer.id] = Allowance(customer.id, customer.limits_used, self.shared)
        return known

    def decide(self, occasion: Occasion, customer: Customer, applied: SettingsVersion) -> Decided:
        """Decide what a customer earns for something. Nothing is moved or counted yet. Raises Invalid."""
        tier = self.climbing.benefits(customer, occasion.occurred_at)
        return decide(self.rules.at(occasion.occurred_at), applied, occasion, self.allowance(customer), tier)

    def reward(
        self,
        decided: Decided,
        account: Account,
        applied: SettingsVersion,
        *,
        occasion: Occasion,
        row_id: UUID,
        cause: Cause,
    ) -> tuple[Line, ...]:
        """Move what was decided into the account, and count it against limits; returns the lines as they are told.

        Points that live alike are one lot: the first has the id of the fact's row, the others have ids of their own.
        """
        taken = [each for candidate in decided.given for each in candidate.taken]
        if taken:
            used = self.allowance(account.customer).take(taken)
            account.customer = msgspec.structs.replace(account.customer, limits_used=used)
        lives = [_life(each, decided, applied, occasion) for each in decided.given]
        lots = _lots(decided.given, lives)
        ids = dict[_Life, UUID]()
        for (pending, expiry), lines in lots.items():
            settings = applied.settings
            if expiry is not None:
                settings = msgspec.structs.replace(settings, expiry=expiry)
            lot_id = account.ids.next() if ids else row_id
            ids[pending, expiry] = lot_id
            only = lines[0] if len(lines) == 1 else None
            account.grant(
                sum([line.points for line in lines]),
                transfer_id=lot_id,
                cause=cause,
                rule=None if only is None else only.rule,
                rule_version=None if only is None else only.version,
                occurred_at=occasion.occurred_at,
                life=life_of(settings, pending, occasion.occurred_at),
            )
        if len(ids) <= 1:
            return tuple([each.line for each in decided.given])
        placed = zip(decided.given, lives, strict=True)
        return tuple([_placed(each.line, ids.get(life), row_id) for each, life in placed])


def terms_of(program: Program) -> Terms:
    """Make the terms of a program where no rule asks for more than what the customer's row tells."""
    return Terms(program, rules_of(program))


def _life(candidate: Candidate, decided: Decided, applied: SettingsVersion, occasion: Occasion) -> _Life:
    """Return how a rule's points are held back and end, where it isn't as the program says.

    What a multiplier leaves open is as with the points that it multiplies, where these live alike; what a rule leaves
    open is as the customer's tier says. Nobody confirms an activity: where the program or the tier waits for that with
    purchases, its points are available at once.
    """
    if candidate.of:
        alike = {_life(each, decided, applied, occasion) for each in candidate.of}
        pending, expiry = alike.pop() if len(alike) == 1 else (None, None)
        if candidate.rule is not None:
            own = candidate.rule.content
            pending, expiry = own.pending or pending, own.expiry or expiry
    elif candidate.rule is not None:
        pending, expiry = candidate.rule.content.pending, candidate.rule.content.expiry
    else:
        pending, expiry = None if candidate.of_tier else applied.settings.base_rule.pending, None
    if pending is None:
        pending = decided.pending
        if occasion.type is not None:
            waits = isinstance(applied.settings.pending if pending is None else pending, PendingUntilConfirmed)
            pending = "at_once" if waits else pending
    return pending, expiry


def _lots(given: Sequence[Candidate], lives: Sequence[_Life]) -> Mapping[_Life, Sequence[Line]]:
    """Put lines that live alike together, without those that give nothing: mostly all do."""
    if len(lives) > 1 and lives.count(lives[0]) == len(lives):
        return {lives[0]: [each.line for each in given if each.line.points]}
    lots = dict[_Life, list[Line]]()
    for each, life in zip(given, lives, strict=True):
        if each.line.points:
            lots.setdefault(life, []).append(each.line)
    return lots


def _placed(line: Line, lot_id: UUID | None, row_id: UUID) -> Line:
    return line if lot_id is None or lot_id == row_id else msgspec.structs.replace(line, lot=lot_id)


def points_of(lines: Sequence[Line], reversed_points: Mapping[str, int] | None = None) -> tuple[int, int]:
    """Return the points that lines gave, and those of bonuses, apart; with `reversed_points` by rule, these instead."""
    points = bonus = 0
    for line in lines:
        given = line.points if reversed_points is None else reversed_points.get(line.rule, 0)
        if line.bonus:
            bonus += given
        else:
            points += given
    return points, bonus


def lots_of(lines: Sequence[Line], row_id: UUID) -> list[UUID]:
    """Return the ids of the lots that the lines of a fact are in, by the id of the fact's row."""
    return list(dict.fromkeys(line.lot or row_id for line in lines if line.points))
