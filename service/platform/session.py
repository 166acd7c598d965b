"""What every session of the service in Postgres is set to, and whether a login brings it by itself.

Directly at Postgres the service sets it when it connects. A pooler in transaction mode lends a session for one
transaction and takes no settings, so there the login must have them (`ALTER ROLE`).
"""

from collections.abc import Mapping
from typing import Final

from service.platform.statements import Db, load

SERVICE_ROLE: Final = "loyalty_service"

SESSION: Final[Mapping[str, str]] = {
    "plan_cache_mode": "force_generic_plan",  # a plan for each batch would cost more than the batch
    "jit": "off",
    "lock_timeout": "2s",
    "statement_timeout": "10s",
    "idle_in_transaction_session_timeout": "15s",
    "client_connection_check_interval": "1s",  # a statement of a lost connection holds its locks no longer
}

BY_KEY: Final[Mapping[str, str]] = {
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
"""For connections whose statements all look rows up by whole keys.

A plan is made once, maybe while the tables are small or nobody has counted them yet; a scan chosen then would go on
being used when they have grown. A pooler gives every connection the same sessions, so there it is for all.
"""

_STATEMENTS = load(__file__)


async def fault_of_login(db: Db, *, prepared: bool) -> str | None:
    """Say in one sentence what a pooled login or its pooler lacks, and what to do; None when it lacks nothing.

    `prepared`: the connection names its prepared statements. A pooler that carries them gives them names of its own.
    """
    wanted = {**SESSION, **BY_KEY}
    found = await db.fetchrow(_STATEMENTS["session_look"].sql, SERVICE_ROLE, list(wanted), list(wanted.values()))
    assert found is not None  # noqa: S101 - it always gives one row
    login = found["login"]
    if not found["is_member"]:
        return f"The login {login} is no member of {SERVICE_ROLE}: run GRANT {SERVICE_ROLE} TO {login}."
    if found["may_change_history"]:
        return (
            f"The login {login} may change history: put one into DATABASE_URL that is a member of {SERVICE_ROLE}"
            " and nothing else."
        )
    if prepared and found["names_pass"]:
        return (
            "The pooler doesn't carry prepared statements: use PgBouncer 1.21 or newer with max_prepared_statements,"
            " or set LOYALTY_POOLED=unprepared, which is slower."
        )
    if found["missing"]:
        changes = "; ".join(f"ALTER ROLE {login} SET {name} = '{wanted[name]}'" for name in found["missing"])
        return f"Behind a pooler the login must bring its settings: run {changes}; then let the pooler reconnect."
    return None
