"""When a delivery is tried again, and when an endpoint is given up."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.webhooks.rules import (
    KEPT_BYTES,
    LONGEST_RETRY_AFTER,
    MOST_WAITING_OF_FAILING,
    PAUSES,
    TRIED_FOR,
    Attempt,
    AttemptError,
    Delivery,
    DeliveryState,
    Sent,
    Webhook,
    WhyDisabled,
    error_of,
    heard,
    kept_of,
    pause_after,
    retry_after,
    tried,
)

NOW = datetime(2026, 11, 22, tzinfo=UTC)
NEW = Delivery(UUID(int=1), 1, "purchase.rewarded", DeliveryState.WAITING, 0, NOW, NOW, None)
chances = st.floats(0, 1)


def sent(status: int | None, *, at: datetime = NOW, pause: str | None = None) -> Sent:
    error = AttemptError.TIMED_OUT if status is None else error_of(status)
    return Sent(Attempt(at, status, 1, "", error), pause)


def webhook(**changes: object) -> Webhook:
    plain = Webhook(UUID(int=1), "https://hooks.example.com/", "", None, None, None, NOW, 0, 0, None, 1)
    return msgspec.structs.replace(plain, **changes)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_what_is_taken_is_delivered(status: int) -> None:
    after = tried(NEW, sent(status), now=NOW, chance=0.5)
    assert (after.state, after.next_at, after.ended_at, after.tries) == (DeliveryState.DELIVERED, None, NOW, 1)


@pytest.mark.parametrize("status", [None, 100, 199, 300, 301, 304, 400, 404, 410, 429, 500, 503, 599])
def test_all_else_is_tried_again(status: int | None) -> None:
    after = tried(NEW, sent(status), now=NOW, chance=0.5)
    assert (after.state, after.ended_at, after.tries) == (DeliveryState.WAITING, None, 1)
    assert after.next_at == NOW + timedelta(seconds=5)


@given(st.integers(1, 40), chances)
def test_pauses_grow_and_are_spread(tries: int, chance: float) -> None:
    pause, plain = pause_after(tries, chance), PAUSES[min(tries, len(PAUSES)) - 1]
    assert plain * 0.8 <= pause <= plain * 1.2
    assert pause_after(tries + 1, chance) >= pause
    assert pause_after(tries, 0.5) == plain


@given(st.lists(chances, min_size=60, max_size=60), st.none() | st.integers(0, 10**8))
def test_a_delivery_is_tried_for_three_days_to_their_end_and_then_dead(
    all_chances: list[float], pause: int | None
) -> None:
    delivery, now, attempts = NEW, NOW, 0
    while delivery.state is DeliveryState.WAITING:
        header = None if pause is None else str(pause)
        delivery = tried(delivery, sent(500, pause=header), now=now, chance=all_chances[attempts])
        attempts += 1
        if delivery.next_at is not None:
            assert now < delivery.next_at <= NOW + TRIED_FOR
            now = delivery.next_at
    assert (delivery.state, delivery.ended_at) == (DeliveryState.DEAD, NOW + TRIED_FOR)
    assert attempts == delivery.tries
    assert 4 <= attempts <= 20
    assert pause is not None or attempts >= 14


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, 0),
        ("0", 0),
        ("120", 120),
        (" 7 ", 7),
        ("86401", 86_400),
        ("999999999", 86_400),
        ("9" * 30, 0),
        ("-5", 0),
        ("1.5", 0),
        ("soon", 0),
        ("", 0),
        (format_datetime(NOW + timedelta(minutes=5), usegmt=True), 300),
        (format_datetime(NOW - timedelta(minutes=5), usegmt=True), 0),
        (format_datetime(NOW + timedelta(days=300), usegmt=True), 86_400),
        ("Sun, 22 Nov 2026 00:01:00", 60),
        ("Sun, 99 Nov 2026 00:01:00 GMT", 0),
        ("\u0663", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_bounded(text: str | None, seconds: int) -> None:
    assert retry_after(text, NOW) == timedelta(seconds=seconds)
    assert timedelta(seconds=86_400) == LONGEST_RETRY_AFTER


@given(st.text(max_size=40))
def test_no_retry_after_does_harm(text: str) -> None:
    assert timedelta() <= retry_after(text, NOW) <= LONGEST_RETRY_AFTER


def test_a_retry_after_never_shortens_a_pause() -> None:
    late = msgspec.structs.replace(NEW, tries=5)
    assert tried(late, sent(503, pause="1"), now=NOW, chance=0.5).next_at == NOW + timedelta(hours=1)
    assert tried(late, sent(503, pause="7200"), now=NOW, chance=0.5).next_at == NOW + timedelta(hours=2)


def attempts(*statuses: int | None) -> list[Attempt]:
    return [sent(status).attempt for status in statuses]


def test_an_endpoint_fails_since_its_first_failure_and_until_something_succeeds() -> None:
    failing = heard(webhook(), attempts(500, None), now=NOW)
    assert failing.failing_since == NOW
    assert heard(failing, attempts(500), now=NOW + timedelta(days=1)).failing_since == NOW
    assert heard(failing, attempts(500, 200), now=NOW).failing_since is None
    assert heard(failing, [], now=NOW) == failing


def test_an_endpoint_at_which_all_fails_for_three_days_is_switched_off() -> None:
    failing = webhook(failing_since=NOW - TRIED_FOR + timedelta(seconds=1))
    assert heard(failing, attempts(500), now=NOW).reason is None
    off = heard(failing, attempts(500), now=NOW + timedelta(seconds=1))
    assert (off.reason, off.disabled_at) == (WhyDisabled.FAILING, NOW + timedelta(seconds=1))
    assert heard(failing, attempts(500, 204), now=NOW + timedelta(days=9)).reason is None


def test_410_switches_an_endpoint_off_at_once_also_beside_successes() -> None:
    assert heard(webhook(), attempts(200, 410), now=NOW).reason is WhyDisabled.GONE
    by_call = webhook(reason=WhyDisabled.BY_CALL, disabled_at=NOW)
    assert heard(by_call, attempts(410), now=NOW).reason is WhyDisabled.BY_CALL


def test_an_endpoint_at_which_all_fails_is_told_no_more_than_so_many_new_events() -> None:
    assert webhook(waiting=MOST_WAITING_OF_FAILING).takes_new
    assert webhook(waiting=MOST_WAITING_OF_FAILING - 1, failing_since=NOW).takes_new
    assert not webhook(waiting=MOST_WAITING_OF_FAILING, failing_since=NOW).takes_new


@given(st.binary(max_size=4000), st.lists(st.text(min_size=1, max_size=20), max_size=2))
def test_what_is_kept_of_an_answer_is_short_text_without_the_ids(answer: bytes, never: list[str]) -> None:
    kept = kept_of(answer, never)
    assert len(kept.encode()) <= KEPT_BYTES
    assert "\x00" not in kept


def test_an_id_is_not_kept_where_it_stands_at_the_end_of_what_is_kept() -> None:
    for shift in range(20):
        kept = kept_of(b"x" * (KEPT_BYTES - shift) + b"gone@example.com", ["gone@example.com"])
        assert "gone" not in kept


@pytest.mark.parametrize(
    "written",
    [
        'Gone/"O\'Neil"+x@Example.com',
        'gone/"o\'neil"+x@example.com',
        r"""Gone/\"O'Neil\"+x@Example.com""",
        r"""Gone\/\"O'Neil\"+x@Example.com""",
        "Gone%2F%22O%27Neil%22%2Bx%40Example.com",
        "gone%2f%22o%27neil%22%2bx%40example.com",
        "Gone/&quot;O&#x27;Neil&quot;+x@Example.com",
    ],
)
def test_an_id_is_not_kept_however_a_receiver_writes_it(written: str) -> None:
    told = kept_of(f'{{"error": "no such customer: {written}!"}}'.encode(), ['Gone/"O\'Neil"+x@Example.com'])
    assert told == '{"error": "no such customer: ...!"}'


@given(st.integers(0, 40))
def test_a_part_of_an_id_is_not_kept_of_a_long_answer_that_says_it_again_and_again(shift: int) -> None:
    kept = kept_of(b"x" * shift + b"gone@example.com" * 4000, ["gone@example.com"])
    assert set(kept) <= {"x", "."}
