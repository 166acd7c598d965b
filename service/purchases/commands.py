"""`loyalty import`."""

import click


@click.group("import")
def import_() -> None:
    """Bring in what happened elsewhere.

    Example: loyalty import purchases orders.csv --program tea-shop --column id=order --column total=amount ...
    """
