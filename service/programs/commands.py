"""`loyalty programs` and `loyalty keys`."""

import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import click

from service.kernel.errors import NotFound
from service.kernel.ids import from_wire, to_wire
from service.platform.authentication import new_key
from service.platform.command_line import ask
from service.platform.roles import Role
from service.platform.statements import Db
from service.programs import usecases
from service.programs.rules import ApiKey, KeyLimit, ProgramSettings, changed


@click.group()
def programs() -> None:
    """Make and list programs.

    Example: loyalty programs create tea-shop --name "Tea shop" --live
    """


@programs.command("create")
@click.argument("code")
@click.option("--name", required=True, help="How people call it.")
@click.option("--live/--test", default=False, show_default=True, help="Live keys begin with lk_live_.")
@click.option("--settings", "text", default="{}", help='Settings that differ, as JSON: \'{"currency":"USD"}\'.')
def create_program(code: str, name: str, text: str, *, live: bool) -> None:
    """Make a program, and its first admin key, which is shown once.

    Example: loyalty programs create tea-shop --name "Tea shop" --live --settings '{"currency":"GBP"}'
    """
    try:
        given: Any = json.loads(text)
        if not isinstance(given, dict):
            raise ValueError  # noqa: TRY004, TRY301 - told as the other ways in which it is none
    except ValueError:
        msg = "--settings is not a JSON object."
        raise click.ClickException(msg) from None
    key = new_key(live=live)

    async def work(db: Db) -> None:
        settings = changed(ProgramSettings(), cast("dict[str, Any]", given), live=live)
        program = await usecases.create_program(db, code=code, name=name, live=live, settings=settings)
        await usecases.add_key(
            db, program_id=program.id, role=Role.ADMIN, name="first key", key=key, entropy=random.getrandbits(62)
        )

    ask(work)
    click.echo(f"Made the {'live' if live else 'test'} program {code}. Its admin key, shown only now:\n{key}")


@programs.command("list")
def list_programs() -> None:
    """List all programs.

    Example: loyalty programs list
    """
    for program in ask(usecases.list_programs):
        click.echo(
            f"{program.code:24} {'live' if program.live else 'test'}  settings version {program.version}  "
            f"{program.name}"
        )


@click.group()
def keys() -> None:
    """Make, list, revoke and rotate API keys.

    Example: loyalty keys create --program demo --role checkout --name "shop in Bonn"
    """


_program_option = click.option("--program", "code", required=True, help="The program's code.")


@keys.command("create")
@_program_option
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True)
@click.option("--name", default="API key", show_default=True, help="What the key is for.")
@click.option("--per-second", type=click.IntRange(1, 10**6), help="Requests a second. [default: 1000]")
@click.option("--burst", type=click.IntRange(1, 10**7), help="Requests at once. [default: twice those of a second]")
def create_key(code: str, role: str, name: str, per_second: int | None, burst: int | None) -> None:
    """Make a key and show it, once.

    Example: loyalty keys create --program demo --role billing --name "billing system" --per-second 50
    """
    if per_second is None and burst is not None:
        msg = "--burst needs --per-second."
        raise click.ClickException(msg)
    limit = None if per_second is None else KeyLimit(per_second, burst or 2 * per_second)

    async def work(db: Db) -> str:
        program = await usecases.program_with_code(db, code)
        key = new_key(live=program.live)
        await usecases.add_key(
            db,
            program_id=program.id,
            role=Role(role),
            name=name,
            key=key,
            entropy=random.getrandbits(62),
            limit=limit,
        )
        return key

    click.echo(ask(work))


@keys.command("list")
@_program_option
def list_keys(code: str) -> None:
    """List a program's keys, newest first: id, role, last characters, state, name.

    Example: loyalty keys list --program demo
    """

    async def work(db: Db) -> list[ApiKey]:
        program = await usecases.program_with_code(db, code)
        return await usecases.list_keys(db, program_id=program.id, before=None, limit=1000)

    for key in ask(work):
        state = _state(key)
        click.echo(f"{to_wire('key', key.id)}  {key.role.value:9} ...{key.hint}  {state:22}  {key.name}")


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is None:
        return "valid"
    verb = "ended" if key.expires_at <= datetime.now(UTC) else "ends"
    return f"{verb} {key.expires_at:%Y-%m-%d %H:%M}Z"


@keys.command("revoke")
@_program_option
@click.argument("key_id")
def revoke_key(code: str, key_id: str) -> None:
    """End a key now; every process knows it within a second.

    Example: loyalty keys revoke --program demo key_01a2b3...
    """

    async def work(db: Db) -> None:
        found, program = from_wire("key", key_id), await usecases.program_with_code(db, code)
        if found is None:
            raise NotFound
        await usecases.revoke_key(db, program_id=program.id, key_id=found)

    ask(work)
    click.echo(f"Revoked {key_id}.")


@keys.command("rotate")
@_program_option
@click.argument("key_id")
@click.option(
    "--grace-hours", type=click.IntRange(0, 720), default=24, show_default=True, help="How long the old key goes on."
)
def rotate_key(code: str, key_id: str, grace_hours: int) -> None:
    """Make a key of the same role, name and limit, and let the old one end after a grace period.

    Example: loyalty keys rotate --program demo key_01a2b3... --grace-hours 1
    """

    async def work(db: Db) -> str:
        found, program = from_wire("key", key_id), await usecases.program_with_code(db, code)
        if found is None:
            raise NotFound
        old = await usecases.retire_key(db, program_id=program.id, key_id=found, grace=timedelta(hours=grace_hours))
        key = new_key(live=program.live)
        await usecases.add_key(
            db,
            program_id=program.id,
            role=old.role,
            name=old.name,
            key=key,
            entropy=random.getrandbits(62),
            limit=old.limit,
            origin=old.origin or old.id,
        )
        return key

    click.echo(ask(work))
