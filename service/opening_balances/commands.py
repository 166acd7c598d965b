"""`loyalty import balances`."""

from pathlib import Path
from typing import Unpack

import click

from service.opening_balances.importing.line_reader import FIELDS, check
from service.opening_balances.importing.table import import_balances
from service.platform.importing.command import Options, run_import, table_options


@click.command()
@table_options
@click.pass_context
def balances(context: click.Context, file: Path, **options: Unpack[Options]) -> None:
    """Import opening balances from FILE, a table such as CSV: what customers bring from another system.

    A line is a lot: points that were earned together and are left. Lines of one id that stand behind each other are one
    balance, which is booked whole or not at all. The fields are id, customer_id, points and earned_at, and, where there
    are such columns, expires_at, available_at, debt, tier, tier_since, tier_until, counted and counted_at. Columns that
    are called so need no --column.

    expires_at is the first moment at which the points are gone (2027-01-01 for points that last until 31 December), or
    'never'; without text, the program's expiry says it. Points are pending until available_at, where that is to come. A
    line with 0 points is no lot: it may tell a debt, which nobody has beside points that are available.

    tier is the tier that the customer had elsewhere, by its id here; one line of a balance tells it, or several alike.
    It lasts until tier_until ('never' for one that has no end) and the program's days of grace; without text, as long
    as one that was reached here at tier_since. counted is what counts for tiers already, at counted_at: a line each for
    sums of months or days, in points, minor units or purchases, as the program qualifies. Times of what a line doesn't
    tell say nothing.

    A balance is booked once, by its id, however often the file is imported: after an interruption or a correction run
    the same again. Bad lines are told with number and reason, the others go in. The exit status is 0 when all are in,
    else 1. What is booked can't be taken back: try --dry-run first.

    Example: loyalty import balances balances.csv --program tea-shop --column points=saldo --date-format %d.%m.%Y
    --dry-run
    """
    run_import(context, file, options, import_balances, check=check, by_name=FIELDS)
