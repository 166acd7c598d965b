"""FAIRNESS.md is true: its script recomputes a campaign of a real service, and finds what was tampered with."""

import asyncio
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from service.kernel.ids import from_wire
from service.platform.roles import Role
from service.platform.settings import CHECKOUT
from service.platform.statements import Db
from service.surprises.chance import Keyed, drawn, key_hash, occasion_of_purchase, pick
from tests.conftest import NewShop
from tests.fairness import end, fairness
from tests.shop import Shop, unique
from tests.surprises import NOTHING, buy, started

TEXT: Final = (CHECKOUT / "FAIRNESS.md").read_text(encoding="utf-8")
SCRIPT: Final = TEXT.split("```python\n")[1].split("```")[0]
EACH: Final = 4
"""How often customers buy between two versions of the campaign."""


def prizes(*weights: int) -> list[dict[str, Any]]:
    """Make prizes with these weights; the first two run out."""
    made: list[dict[str, Any]] = [
        {"id": "sweet", "gift": {"kind": "points", "points": 50}, "stock": 60},
        {"id": "cake", "gift": {"kind": "points", "points": 70}, "stock": 15},
        {"id": "bread", "gift": {"kind": "points", "points": 90}},
        NOTHING,
    ]
    return [prize | {"weight": weight} for prize, weight in zip(made, weights, strict=True)]


@dataclass(frozen=True)
class Campaign:
    """A campaign of a shop, with the hash of its key that was told at the start."""

    shop: Shop
    owner: Db
    id: str
    key_hash: str

    async def buy(self, customers: list[str]) -> None:
        """Let customers buy some times."""
        for _ in range(EACH):
            answers = await asyncio.gather(*(buy(self.shop, each) for each in customers))
            assert {each.status for each in answers} == {201}

    async def change(self, **members: Any) -> None:
        """Make a version of it."""
        answer = await self.shop.call("PATCH", f"/v1/campaigns/{self.id}", members, role=Role.MARKETER)
        assert answer.status == 200, answer.text

    async def recompute(self, folder: Path) -> tuple[int | None, str]:
        """Run the script as it stands in FAIRNESS.md, without anything of the project; gives its status and text."""
        script = folder / "recompute.py"
        script.write_text(SCRIPT, encoding="utf-8")
        address = f"{self.shop.address}/v1/campaigns/{self.id}/fairness"
        running = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", str(script), address, self.key_hash),
            env={"LOYALTY_KEY": self.shop.keys[Role.PORTAL]},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed, _ = await asyncio.wait_for(running.communicate(), timeout=60)
        return running.returncode, printed.decode()


TAMPERED: Final = {
    "a number u": ("campaign_draw", "id", "u = u # 1"),
    "a prize": ("campaign_draw", "id", "prize = 3 - prize"),
    "an occasion": ("campaign_draw", "id", "occasion = reverse(occasion)"),
    "whose draw it was": ("campaign_draw", "id", "customer_id = -customer_id"),
    "a side": ("campaign_enrolment", "enrolled_at, customer_id", "held_out = NOT held_out"),
    "the key": ("campaign_run", "campaign_id", "key = set_byte(key, 0, get_byte(key, 0) # 1)"),
}
"""What is changed in one row, as only the owner of the tables can. Done twice, all is as it was."""

ONE_ROW: Final = """
UPDATE {table} SET {change} WHERE ctid = (
    SELECT o.ctid FROM {table} AS o WHERE o.program_id = $1 AND o.campaign_id = $2 ORDER BY {first} LIMIT 1
)
"""
WEIGHTS: Final = """
UPDATE definition_version SET content = jsonb_set(
    jsonb_set(content, '{prizes,0,weight}', content #> '{prizes,2,weight}'),
    '{prizes,2,weight}', content #> '{prizes,0,weight}'
)
WHERE program_id = $1 AND definition_id = $2 AND version = 2
"""
LEFT: Final = """
UPDATE campaign_draw SET lefts = ARRAY[lefts[3], lefts[2], lefts[1], lefts[4]]
WHERE program_id = $1 AND campaign_id = $2
"""
HOLDOUT: Final = """
UPDATE definition_version SET content = jsonb_set(content, '{holdout}', to_jsonb(8000 - (content ->> 'holdout')::int))
WHERE program_id = $1 AND definition_id = $2
"""


async def merge(shop: Shop, source: str, target: str) -> None:
    """Let a customer go into another one."""
    path = f"/v1/customers/{source}/merge"
    answer = await shop.post(path, {"into": target}, Role.ADMIN, Idempotency_Key=unique("key"))
    assert answer.status == 200, answer.text


