"""The `loyalty` command."""

import logging
import os

import click
import structlog

from service import jobs_command
from service.opening_balances import commands as opening_balances
from service.platform import command_line, telemetry, tracing
from service.platform.database import Database
from service.platform.importing.command import import_
from service.platform.settings import Pooler
from service.programs import commands as programs
from service.purchases import commands as purchases


def main() -> None:
    """Run the command; an error is one sentence."""
    telemetry.configure(logging.ERROR)  # people read what commands say; `serve` and `worker` log for machines
    loyalty(prog_name="loyalty")


@click.group(context_settings={"max_content_width": 110, "help_option_names": ["-h", "--help"]})
def loyalty() -> None:
    """Points, referrals, early-payment discounts and surprise rewards for shops and billing systems.

    Commands find the database by DATABASE_URL, or, without it, that of a service that `./run` started.
    """


@loyalty.command()
@click.option("--processes", type=click.IntRange(1, 64), default=1, show_default=True, help="One a core is best.")
def serve(processes: int) -> None:
    """Serve the HTTP API.

    Needs DATABASE_URL and REDIS_URL and starts no servers of its own. LOYALTY_HOST and LOYALTY_PORT say where.
    /metrics is open to who reaches the port; LOYALTY_METRICS=off closes it. OTEL_EXPORTER_OTLP_ENDPOINT switches
    traces on.

    Example: DATABASE_URL=postgresql://... REDIS_URL=redis://... loyalty serve --processes 2
    """
    import uvicorn

    from service.app import BOUND_TO_PARENT, METRICS_FOLDER, uvicorn_config
    from service.platform.metrics.process import shared_folder

    settings = command_line.for_production()
    try:
        tracing.wanted()
    except tracing.TracingMissing as fault:
        raise click.ClickException(str(fault)) from None
    telemetry.configure()
    config = uvicorn_config(settings, "service.app:from_environment", processes=processes)
    listener = command_line.listen(settings.host, settings.port)
    structlog.get_logger().info("listening", host=settings.host, port=settings.port, processes=processes)
    if processes == 1:
        uvicorn.Server(config).run(sockets=[listener])
        return
    from service.platform.http.workers import Workers

    os.environ[BOUND_TO_PARENT] = str(os.getpid())
    with shared_folder() as folder:
        os.environ[METRICS_FOLDER] = str(folder)
        Workers(config, listener).run()


@loyalty.command()
def worker() -> None:
    """Run jobs and schedules, beside the API; any number of workers may run.

    `loyalty jobs` tells what they do. With LOYALTY_WORKER_PORT it serves /metrics, /livez and /readyz there, on
    LOYALTY_HOST. SIGTERM ends it within 25 seconds; what was under way goes on in another.

    Example: DATABASE_URL=postgresql://... REDIS_URL=redis://... loyalty worker
    """
    import uvloop

    from service import worker as work

    if command_line.settings(required=False).pooled is not Pooler.NONE:
        msg = (
            "The worker waits for notifications, which a pooler in transaction mode doesn't carry:"
            " set DATABASE_URL to the address of Postgres itself, and no LOYALTY_POOLED."
        )
        raise click.ClickException(msg)
    settings, listener = command_line.for_production(), None
    if settings.worker_port is not None:
        listener = command_line.listen(settings.host, settings.worker_port, "LOYALTY_WORKER_PORT")
    telemetry.configure()
    uvloop.run(work.run(settings, listener=listener))


@loyalty.command()
def migrate() -> None:
    """Bring the database to the newest schema, as the owner of its tables (DATABASE_OWNER_URL, else DATABASE_URL).

    Example: DATABASE_URL=postgresql://owner@... loyalty migrate
    """
    from service.platform import migrations

    settings = command_line.settings()
    if settings.pooled is not Pooler.NONE and settings.database_owner_url is None:
        msg = "Migrations can't pass a pooler: set DATABASE_OWNER_URL to the address of Postgres itself."
        raise click.ClickException(msg)
    url = settings.database_owner_url or settings.database_url or ""
    applied = command_line.in_one_sentence(lambda: migrations.migrate(url))
    click.echo(f"Applied: {', '.join(applied)}." if applied else "The database is up to date.")


@loyalty.command()
def verify() -> None:
    """Prove every invariant of the books on the live database; the exit status is 1 if one is broken.

    Example: DATABASE_URL=postgresql://... loyalty verify
    """
    from service.platform import verify as proof

    settings = command_line.settings()

    async def run() -> list[proof.Finding]:
        database = Database(settings)
        await database.open(size=1)
        try:
            async with database.connection() as db:
                return await proof.verify(db)
        finally:
            await database.close()

    findings = command_line.in_one_sentence(run)
    for finding in findings:
        state = "broken" if finding.broken else "holds "
        click.echo(f"{state}  {finding.room}: {finding.invariant.purpose}")
        for row in finding.broken:
            click.echo(f"        {row}")
    broken = sum(1 for finding in findings if finding.broken)
    if broken:
        raise click.ClickException(f"{broken} of {len(findings)} invariants are broken.")
    click.echo(f"All {len(findings)} invariants hold.")


@loyalty.command()
@click.option("--check", is_flag=True, help="Write nothing; fail when the document in openapi/ is not current.")
@click.option("--write", is_flag=True, help="Write the document into openapi/.")
def openapi(*, check: bool, write: bool) -> None:
    """Print the OpenAPI document, made from the code.

    Example: loyalty openapi > loyalty.json
    """
    from service.openapi import render
    from service.platform.http.docs import DOCUMENT

    text = render()
    if write:
        DOCUMENT.write_text(text, encoding="utf-8")
    elif check:
        if DOCUMENT.read_text(encoding="utf-8") != text:
            raise click.ClickException("openapi/openapi.json is not current: run `loyalty openapi --write`.")
        click.echo("openapi/openapi.json is current.")
    else:
        click.echo(text, nl=False)


loyalty.add_command(programs.programs)
loyalty.add_command(programs.keys)
loyalty.add_command(jobs_command.jobs)
loyalty.add_command(import_)
loyalty.add_command(purchases.simulate)
import_.add_command(purchases.purchases)
import_.add_command(opening_balances.balances)


@loyalty.command()
@click.option("--with-sample", is_flag=True, help="Fill the program with the CDNOW sample: 6,919 purchases.")
def demo(*, with_sample: bool) -> None:
    """Start everything on this machine with a test program to try it on: what ./run does. Never for production.

    Example: ./run --demo
    """
    from service import demo as whole
    from service.platform.embedded import EmbeddedError

    telemetry.configure(logging.WARNING)
    try:
        whole.start(command_line.settings(required=False), with_sample=with_sample)
    except (EmbeddedError, tracing.TracingMissing) as fault:
        raise click.ClickException(str(fault)) from None


if __name__ == "__main__":
    main()
