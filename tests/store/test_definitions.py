"""Definitions in the tables: loaded with their program, listed by where they stand, counted."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any, TypeVar

import msgspec
import pytest

from service.kernel.errors import Invalid, NotFound
from service.platform.database import Database
from service.platform.statements import Db
from service.platform.transaction import transact
from service.programs import defining, store, usecases
from service.programs.catalogue import Catalogue
from service.programs.definitions import (
    MOST_DEFINITIONS,
    NO_DEFINITIONS,
    Change,
    Definition,
    DefinitionExists,
    DefinitionKind,
    Definitions,
    State,
    Status,
)
from service.programs.rules import Program, ProgramSettings
from tests.shop import unique
from tests.store.conftest import Books

DRAFT, ACTIVE, PAUSED, ENDED = State
PAST, FUTURE = (datetime(year, 1, 1, tzinfo=UTC) for year in (2020, 2200))
T = TypeVar("T")
_entropy = count(1)


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """Content of a kind that the tests know."""

    text: str = ""
    ends_at: datetime | None = None


WORDS = DefinitionKind[Words]("words", Words, lambda content, _: content)
OTHERS = DefinitionKind[Words]("others", Words, lambda content, _: content)


@pytest.fixture
async def db(books: Books) -> AsyncGenerator[Db]:
    """Give a transaction as the service's role, which is rolled back."""
    database = Database(books.settings)
    await database.open(size=1)
    async with database.connection() as connection:
        await connection.execute("BEGIN")
        yield connection
        await connection.execute("ROLLBACK")
    await database.close()


@pytest.fixture
async def program(db: Db) -> Program:
    """Give a program that nothing was defined in."""
    return await usecases.create_program(db, code=unique("shop"), name="Shop", live=False, settings=ProgramSettings())


async def make(
    db: Db, program: Program, its_id: str, kind: DefinitionKind[Words] = WORDS, **given: Any
) -> tuple[Definition, Status]:
    """Make a definition, active unless told."""
    change = Change(given.pop("state", ACTIVE), given.pop("valid_from", None))
    create = partial(defining.create, db, program_id=program.id, kind=kind, definition_id=its_id)
    return await create(content=Words(**given), change=change, entropy=next(_entropy))


async def alter(
    db: Db, program: Program, its_id: str, change: Change | None = None, **members: Any
) -> tuple[Definition, Status]:
    """Change a definition."""
    of_one = partial(defining.change, db, program_id=program.id, kind=WORDS, definition_id=its_id)
    return await of_one(members=members, change=change or Change(), entropy=next(_entropy))


async def loaded(db: Db, program: Program) -> Definitions:
    """Load a program in each way that there is; all give the same."""
    ways = [
        (await store.all_programs(db))[program.id],
        await store.lock_program(db, program_id=program.id),
        await usecases.program_with_code(db, program.code),
    ]
    first, *others = (way.definitions for way in ways)
    for other in others:
        assert {kind: other.of(kind) for kind in ("words", "others")} == {
            kind: first.of(kind) for kind in ("words", "others")
        }
    return first


async def test_a_program_comes_with_what_it_has_defined(db: Db, program: Program) -> None:
    assert await loaded(db, program) is NO_DEFINITIONS
    await make(db, program, "a", text="one", valid_from=PAST)
    await make(db, program, "b", state=DRAFT)
    await make(db, program, "c", OTHERS)
    await alter(db, program, "a", text="two")
    await alter(db, program, "a", Change(ACTIVE, PAST + timedelta(days=1)), text="three")
    definitions = await loaded(db, program)
    assert set(definitions.of("words")) == {"a"}
    assert set(definitions.of("others")) == {"c"}
    told = [
        (version.number, msgspec.json.decode(version.content, type=Words).text, version.valid_from)
        for version in definitions.of("words")["a"]
    ]
    assert told == [(1, "one", PAST), (3, "three", PAST + timedelta(days=1))]  # the second applies to no moment


async def test_a_change_of_settings_keeps_the_definitions(db: Db, program: Program) -> None:
    await make(db, program, "a")
    after = await usecases.change_program(
        db, program_id=program.id, name=None, settings={"hold_seconds": 7}, entropy=next(_entropy)
    )
    assert set(after.definitions.of("words")) == {"a"}


async def test_what_was_made_of_definitions_stays_while_others_change(books: Books) -> None:
    """In a process that goes on: it compiles anew what changed, and nothing else."""
    database = Database(books.settings)
    await database.open(size=2)
    catalogue = Catalogue(database)

    async def done(work: Callable[[Db], Awaitable[T]]) -> T:
        result = await transact(database.connection, work)
        await catalogue.refresh()
        return result

    async def made(db: Db) -> Program:
        return await usecases.create_program(
            db, code=unique("shop"), name="Shop", live=False, settings=ProgramSettings()
        )

    settled, busy = await done(made), await done(made)
    await done(lambda db: make(db, settled, "a"))
    before = catalogue.program(settled.id).definitions
    assert catalogue.program(busy.id).definitions is NO_DEFINITIONS
    await done(lambda db: make(db, busy, "b"))
    assert set(catalogue.program(busy.id).definitions.of("words")) == {"b"}
    assert catalogue.program(settled.id).definitions is before
    await done(lambda db: alter(db, settled, "a", text="other"))
    assert catalogue.program(settled.id).definitions is not before
    assert len(catalogue.program(settled.id).definitions.of("words")["a"]) == 2
    await database.close()


async def test_an_id_is_taken_once_for_each_kind(db: Db, program: Program) -> None:
    await make(db, program, "a")
    await make(db, program, "a", OTHERS)
    with pytest.raises(DefinitionExists):
        await make(db, program, "a", state=DRAFT)


