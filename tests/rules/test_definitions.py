"""Definitions: which version applies when, where one stands now, and what may follow what."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.kernel.errors import Invalid, Refusal
from service.programs.definitions import (
    GREATEST_CONTENT,
    NO_DEFINITIONS,
    Change,
    Definition,
    DefinitionEnded,
    DefinitionKind,
    Definitions,
    DefinitionVersion,
    State,
    StateNotReachable,
    Status,
    VersionConflict,
    applying_of,
    check_change,
    check_content,
    is_news,
    since,
)
from service.programs.rules import Program, ProgramSettings, SettingsVersion, with_settings
from service.programs.versions import applied_at

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
PROGRAM = Program(1, "shop", "Shop", live=False, newest=SettingsVersion(1, ProgramSettings()))
DRAFT, ACTIVE, PAUSED, ENDED = State


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """Content of a kind that the tests know."""

    text: str = ""
    ends_at: datetime | None = None


def checked(content: Words, program: Program) -> Words:
    if content.text == program.code:
        raise Invalid("That's the program's code.", pointer="/text", reason="taken")
    return msgspec.structs.replace(content, text=content.text.strip())


WORDS = DefinitionKind("words", Words, checked)


def version(
    number: int, state: State = ACTIVE, hours: float = 0, ends: float | None = None, text: str = ""
) -> DefinitionVersion:
    """Make a version that is valid from so many hours after noon, and over by itself after others."""
    content = Words(text=text, ends_at=None if ends is None else NOON + ends * HOUR)
    return DefinitionVersion(
        number, UUID(int=number), state, msgspec.json.encode(content), NOON + hours * HOUR, NOON - HOUR
    )


def definition(*versions: DefinitionVersion) -> Definition:
    return Definition("words", UUID(int=1), versions)


@pytest.mark.parametrize(
    ("versions", "told"),
    [
        ([version(1, DRAFT, -1)], Status.DRAFT),
        ([version(1, DRAFT, 5), version(2, DRAFT, -1)], Status.DRAFT),
        ([version(1, ACTIVE, 1)], Status.SCHEDULED),
        ([version(1, DRAFT, -1), version(2, ACTIVE, 1)], Status.SCHEDULED),
        ([version(1, ACTIVE, 0)], Status.ACTIVE),
        ([version(1, ACTIVE, -1), version(2, PAUSED, 1)], Status.ACTIVE),
        ([version(1, ACTIVE, -1), version(2, ENDED, 1)], Status.ACTIVE),
        ([version(1, ACTIVE, -1), version(2, PAUSED, 0)], Status.PAUSED),
        ([version(1, ACTIVE, 1), version(2, PAUSED, 0)], Status.PAUSED),
        ([version(1, PAUSED, -1), version(2, ACTIVE, 1)], Status.PAUSED),
        ([version(1, ACTIVE, -1), version(2, ENDED, 0)], Status.ENDED),
        ([version(1, DRAFT, -1), version(2, ENDED, 0)], Status.ENDED),
        ([version(1, ACTIVE, -1, ends=0)], Status.ENDED),
        ([version(1, ACTIVE, -1, ends=0.1)], Status.ACTIVE),
        ([version(1, PAUSED, -1, ends=0)], Status.ENDED),
        ([version(1, DRAFT, -1, ends=0)], Status.DRAFT),
        ([version(1, ACTIVE, -1, ends=0), version(2, ACTIVE, 0)], Status.ACTIVE),
        ([version(1, ACTIVE, -1), version(2, ACTIVE, 1, ends=2)], Status.ACTIVE),
    ],
)
def test_where_a_definition_stands(versions: list[DefinitionVersion], told: Status) -> None:
    assert definition(*versions).status(NOON) is told


histories = st.lists(st.tuples(st.sampled_from([ACTIVE, PAUSED, ENDED]), st.integers(-5, 5)), max_size=6)


@given(st.lists(st.integers(-5, 5), max_size=2), histories, st.integers(-6, 6))
def test_the_highest_version_that_is_valid_by_then_applies_and_no_draft_ever(
    drafts: list[int], others: list[tuple[State, int]], hour: int
) -> None:
    told = [*((DRAFT, each) for each in drafts), *others]
    versions = [version(number, *each) for number, each in enumerate(told, start=1)]
    valid = [each for each in versions if each.state is not DRAFT and each.valid_from <= NOON + hour * HOUR]
    assert applied_at(applying_of(versions), NOON + hour * HOUR) == (valid[-1] if valid else None)


@given(st.lists(st.integers(-5, 5), max_size=2), histories.filter(len))
def test_the_newest_version_and_the_one_that_applies_now_tell_where_it_stands(
    drafts: list[int], others: list[tuple[State, int]]
) -> None:
    """So that a list need not read all versions."""
    told = [*((DRAFT, each) for each in drafts), *others]
    versions = [version(number, *each) for number, each in enumerate(told, start=1)]
    of_now = applied_at(applying_of(versions), NOON)
    few = [each for each in versions if each is of_now or each is versions[-1]]
    assert definition(*few).status(NOON) is definition(*versions).status(NOON)


@pytest.mark.parametrize(
    ("before", "to", "now"),
    [
        (DRAFT, DRAFT, NOON),
        (DRAFT, ACTIVE, NOON),
        (DRAFT, ENDED, NOON),
        (ACTIVE, ACTIVE, NOON),
        (ACTIVE, PAUSED, NOON),
        (ACTIVE, ENDED, NOON),
        (PAUSED, ACTIVE, NOON),
        (PAUSED, ENDED, NOON),
        (ENDED, ACTIVE, NOON - HOUR),  # the end is still to come
        (ENDED, ENDED, NOON - HOUR),
    ],
)
def test_what_may_follow(before: State, to: State, now: datetime) -> None:
    assert check_change(version(1, before), Change(to), now=now) is to


@pytest.mark.parametrize(
    ("before", "to", "refusal"),
    [
        (DRAFT, PAUSED, StateNotReachable),
        (ACTIVE, DRAFT, StateNotReachable),
        (PAUSED, DRAFT, StateNotReachable),
        (ENDED, ACTIVE, DefinitionEnded),
        (ENDED, ENDED, DefinitionEnded),
        (ENDED, None, DefinitionEnded),
    ],
)
def test_what_may_not_follow(before: State, to: State | None, refusal: type[Refusal]) -> None:
    with pytest.raises(refusal):
        check_change(version(1, before), Change(to), now=NOON)


def test_who_has_seen_an_older_version_changes_nothing() -> None:
    assert check_change(version(3), Change(version=3), now=NOON) is ACTIVE
    for other in (2, 4):
        with pytest.raises(VersionConflict):
            check_change(version(3), Change(version=other), now=NOON)


@pytest.mark.parametrize(
    ("before", "change", "state", "hours"),
    [
        (version(1, ACTIVE, -1), Change(), ACTIVE, 0),
        (version(1, ACTIVE, -1), Change(PAUSED), PAUSED, 0),
        (version(1, ACTIVE, 1), Change(), ACTIVE, 1),  # it is still to come, and stays so
        (version(1, DRAFT, 1), Change(ACTIVE), ACTIVE, 1),
        (version(1, DRAFT, -1), Change(ACTIVE), ACTIVE, 0),
        (version(1, ACTIVE, 1), Change(PAUSED), PAUSED, 0),
        (version(1, ACTIVE, 1), Change(ENDED), ENDED, 0),
        (version(1, ACTIVE, 1), Change(valid_from=NOON - HOUR), ACTIVE, -1),
        (version(1, ACTIVE, -1), Change(PAUSED, NOON + HOUR), PAUSED, 1),
        (version(1, DRAFT, -1), Change(ENDED, NOON), ENDED, 0),
    ],
)
def test_from_when_on_a_change_applies(before: DefinitionVersion, change: Change, state: State, hours: int) -> None:
    assert since(before, change, state, now=NOON) == NOON + hours * HOUR


def test_a_first_version_applies_from_now_or_from_when_it_says() -> None:
    assert since(None, Change(), ACTIVE, now=NOON) == NOON
    assert since(None, Change(valid_from=NOON + HOUR), ACTIVE, now=NOON) == NOON + HOUR


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-01:00", "9999-12-31T23:59:59.999999Z"]
)
def test_a_moment_outside_the_calendar_is_refused(moment: str) -> None:
    for before in (None, version(1)):
        with pytest.raises(Invalid) as refused:
            since(before, Change(valid_from=datetime.fromisoformat(moment)), ACTIVE, now=NOON)
        assert (refused.value.pointer, refused.value.reason) == ("/valid_from", "out_of_range")


def test_a_draft_ends_now() -> None:
    with pytest.raises(Invalid) as refused:
        since(version(1, DRAFT), Change(ENDED, NOON + HOUR), ENDED, now=NOON)
    assert (refused.value.pointer, refused.value.reason) == ("/valid_from", "in_the_future")


def news(before: DefinitionVersion, change: Change, *, same: bool) -> bool:
    state = change.state or before.state
    return is_news(before, change, state, same=same, moment=since(before, change, state, now=NOON))


def test_what_stays_as_it_is_makes_no_version() -> None:
    for before in (version(1), version(1, DRAFT), version(1, ACTIVE, 1), version(1, PAUSED, -1)):
        assert not news(before, Change(), same=True)
        assert not news(before, Change(before.state), same=True)
        assert not news(before, Change(valid_from=before.valid_from), same=True)
        assert news(before, Change(), same=False)
        assert news(before, Change(ENDED), same=True)
        assert news(before, Change(valid_from=before.valid_from - HOUR), same=True)


def test_the_same_from_a_later_moment_on_is_refused_since_it_would_change_nothing() -> None:
    assert news(version(1, DRAFT), Change(valid_from=NOON + HOUR), same=True)
    for before in (version(1), version(1, ACTIVE, 1)):
        assert news(before, Change(valid_from=NOON + 2 * HOUR), same=False)
        with pytest.raises(Invalid) as refused:
            news(before, Change(valid_from=NOON + 2 * HOUR), same=True)
        assert (refused.value.pointer, refused.value.reason) == ("/valid_from", "applies_earlier")


def test_content_is_brought_into_the_form_of_its_kind() -> None:
    ends_at = datetime.fromisoformat("2026-11-21T14:00:00+01:00")
    content = check_content(WORDS, "word", Words(text=" a ", ends_at=ends_at), PROGRAM, moment=NOON)
    assert content == Words(text="a", ends_at=NOON + HOUR)
    assert msgspec.json.encode(content) == b'{"text":"a","ends_at":"2026-11-21T13:00:00Z"}'


@pytest.mark.parametrize(
    ("content", "pointer", "reason"),
    [
        (Words(text="shop"), "/text", "taken"),
        (Words(ends_at=NOON), "/ends_at", "out_of_range"),
        (Words(ends_at=datetime.fromisoformat("9999-12-31T23:00:00-02:00")), "/ends_at", "out_of_range"),
        (Words(text="a" * GREATEST_CONTENT), "", "too_large"),
    ],
)
def test_content_that_can_t_be_is_pointed_at(content: Words, pointer: str, reason: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_content(WORDS, "word", content, PROGRAM, moment=NOON)
    assert (refused.value.pointer, refused.value.reason) == (pointer, reason)


def test_what_is_made_of_definitions_is_made_once_for_each_function() -> None:
    definitions = Definitions({"words": {"a": [version(1, text="x")]}})
    asked = list[str]()

    def count(of: Definitions) -> int:
        asked.append("count")
        return len(of.of("words"))

    def nothing(_: Definitions) -> None:
        asked.append("nothing")

    assert [definitions.once(count), definitions.once(count)] == [1, 1]
    assert [definitions.once(nothing), definitions.once(nothing)] == [None, None]
    assert asked == ["count", "nothing"]
    assert definitions.of("tier") == {}


def test_a_program_keeps_its_definitions_when_its_settings_change() -> None:
    assert PROGRAM.definitions is NO_DEFINITIONS
    definitions = Definitions({"words": {"a": [version(1)]}})
    before = msgspec.structs.replace(PROGRAM, definitions=definitions)
    after = with_settings(before, ProgramSettings(hold_seconds=1), valid_from=None, now=NOON)
    assert after.version == 2
    assert after.definitions is definitions
