"""What the demo shop shows of calls: the same in every process, and still there in one where Redis is away."""

from service.platform import redis
from service.platform.settings import Settings
from service.portal.demo.exchanges import Exchange, Exchanges
from tests.ports import free_port
from tests.shop import unique


def exchange(number: int) -> Exchange:
    """Make one."""
    return Exchange("POST", f"/v1/purchases?{number}", None, "{}", 201, "{}", "Yours.", is_refused=False)


async def test_other_processes_show_the_newest_six(settings: Settings) -> None:
    client, customer = redis.connect(settings.redis_url or ""), unique("you")
    here, there = Exchanges(client), Exchanges(client)
    made = [exchange(number) for number in range(8)]
    for each in made:
        await (here if each.path.endswith(("0", "2")) else there).keep(customer, each)
    assert await there.newest(customer) == made[:1:-1]
    assert await there.newest(unique("you")) == []
    await client.aclose()


async def test_where_redis_is_away_a_process_shows_its_own() -> None:
    client, customer = redis.connect(f"redis://127.0.0.1:{free_port()}/0"), unique("you")
    its = Exchanges(client)
    made = [exchange(number) for number in range(8)]
    for each in made:
        await its.keep(customer, each)
    assert await its.newest(customer) == made[:1:-1]
    await client.aclose()
