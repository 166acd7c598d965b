"""What the room tells of: earning rules and types of activities."""

from typing import Final

from service.earning.defining import ACTIVITY_TYPES, EARNING_RULES
from service.programs.news import definition_kinds

KINDS: Final = (*definition_kinds(EARNING_RULES), *definition_kinds(ACTIVITY_TYPES))
