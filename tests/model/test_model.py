"""Random sequences of all operations through HTTP: each answer, and the rows after each step, against a plain model.

`LOYALTY_MODEL_SEQUENCES=5000 pytest tests/model -s` runs longer, on sequences of its own, and tells how far it is. What
it prints as seed runs the same ones again: `LOYALTY_MODEL_SEED=...`.
"""

import asyncio
import os
import random
import sys
import time
from collections.abc import Sequence
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import Machine
from tests.model.planted import MISTAKES, planted
from tests.model.stand import Stand

pytestmark = pytest.mark.long

SEQUENCES: Final = 60
STEPS: Final = 30
ROUND: Final = 10
"""Sequences of one run of hypothesis: from then on it mostly repeats those that it has with small changes."""
TOLD_EVERY: Final = 100
IN_EVERY_RUN: Final = "what is kept is rounded to the nearest"


async def test_every_answer_and_the_books_after_every_step_are_those_of_a_plain_model(stand: Stand) -> None:
    asked = os.environ.get("LOYALTY_MODEL_SEQUENCES")
    first = int(os.environ.get("LOYALTY_MODEL_SEED", 0 if asked is None else random.getrandbits(32)))
    await asyncio.to_thread(_play, stand, SEQUENCES if asked is None else int(asked), first)


@pytest.mark.parametrize(
    "mistake", [pytest.param(each, marks=[] if each == IN_EVERY_RUN else pytest.mark.slow) for each in MISTAKES]
)
async def test_a_planted_mistake_is_found(stand: Stand, mistake: str) -> None:
    with planted(MISTAKES[mistake]), pytest.raises(AssertionError):
        await asyncio.to_thread(_play, stand, SEQUENCES, 0, [Phase.generate])


def _play(stand: Stand, sequences: int, first: int, phases: Sequence[Phase] = (Phase.generate, Phase.shrink)) -> None:
    """Play so many different sequences, in rounds with seeds from a first one on."""

    class Begun(Machine):
        pass

    Begun.stand, began, told, number = stand, time.monotonic(), 0, first
    stand.sequences.clear()
    while len(stand.sequences) < sequences:
        Begun.skipped = number > first
        seed(number)(Begun)
        run_state_machine_as_test(
            Begun,
            settings=settings(
                max_examples=ROUND,
                stateful_step_count=STEPS,
                phases=phases,
                deadline=None,
                database=None,
                report_multiple_bugs=False,
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
            ),
        )
        number += 1
        if len(stand.sequences) // TOLD_EVERY > told:
            told = len(stand.sequences) // TOLD_EVERY
            done = f"{len(stand.sequences)} sequences, {stand.steps} steps, {time.monotonic() - began:.0f} s"
            sys.stderr.write(f"{done}, seeds {first} to {number - 1}\n")
