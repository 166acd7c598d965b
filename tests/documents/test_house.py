"""The house keeps its shape: what a room may hold, and how large it may grow."""

import ast
from pathlib import Path

import pytest

from service.platform.settings import CHECKOUT

SERVICE = CHECKOUT / "service"
ROOMS = [
    "adjustments",
    "customers",
    "earning",
    "events",
    "invoices",
    "opening_balances",
    "points",
    "portal",
    "programs",
    "purchases",
    "referrals",
    "rewards",
    "surprises",
    "tiers",
    "webhooks",
]
SAME_IN_EVERY_ROOM = {
    "__init__.py",
    "handlers.py",
    "commands.py",
    "schemas.py",
    "usecases.py",
    "rules.py",
    "store.py",
    "queries.sql",
    "invariants.sql",
    "jobs.py",
    "keeping.py",
    "news.py",
}
NAMED_FOR_WHAT_THEY_ARE = {
    "earning": {
        "activity_types.py",
        "book.py",
        "conditions.py",
        "contexts.py",
        "deciding.py",
        "defining.py",
        "effects.py",
        "expressions.py",
        "lexing.py",
        "library.py",
        "limits.py",
        "occasion.py",
        "preparing.py",
        "scanning.py",
        "showing.py",
        "terms.py",
        "vocabulary.py",
        "ways.py",
    },
    "purchases": {
        "activities.py",
        "booking.py",
        "counting.py",
        "engaging.py",
        "explaining.py",
        "preparing.py",
        "quoting.py",
        "recounting.py",
        "referees.py",
        "refunding.py",
        "returning.py",
        "simulating.py",
        "simulation_handlers.py",
        "simulations.py",
        "terms.py",
        "transactions.py",
    },
    "customers": {"records.py"},
    "events": {"following.py", "kinds.py", "sequencing.py"},
    "invoices": {
        "bills.py",
        "crediting.py",
        "discounts.py",
        "documents.py",
        "paying.py",
        "payment_handlers.py",
        "payment_schemas.py",
        "payment_store.py",
        "payments.py",
        "phrases.py",
        "settling.py",
        "streaks.py",
        "taking_back.py",
        "wording.py",
        "xrechnung.py",
    },
    "points": {
        "account.py",
        "bulk.py",
        "coming.py",
        "explaining.py",
        "facts.py",
        "holding.py",
        "importing.py",
        "merging.py",
        "policies.py",
        "reversing.py",
        "settling.py",
        "wording.py",
    },
    "portal": {
        "admission.py",
        "cors.py",
        "doing.py",
        "keyring.py",
        "me_handlers.py",
        "reading.py",
        "session_handlers.py",
        "session_schemas.py",
        "sessions.py",
        "signing_keys.py",
        "tokens.py",
    },
    "programs": {
        "catalogue.py",
        "defining.py",
        "definition_handlers.py",
        "definition_schemas.py",
        "definitions.py",
        "payment_terms.py",
        "policies.py",
        "portal_policy.py",
        "surprise_policy.py",
        "tier_policy.py",
        "versions.py",
        "working_days.py",
    },
    "referrals": {
        "book.py",
        "claiming.py",
        "defining.py",
        "likeness.py",
        "links.py",
        "offers.py",
        "opening.py",
        "overview.py",
        "rewarding.py",
        "showing.py",
        "signs.py",
    },
    "rewards": {"redeeming.py", "redemptions.py", "vouchers.py", "wallet.py"},
    "surprises": {
        "audience.py",
        "book.py",
        "calendar.py",
        "campaigns.py",
        "chance.py",
        "changing.py",
        "defining.py",
        "drawing.py",
        "fair.py",
        "fairness.py",
        "fairness_handlers.py",
        "fairness_schemas.py",
        "games.py",
        "gift_handlers.py",
        "gift_schemas.py",
        "gifting.py",
        "gifts.py",
        "giving.py",
        "had.py",
        "lifecycle.py",
        "noticing.py",
        "occurring.py",
        "planning.py",
        "playing.py",
        "public_holidays.py",
        "purse.py",
        "rhythm.py",
        "stop_handlers.py",
        "stop_schemas.py",
        "stops.py",
        "surprising.py",
    },
    "tiers": {
        "balances.py",
        "book.py",
        "bringing.py",
        "climbing.py",
        "defining.py",
        "history.py",
        "movements.py",
        "reaching.py",
        "settling.py",
        "standing.py",
        "windows.py",
    },
    "webhooks": {"delivering.py", "sending.py", "targets.py"},
}
SOURCES = sorted(SERVICE.rglob("*.py"))


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_holds_the_same_few_files_as_every_other(room: str) -> None:
    found = {path.name for path in (SERVICE / room).iterdir() if path.is_file()}
    assert found - SAME_IN_EVERY_ROOM <= NAMED_FOR_WHAT_THEY_ARE.get(room, set())


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(SERVICE)))
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, node.name


def test_nothing_is_called_by_a_name_that_says_nothing() -> None:
    names = {path.stem for path in SOURCES} | {path.name for path in SERVICE.rglob("*") if path.is_dir()}
    assert not names & {"helpers", "utils", "util", "manager", "common", "misc", "base"}


def test_only_one_place_commits() -> None:
    committing = {path.name for path in SOURCES if '"COMMIT"' in path.read_text(encoding="utf-8")}
    assert committing == {"transaction.py"}


def test_the_architecture_is_told_in_under_200_lines_and_names_files_that_exist() -> None:
    text = (CHECKOUT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert text.count("\n") < 200
    for word in text.replace("`", " ").replace("*", " ").split():
        path = word.rstrip(",.;:")
        if "/" in path and path.endswith((".py", ".sql")):
            assert (SERVICE / path).exists(), path
