"""Buckets and shares of them: never more than the limit, nothing lost, nothing kept from others for long."""

import re
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.platform.rate_limits import rules
from service.platform.rate_limits.failed_logins import network
from service.platform.rate_limits.limiter import policy
from service.platform.rate_limits.rules import Bucket, RateLimit, Share


@st.composite
def limits(draw: st.DrawFn) -> RateLimit:
    """Draw a limit as a key may have it."""
    per_second = draw(st.integers(1, 5000))
    return RateLimit(per_second, per_second + draw(st.integers(0, 5000)))


LIMITS = limits()
STEPS = st.floats(-5, 5, allow_nan=False)


@given(LIMITS, st.lists(st.tuples(STEPS, st.integers(0, 300)), max_size=30))
def test_a_bucket_gives_its_burst_and_what_flowed_in_and_no_more_wherever_the_clock_goes(
    limit: RateLimit, calls: list[tuple[float, int]]
) -> None:
    bucket, given_away, forward = Bucket(limit.burst, 0.0), 0, 0.0
    for step, wanted in calls:
        forward += max(0.0, step)
        bucket = rules.filled(bucket, limit, bucket.at + step)
        for _ in range(min(wanted, int(bucket.tokens))):
            bucket = Bucket(bucket.tokens - 1, bucket.at)
            given_away += 1
        assert 0 <= bucket.tokens <= limit.burst
        assert given_away <= limit.burst + limit.per_second * forward + 1e-6


@given(LIMITS, st.floats(-100, 1, exclude_max=True))
def test_after_the_wait_that_was_told_there_is_a_token(limit: RateLimit, tokens: float) -> None:
    wait = rules.wait_for_one(tokens, limit)
    assert rules.filled(Bucket(tokens, 0.0), limit, wait + 1e-6).tokens >= 1


@dataclass
class Processes:
    """Some processes that take from one bucket, as the limiter does, with a time of their own."""

    limit: RateLimit
    shares: list[Share]
    bucket: Bucket
    now: float = 0.0
    let_through: int = 0
    taken: int = 0
    sent: dict[int, tuple[Share, int, int, int]] = field(default_factory=dict[int, tuple[Share, int, int, int]])

    @classmethod
    def of(cls, limit: RateLimit, count: int) -> "Processes":
        """Begin with a full bucket."""
        return cls(limit, [rules.fresh(limit)] * count, Bucket(limit.burst, 0.0))

    def request(self, process: int) -> bool:
        """Let a request through, or don't."""
        share = self.shares[process]
        through = rules.may_spend(share)
        self.shares[process] = rules.spent(share) if through else rules.refused(share)
        self.let_through += through
        return through

    def ask(self, process: int) -> None:
        """Let a process ask the bucket; the answer is on its way."""
        share = self.shares[process]
        level = rules.next_level(share, self.limit)
        self.bucket = rules.filled(self.bucket, self.limit, self.now)
        granted = min(level - share.tokens, int(self.bucket.tokens))
        self.bucket = Bucket(min(float(self.limit.burst), self.bucket.tokens - granted), self.now)
        self.taken += granted
        self.shares[process] = rules.asking(share, level)
        self.sent[process] = (share, level, granted, int(self.bucket.tokens))

    def hear(self, process: int) -> None:
        """Let the answer come, if there is one."""
        if process in self.sent:
            share, level, granted, left = self.sent.pop(process)
            self.shares[process] = rules.settled(self.shares[process], share, level, granted, left)

    def settle(self, process: int) -> None:
        """Ask and hear."""
        self.ask(process)
        self.hear(process)


ACTIONS = st.tuples(
    st.integers(0, 3), st.sampled_from(["request", "ask", "hear"]), st.integers(0, 300), st.floats(0, 0.5)
)


