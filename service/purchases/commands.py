"""`loyalty import purchases`."""

from pathlib import Path
from typing import Unpack

import click

from service.platform.importing.command import Options, run_import, table_options
from service.purchases.importing.line_reader import check
from service.purchases.importing.table import import_purchases


@click.command()
@table_options
@click.option("--decimal", "decimal_mark", flag_value=".", default=None, help="Amounts are 29.33; without it 2933.")
@click.option("--decimal-comma", "decimal_mark", flag_value=",", help="Amounts are 29,33.")
@click.pass_context
def purchases(context: click.Context, file: Path, **options: Unpack[Options]) -> None:
    """Import purchases from FILE, a table such as CSV, one a line.

    The fields are those of POST /v1/purchases. Needed are id, customer_id, currency, total and occurred_at. There are
    also tax, shipping, points_paid, channel, referral_code, metadata.NAME, and for a line's item item.amount,
    item.quantity, item.sku, item.category and item.id. In --id {line} is the line's number in the file, as editors show
    it, and {NAME} a column.

    A purchase is booked once, by its id, however often the file is imported: after an interruption or a correction run
    the same again. Bad lines are told with number and reason, the others go in. The exit status is 0 when all lines are
    in, else 1. What is booked can't be taken back: try --dry-run first.

    Example: loyalty import purchases orders.csv --program tea-shop --column id=order --column customer_id=customer
    --column total=amount --decimal --value currency=EUR --column occurred_at=date --date-format %d.%m.%Y
    --column metadata.till=till --dry-run
    """
    run_import(context, file, options, import_purchases, check=check)
