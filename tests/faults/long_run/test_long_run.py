"""The long run in its short form, and the proof of its power: every planted mistake is found.

At size: `python -m tests.faults.long_run`.
"""

import pytest

from tests.faults.long_run.planted import BUGS
from tests.faults.long_run.run import Plan, run

IN_EVERY_RUN = "answer_before_the_commit"
RUNS = 5
"""A mistake shows where a fault meets the moment for which it matters, which one short run may miss."""
FOUND_BY = {
    "answer_before_the_commit": "is acknowledged and booked 0 times",
    "take_no_claims": "is acknowledged and booked 2 times",
    "refuse_what_is_unknown": "a report is refused",
    "forget_who_reported": "a first report is told to be a repetition",
    "overwrite_what_others_wrote": "points and should have",
}
"""What is said of each mistake, among other things."""


async def test_purchases_are_neither_lost_nor_doubled_while_everything_is_killed_and_cut_off() -> None:
    outcome = await run(Plan(purchases=3000, kills=6, cuts=30))
    counts = outcome.book.counts
    assert outcome.wrong == []
    assert len(outcome.book.acknowledged) >= 3000
    assert {kind: outcome.kills(kind) for kind in ("API", "database connection", "database server")} == {
        "API": 2,
        "database connection": 2,
        "database server": 2,
    }
    assert outcome.cuts >= 30
    # What was lost on the way was found out inside, or told as unknown and found out by the repetition.
    assert counts["purchases whose commit's answer was lost: 201"] >= 20
    assert counts["503 told"] >= 1
    assert counts["repetitions answered alike"] >= 100
    assert counts["conflicts refused"] >= 20


@pytest.mark.parametrize(
    "bug", [pytest.param(bug, marks=[] if bug == IN_EVERY_RUN else pytest.mark.slow) for bug in BUGS]
)
async def test_a_planted_mistake_is_found(bug: str) -> None:
    kills = 1 if bug == IN_EVERY_RUN else 2  # behind the second one a commit is never answered
    wrong = list[str]()
    for _ in range(RUNS):
        wrong += (await run(Plan(purchases=1200, kills=kills, cuts=6, planted=bug))).wrong
        if any(FOUND_BY[bug] in sentence for sentence in wrong):
            return
    pytest.fail(f"It was not found: {wrong[:20]}")
