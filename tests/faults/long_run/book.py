"""What the callers keep in mind, outside the service: each purchase that was reported, and what was told about it."""

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.faults.proxy import AtCommit

FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Told:
    """One answer."""

    status: int
    replayed: bool
    retry_after: float
    text: str


@dataclass(slots=True)
class Reported:
    """One purchase: its content, and what was told about it so far."""

    number: int
    id: str
    customer_id: str
    total: int
    channel: str
    acknowledged: str | None = None
    """The first answer that says that it is booked."""
    unsure: bool = False
    """Whether an earlier call may have booked it: it had no answer, or was told that the outcome is unknown."""
    broken: AtCommit | None = None
    """What was done to the commit that it was in, during the present call."""

    @property
    def occurred_at(self) -> datetime:
        """When it happened."""
        return FIRST_DAY + timedelta(seconds=self.number)

    @property
    def points(self) -> int:
        """What it earns: a point for each whole euro."""
        return self.total // 100

    def body(self, *, total: int | None = None) -> bytes:
        """Write it as a call, `total` in place of its own."""
        return json.dumps(
            {
                "id": self.id,
                "customer_id": self.customer_id,
                "occurred_at": self.occurred_at.isoformat(),
                "currency": "EUR",
                "total": self.total if total is None else total,
                "channel": self.channel,
            }
        ).encode()


@dataclass
class Book:
    """All purchases, what was counted, and what must never have been told."""

    reported: dict[str, Reported] = field(default_factory=dict[str, Reported])
    acknowledged: list[Reported] = field(default_factory=list[Reported])
    counts: Counter[str] = field(default_factory=Counter[str])
    wrong: list[str] = field(default_factory=list[str])
    slowest_answer: float = 0.0
    longest_unacknowledged: float = 0.0

    def hear_report(self, report: Reported, told: Told | None) -> bool:
        """Note what a report was answered; tell whether it is to be sent again."""
        self._note_broken(report, told)
        if told is None:
            self.counts["calls without an answer"] += 1
            report.unsure = True
        elif told.status == 503:
            self._hear_unknown(report, told)
        elif told.status == 429:
            self._hear_limit(told)
        else:
            self._hear_outcome(report, told)
            return False
        return True

    def _note_broken(self, report: Reported, told: Told | None) -> None:
        if report.broken in {AtCommit.CUT, AtCommit.HOLD}:
            how = "no answer" if told is None else str(told.status)
            self.counts[f"purchases whose commit's answer was lost: {how}"] += 1
        report.broken = None

    def _hear_unknown(self, report: Reported, told: Told) -> None:
        problem = json.loads(told.text)
        self.counts["503 told"] += 1
        report.unsure |= not problem["detail"].endswith("nothing was done.")
        if problem["code"] != "unavailable" or told.retry_after < 1:
            self.wrong.append(f"{report.id}: a 503 without a code or a time: {told.text}")

    def _hear_limit(self, told: Told) -> None:
        self.counts["429 told"] += 1
        if told.retry_after < 1:
            self.wrong.append(f"a 429 without a time: {told.text}")

    def _hear_outcome(self, report: Reported, told: Told) -> None:
        if told.status not in {200, 201}:
            self.wrong.append(f"{report.id}: a report is refused: {told.status} {told.text}")
            return
        if told.status == 200 and not report.unsure:
            self.wrong.append(f"{report.id}: a first report is told to be a repetition")
        answer = json.loads(told.text)
        if answer["points"]["earned"] != report.points or told.replayed != (told.status == 200):
            self.wrong.append(f"{report.id}: told {told.status} {told.text}")
        report.acknowledged = told.text
        self.acknowledged.append(report)

    def hear_repetition(self, report: Reported, told: Told | None) -> None:
        """Note what the repetition of an acknowledged purchase was answered."""
        if told is None or told.status in {503, 429}:
            self.counts["repetitions not answered"] += 1
        elif (told.status, told.replayed, told.text) == (200, True, report.acknowledged):
            self.counts["repetitions answered alike"] += 1
        else:
            self.wrong.append(f"{report.id}: a repetition is told {told.status} {told.text}, not {report.acknowledged}")

    def hear_conflict(self, report: Reported, told: Told | None) -> None:
        """Note what other content under the id of an acknowledged purchase was answered."""
        if told is None or told.status in {503, 429}:
            self.counts["conflicts not answered"] += 1
        elif told.status == 409 and json.loads(told.text)["code"] == "purchase_conflict":
            self.counts["conflicts refused"] += 1
        else:
            self.wrong.append(f"{report.id}: other content is told {told.status} {told.text}")

    def balance_told(self, report: Reported) -> int:
        """Return the balance that an acknowledged purchase was answered with."""
        answer: dict[str, Any] = json.loads(report.acknowledged or "")
        return answer["balance"]["available"]
