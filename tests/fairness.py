"""The fairness of campaigns as tests read it."""

from datetime import timedelta
from typing import Any

from service.platform.roles import Role
from service.platform.statements import Db
from tests.shop import Shop
from tests.surprises import move


async def let_pass(owner: Db, shop: Shop, campaign_id: str, time: timedelta = timedelta(seconds=61)) -> None:
    """Let some time pass since the versions of a campaign were made."""
    await owner.execute(
        "UPDATE definition_version SET valid_from = valid_from - $3::interval, recorded_at = recorded_at - $3::interval"
        " WHERE program_id = $1 AND kind = 'campaign' AND definition_id = $2",
        shop.program.id,
        campaign_id,
        time,
    )


async def end(owner: Db, shop: Shop, campaign_id: str) -> None:
    """Close a campaign, and let the time pass until its key is out."""
    answer = await move(shop, campaign_id, "close")
    assert answer.status == 200, answer.text
    await let_pass(owner, shop, campaign_id)


async def fairness(shop: Shop, campaign_id: str, query: str = "", role: Role = Role.PORTAL) -> dict[str, Any]:
    """Read a page of it."""
    answer = await shop.get(f"/v1/campaigns/{campaign_id}/fairness{query}", role)
    assert answer.status == 200, answer.text
    return answer.body
