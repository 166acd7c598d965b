"""How often a key may call, and how often an address may try without a valid one."""

from service.platform.rate_limits.failed_logins import FailedLogins, WrongCodes
from service.platform.rate_limits.limiter import RateLimiter
from service.platform.rate_limits.rules import DEFAULT_LIMIT, Fields, RateLimit, TooManyRequests

__all__ = ["DEFAULT_LIMIT", "FailedLogins", "Fields", "RateLimit", "RateLimiter", "TooManyRequests", "WrongCodes"]
