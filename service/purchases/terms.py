"""The terms on which purchases and activities are rewarded: those of earning, of referrals, of surprises. Pure."""

from dataclasses import dataclass, field

from service.earning.book import rules_of
from service.earning.terms import Terms
from service.programs.rules import Program
from service.referrals.claiming import Referring
from service.surprises.drawing import Drawing


@dataclass(slots=True)
class ReferringTerms(Terms):
    """Terms by which facts may besides be those of somebody who was referred."""

    referring: Referring = field(init=False)
    surprising: Drawing | None = None
    """The draws of campaigns; None where nothing is drawn."""

    def __post_init__(self) -> None:
        """Begin with nobody's tier changed, and with nothing known of referrals."""
        Terms.__post_init__(self)
        self.referring = Referring(self.program)


def referring_terms_of(program: Program) -> ReferringTerms:
    """Make the terms of a program where no rule asks for more than what the customer's row tells."""
    return ReferringTerms(program, rules_of(program))
