"""`/v1/earning-rules` and `/v1/activity-types`."""

from service.earning.defining import ACTIVITY_TYPES, EARNING_RULES
from service.platform.roles import Right
from service.programs.definition_handlers import routes_of

earning_rules = routes_of(EARNING_RULES, reads=Right.READ_RULES, manages=Right.MANAGE_RULES)
activity_types = routes_of(ACTIVITY_TYPES, reads=Right.READ_RULES, manages=Right.MANAGE_RULES)