@given(LIMITS, st.lists(ACTIONS, max_size=60))
def test_processes_together_let_through_what_they_took_and_owe_at_most_a_tenth_each(
    limit: RateLimit, actions: list[tuple[int, str, int, float]]
) -> None:
    """Also with requests between the question and its answer, and answers that never come."""
    processes = Processes.of(limit, 4)
    in_hand = processes.shares
    for process, action, count, step in actions:
        processes.now += step
        match action:
            case "request":
                for _ in range(count):
                    processes.request(process)
            case "ask" if process not in processes.sent:
                processes.ask(process)
            case "hear":
                processes.hear(process)
            case _:
                pass
    on_the_way = sum(max(0, granted) for _, _, granted, _ in processes.sent.values())
    assert processes.let_through == processes.taken - on_the_way - sum(share.tokens for share in in_hand)
    flowed = limit.burst + limit.per_second * processes.now
    assert processes.let_through <= flowed + 4 * max(1, limit.burst // 10)
    greatest = -(-limit.per_second // 10)
    assert all(share.tokens <= greatest for share in in_hand)


@given(LIMITS, st.integers(1, 400))
def test_a_share_that_is_not_used_any_more_is_given_back_soon(limit: RateLimit, count: int) -> None:
    processes = Processes.of(limit, 1)
    for _ in range(count):
        processes.request(0)
    for _ in range(12):
        processes.now += 0.05
        processes.settle(0)
    processes.now += 100
    processes.settle(0)
    assert rules.is_idle(processes.shares[0])


@given(LIMITS)
def test_the_first_request_of_a_key_does_not_wait_for_the_shared_bucket(limit: RateLimit) -> None:
    assert Processes.of(limit, 1).request(0)


@given(LIMITS, st.integers(2, 4))
def test_a_debt_is_paid_before_anything_else(limit: RateLimit, count: int) -> None:
    """All processes run ahead of a bucket that is empty: then each waits until what it owes has flowed in."""
    processes = Processes.of(limit, count)
    processes.bucket = Bucket(0.0, 0.0)
    for process in range(count):
        while processes.request(process):
            pass
        processes.settle(process)
    assert not any(processes.request(process) for process in range(count))
    before = processes.let_through
    for _ in range(40):
        processes.now += 0.05
        for process in range(count):
            processes.settle(process)
            processes.request(process)
    assert processes.let_through <= limit.per_second * processes.now + max(1, limit.burst // 10) * count
    assert before == max(1, limit.burst // 10) * count


@given(LIMITS, st.integers(0, 500), st.integers(0, 500))
def test_going_on_alone_begins_with_what_there_was_and_is_told_afterwards(
    limit: RateLimit, tokens: int, left: int
) -> None:
    bucket = rules.alone(Share(tokens, 0, left), limit, 0.0)
    assert bucket.tokens == min(limit.burst, tokens + left)
    assert rules.owed(bucket, limit, 0.0) == limit.burst - bucket.tokens
    assert rules.owed(bucket, limit, 10_000.0) == 0


@given(st.integers(0, 100), st.integers(0, 100), st.integers(0, 100))
def test_what_cannot_be_paid_after_an_outage_is_forgiven(level: int, debt: int, held: int) -> None:
    granted = min(level + debt, held)
    share = rules.rejoined(level, debt, granted, held - granted)
    assert share.tokens == max(0, granted - debt)
    assert share.dry == (granted < level + debt)


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        (RateLimit(1000, 2000), '"default";q=2000;w=2'),
        (RateLimit(3, 10), '"default";q=10;w=4'),
        (RateLimit(5, 5), '"default";q=5;w=1'),
        (RateLimit(10**6, 10**7), '"default";q=10000000;w=10'),
    ],
)
def test_the_policy_tells_the_burst_and_when_as_much_has_flowed_in(limit: RateLimit, told: str) -> None:
    name, value = policy(limit)
    assert (name, value.decode()) == (b"ratelimit-policy", told)


@given(LIMITS, st.integers(1, 5))
def test_who_keeps_to_the_policy_is_never_refused(limit: RateLimit, windows: int) -> None:
    found = re.fullmatch(r'"default";q=(\d+);w=(\d+)', policy(limit)[1].decode())
    assert found is not None
    quota, window = int(found[1]), int(found[2])
    bucket = Bucket(limit.burst, 0.0)
    for number in range(windows):
        bucket = rules.filled(bucket, limit, float(number * window))
        assert bucket.tokens >= quota
        bucket = Bucket(bucket.tokens - quota, bucket.at)


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::"),
        ("2001:db8:1:3::1", "2001:db8:1:3::"),
        ("fe80::1%eth0", "fe80::"),
        ("", "unknown"),
        (None, "unknown"),
        ("a name", "unknown"),
    ],
)
def test_an_address_is_counted_by_itself_and_one_of_ipv6_by_its_64_bits(address: str | None, counted_as: str) -> None:
    assert network(address) == counted_as