async def enrol(shop: Shop, customer: str) -> None:
    """Let there be a customer without a purchase."""
    answer = await shop.call("PUT", f"/v1/customers/{customer}", {}, role=Role.ADMIN)
    assert answer.status == 201, answer.text


async def test_its_script_recomputes_every_draw_and_side_and_finds_what_was_tampered_with(
    new_shop: NewShop, owner: Db, tmp_path: Path
) -> None:
    shop = await new_shop(surprises={"per_year": None})
    its_id = await started(shop, prizes=prizes(5, 2, 3, 1), holdout=4500, gifts_per_customer=None)
    campaign = Campaign(shop, owner, its_id, (await fairness(shop, its_id))["key_hash"])
    status, told = await campaign.recompute(tmp_path)
    assert (status, told.strip()) == (1, "The key isn't out yet.")
    customers = [f"c-{number}" for number in range(60)]
    await campaign.buy(customers)
    await campaign.change(prizes=prizes(1, 9, 2, 0))
    for place in range(10):  # who has no side yet goes on with that of another one
        await enrol(shop, f"new-{place}")
        await merge(shop, f"c-{place}", f"new-{place}")
    for place in range(10, 18):  # of two who have sides only that of the second one counts
        await merge(shop, f"c-{place}", f"c-{place + 8}")
    await campaign.buy(customers)
    for place in range(26, 34):
        assert (await shop.call("DELETE", f"/v1/customers/c-{place}", role=Role.ADMIN)).status in {200, 204}
    await campaign.change(prizes=prizes(0, 0, 4, 3), name="The last days")
    await campaign.buy(customers[34:])
    await end(owner, shop, its_id)

    status, told = await campaign.recompute(tmp_path)
    found = re.fullmatch(r"(\d+) draws and (\d+) sides: all hold\n", told)
    assert found is not None, told
    assert status == 0
    recorded = await owner.fetchval(
        "SELECT count(*) FROM campaign_draw WHERE campaign_id = $1", from_wire("cmp", its_id)
    )
    assert int(found[1]) == recorded > 100  # about 300, by the sides that the lot gives
    assert int(found[2]) == 60 - 8

    text, key = (shop.program.id, its_id), (shop.program.id, from_wire("cmp", its_id))
    changes = [
        (what, ONE_ROW.format(table=table, first=first, change=change), key)
        for what, (table, first, change) in TAMPERED.items()
    ]
    changes += [("weights", WEIGHTS, text), ("what was left", LEFT, key), ("the holdout", HOLDOUT, text)]
    for what, statement, of in changes:
        assert await owner.execute(statement, *of) != "UPDATE 0", what
        status, told = await campaign.recompute(tmp_path)
        assert (status, "These don't hold" in told) == (1, True), f"{what}: {told}"
        await owner.execute(statement, *of)
    assert (await campaign.recompute(tmp_path))[0] == 0


def test_its_script_is_short_and_needs_nothing_else() -> None:
    assert len(SCRIPT.splitlines()) <= 30
    imported = re.findall(r"^import (.+)$", SCRIPT, re.MULTILINE)
    assert set(", ".join(imported).split(", ")) <= set(sys.stdlib_module_names) | {"urllib.request"}


def test_its_worked_example_is_what_the_service_computes() -> None:
    key, campaign = bytes([7]) * 32, "cmp_01a204a0870070008000000000000001"
    pseudonym, occasion = "00112233445566778899aabbccddeeff", occasion_of_purchase("order-1014")
    side = Keyed(key).number(f"holdout\n{campaign}\n{pseudonym}")
    u, names = (
        drawn(Keyed(key), campaign=campaign, pseudonym=pseudonym, occasion=occasion),
        ("sweet", "ticket", "nothing"),
    )
    full, empty = pick(u, (3, 1, 6)), pick(u, (3, 0, 6))
    assert full is not None
    assert empty is not None
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", TEXT, re.MULTILINE)
    assert rows[1:] == [
        ("`key_hash`", f"`{key_hash(key)}`"),
        (
            "number of the side",
            f"`{side}`; times 10000 >> 53 is `{side * 10000 >> 53}`: not less than 2000, so not held out",
        ),
        ("occasion", f"`{occasion}`"),
        ("u", f"`{u}`"),
        ("sum of the weights, ticket", f"10, `{u * 10 >> 53}`"),
        ("prize", f"tickets 0 to 2 are `sweet`, 3 is `ticket`, 4 to 9 are `nothing`: `{names[full]}`"),
        (
            "the same with no ticket left",
            f"the sum is 9, the ticket `{u * 9 >> 53}`; 0 to 2 are `sweet`, 3 to 8 `nothing`: `{names[empty]}`",
        ),
    ]
