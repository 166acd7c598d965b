"""`./run`: what a newcomer and a killed machine see."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from typing import Any

import pytest

from service.platform.settings import CHECKOUT
from tests.demo.running import Demo, new_demo
from tests.ports import free_port

pytestmark = pytest.mark.long

PURCHASE = {
    "id": "order-1",
    "customer_id": "c-1",
    "occurred_at": "2026-11-21T10:00:00Z",
    "currency": "EUR",
    "total": 12990,
}


@pytest.fixture
def demo() -> Generator[Demo]:
    """Give a demo that isn't started yet."""
    with new_demo() as made:
        yield made


def gone(demo: Demo) -> bool:
    """Wait until no process of the demo is left; False after ten seconds."""
    give_up_at = time.monotonic() + 10
    while demo.processes():
        if time.monotonic() > give_up_at:
            return False
        time.sleep(0.05)
    return True


def test_the_pasted_line_of_the_greeting_books_a_purchase(demo: Demo) -> None:
    demo.start()
    demo.wait_until_ready()
    while "Ctrl-C" not in demo.said:
        time.sleep(0.05)
    pasted = re.search(r"^curl .*\n.*$", demo.said, re.MULTILINE)
    assert pasted is not None
    answer = subprocess.run(["sh", "-c", pasted[0]], capture_output=True, text=True, check=True, timeout=20)
    assert json.loads(answer.stdout)["points"]["earned"] == 129
    assert (demo.folder / "keys.json").stat().st_mode & 0o777 == 0o600
    assert set(demo.keys) == {"checkout", "billing", "portal", "support", "marketer", "analyst", "admin"}
    assert all(key.startswith("lk_test_") for key in demo.keys.values())


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_however_it_ends_nothing_is_left_running_and_what_was_acknowledged_is_there(
    demo: Demo, end: signal.Signals
) -> None:
    process = demo.start()
    demo.wait_until_ready()
    keys = demo.keys
    assert demo.call("/v1/purchases", PURCHASE)[0] == 201
    os.kill(process.pid, end)
    status = process.wait(30)
    assert status == (0 if end is not signal.SIGKILL else -end)
    assert gone(demo), demo.processes()
    demo.start()
    demo.wait_until_ready()
    assert demo.keys == keys
    assert demo.call("/v1/customers/c-1/balance")[1]["available"] == 129
    assert demo.call("/v1/purchases", PURCHASE)[0] == 200


def test_the_first_start_fills_the_shops_program_and_later_ones_leave_it_as_it_is(demo: Demo) -> None:
    process = demo.start()
    demo.wait_until_ready()
    paths = ("earning-rules", "tiers", "rewards", "referral-offers", "campaigns", "program")

    def settled() -> dict[str, Any]:
        return {path: demo.call(f"/v1/{path}", role="admin", keys=demo.keys_of_shop)[1] for path in paths}

    before, keys = settled(), demo.keys_of_shop
    assert {path: len(before[path]["data"]) for path in paths[:-1]} == {
        "earning-rules": 3,
        "tiers": 3,
        "rewards": 4,
        "referral-offers": 1,
        "campaigns": 2,
    }
    assert all(each["status"] == "active" for path in paths[:-1] for each in before[path]["data"])
    assert before["program"]["settings"]["referral_link"] == f"http://127.0.0.1:{demo.port}/demo"
    assert (demo.folder / "shop-keys.json").stat().st_mode & 0o777 == 0o600
    assert demo.call("/v1/tiers", role="admin")[1]["data"] == [], "README's own program begins with nothing"
    process.terminate()
    process.wait(30)
    demo.start()
    demo.wait_until_ready()
    assert settled() == before
    assert demo.keys_of_shop == keys


def test_a_worker_that_is_killed_is_started_again(demo: Demo) -> None:
    demo.start()
    demo.wait_until_ready()

    def workers() -> set[int]:
        listing = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
        assert demo.process is not None
        mine = (line.split(None, 2) for line in listing.splitlines()[1:])
        return {int(pid) for pid, parent, args in mine if int(parent) == demo.process.pid and args.endswith(" worker")}

    while not workers():
        time.sleep(0.05)
    (first,) = workers()
    os.kill(first, signal.SIGKILL)
    while workers() - {first} == set():
        time.sleep(0.05)
    assert demo.call("/v1/purchases", PURCHASE)[0] == 201


def test_what_happened_is_in_the_feed_and_the_workers_numbers_beside_the_apis_with_no_further_command(
    demo: Demo,
) -> None:
    demo.start()
    demo.wait_until_ready()
    assert demo.call("/v1/purchases", PURCHASE)[0] == 201
    until(lambda: "purchase.rewarded" in json.dumps(demo.call("/v1/events", role="admin")[1]))
    until(lambda: 'loyalty_jobs_ended_total{job="settle_due",outcome="done"}' in demo.text("/metrics"))
    of_shop = demo.call("/v1/events?limit=200", role="admin", keys=demo.keys_of_shop)[1]["data"]
    assert len(of_shop) > 10, "the shop's program was seeded"
    until(lambda: f"loyalty_events_sequenced_total {2 + len(of_shop)}.0" in demo.text("/metrics"))
    assert "loyalty_request_duration_seconds" in demo.text("/metrics")


def until(true: Callable[[], bool]) -> None:
    """Wait for a condition, for a minute at most."""
    give_up_at = time.monotonic() + 60
    while not true():
        assert time.monotonic() < give_up_at
        time.sleep(0.05)


def started_beside(demo: Demo, **environment: str) -> tuple[int, str]:
    """Start a second one and return its exit status and what it says."""
    result = subprocess.run(
        [sys.executable, "-m", "service", "demo"],
        env=demo.environment | environment,
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return result.returncode, result.stdout + result.stderr


def test_a_taken_port_is_one_clear_line(demo: Demo) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", demo.port))
        taken.listen()
        status, said = started_beside(demo)
    assert status != 0
    assert said.count("\n") == 1
    assert f"Port {demo.port}" in said


def test_a_data_folder_in_use_is_one_clear_line(demo: Demo) -> None:
    process = demo.start()
    demo.wait_until_ready()
    status, said = started_beside(demo, LOYALTY_PORT=str(free_port()))
    assert status != 0
    assert said.count("\n") == 1
    assert str(process.pid) in said


@pytest.mark.parametrize("variable", ["LOYALTY_POSTGRES_BIN", "LOYALTY_VALKEY_BIN"])
def test_a_missing_binary_is_one_clear_line(demo: Demo, variable: str) -> None:
    status, said = started_beside(demo, **{variable: "/nowhere"})
    assert status != 0
    assert said.count("\n") == 1
    assert variable in said