async def stood(db: Db, program: Program, status: Status | None = None) -> dict[str, Status]:
    """List definitions with where they stand."""
    listed = await defining.list_definitions(
        db, program_id=program.id, kind="words", before=None, limit=50, status=status
    )
    return {definition.id: status for definition, status in listed}


async def test_definitions_are_listed_newest_first_by_where_they_stand(
    db: Db, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = dict[str, Status]()
    _, made["draft"] = await make(db, program, "draft", state=DRAFT)
    _, made["to-come"] = await make(db, program, "to-come", valid_from=FUTURE)
    _, made["active"] = await make(db, program, "active")
    await make(db, program, "paused")
    _, made["paused"] = await alter(db, program, "paused", Change(PAUSED))
    await make(db, program, "pause-to-come")
    _, made["pause-to-come"] = await alter(db, program, "pause-to-come", Change(PAUSED, FUTURE))
    await make(db, program, "ended")
    _, made["ended"] = await alter(db, program, "ended", Change(ENDED))
    _, made["over"] = await make(db, program, "over", valid_from=PAST, ends_at=PAST + timedelta(days=1))
    await make(db, program, "other-kind", OTHERS)
    expected = {
        "over": Status.ENDED,
        "ended": Status.ENDED,
        "pause-to-come": Status.ACTIVE,
        "paused": Status.PAUSED,
        "active": Status.ACTIVE,
        "to-come": Status.SCHEDULED,
        "draft": Status.DRAFT,
    }
    assert made == expected
    monkeypatch.setattr(defining, "_PAGE", 2)  # so that it is read by pages
    assert list((await stood(db, program)).items()) == list(expected.items())
    for status in Status:
        of_status = {name: its for name, its in expected.items() if its is status}
        assert list((await stood(db, program, status)).items()) == list(of_status.items())
    for its_id, status in expected.items():
        _, read = await defining.read(db, program_id=program.id, kind="words", definition_id=its_id)
        assert read is status


async def test_a_list_goes_on_behind_a_place(db: Db, program: Program) -> None:
    for number in range(5):
        await make(db, program, f"n{number}", state=DRAFT if number % 2 else ACTIVE)
    of_list = partial(defining.list_definitions, db, program_id=program.id, kind="words")
    first = await of_list(before=None, limit=1, status=Status.ACTIVE)
    assert [definition.id for definition, _ in first] == ["n4", "n2"]
    behind = await of_list(before=first[0][0].place, limit=5, status=Status.ACTIVE)
    assert [definition.id for definition, _ in behind] == ["n2", "n0"]


async def test_versions_are_read_newest_first_and_none_is_lost(db: Db, program: Program) -> None:
    await make(db, program, "a", text="1")
    for number in range(2, 5):
        await alter(db, program, "a", text=str(number))
    of_versions = partial(defining.list_versions, db, program_id=program.id, kind="words")
    first = await of_versions(definition_id="a", before=1000, limit=2)
    assert [version.number for version in first] == [4, 3, 2]
    assert [version.number for version in await of_versions(definition_id="a", before=3, limit=2)] == [2, 1]
    assert await of_versions(definition_id="a", before=1, limit=2) == []
    with pytest.raises(NotFound):
        await of_versions(definition_id="b", before=1000, limit=2)


async def test_what_is_not_there_can_t_be_read_or_changed(db: Db, program: Program) -> None:
    await make(db, program, "a", OTHERS)
    with pytest.raises(NotFound):
        await defining.read(db, program_id=program.id, kind="words", definition_id="a")
    with pytest.raises(NotFound):
        await alter(db, program, "a", text="x")


async def test_what_a_kind_forbids_by_now_can_be_paused_and_ended_still(db: Db, program: Program) -> None:
    def refuse(content: Words, _: Program) -> Words:
        raise Invalid("No more.", pointer="/text", reason=content.text)

    strict = DefinitionKind("words", Words, refuse)
    await make(db, program, "a", text="x")
    change = partial(defining.change, db, program_id=program.id, kind=strict, definition_id="a")
    with pytest.raises(Invalid):
        await change(members={"text": "y"}, change=Change(), entropy=next(_entropy))
    _, status = await change(members={}, change=Change(PAUSED), entropy=next(_entropy))
    assert status is Status.PAUSED
    with pytest.raises(Invalid):
        await change(members={}, change=Change(ACTIVE), entropy=next(_entropy))
    _, status = await change(members={}, change=Change(ENDED), entropy=next(_entropy))
    assert status is Status.ENDED


async def test_a_program_has_so_many_that_are_not_over(db: Db, program: Program) -> None:
    await make(db, program, "over", valid_from=PAST, ends_at=PAST + timedelta(days=1))
    await make(db, program, "other-kind", OTHERS)
    for number in range(MOST_DEFINITIONS):
        await make(db, program, f"n{number}", state=DRAFT if number % 2 else ACTIVE)
    with pytest.raises(Invalid) as refused:
        await make(db, program, "more")
    assert (refused.value.pointer, refused.value.reason) == ("", "too_many")
    with pytest.raises(Invalid):  # what was over would go on
        await alter(db, program, "over", ends_at=FUTURE)
    await alter(db, program, "n0", text="changed")
    await alter(db, program, "n1", Change(ENDED, None))
    await alter(db, program, "over", ends_at=FUTURE)
    with pytest.raises(Invalid):
        await make(db, program, "more")
    await alter(db, program, "n2", Change(ENDED, FUTURE))  # it goes on until then
    with pytest.raises(Invalid):
        await make(db, program, "more")
