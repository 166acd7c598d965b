"""Questions that are asked at once are answered together; who is alone waits for nobody."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from service.platform.batching import Gatherer

SEVERAL = 8


@asynccontextmanager
async def gathering(batch_size: int = 64) -> AsyncGenerator[tuple[Gatherer[int, int, int], list[int]]]:
    """Give a gatherer and the sizes of the batches that it makes."""
    sizes = list[int]()

    async def answer(_: int, questions: Sequence[int]) -> Sequence[int]:
        sizes.append(len(questions))
        await asyncio.sleep(0.01)
        return questions

    gatherer = Gatherer[int, int, int]("test", answer, batch_size=batch_size)
    gatherer.open()
    yield gatherer, sizes
    async with asyncio.timeout(5):
        await gatherer.close()


async def test_who_is_alone_gets_a_batch_at_once() -> None:
    async with gathering() as (gatherer, sizes):
        for number in range(3):
            assert await gatherer.ask(1, number) == number
    assert sizes == [1, 1, 1]


async def test_those_who_ask_again_share_the_next_batch_with_those_who_waited() -> None:
    async def twice(gatherer: Gatherer[int, int, int], number: int) -> None:
        assert await gatherer.ask(1, number) == number
        assert await gatherer.ask(1, -number) == -number

    async with gathering() as (gatherer, sizes):
        first = [asyncio.create_task(twice(gatherer, number)) for number in range(SEVERAL)]
        while not sizes:
            await asyncio.sleep(0)
        late = gatherer.ask(1, 99)
        async with asyncio.timeout(5):
            await asyncio.gather(*first)
            assert await late == 99
    assert sizes == [SEVERAL, SEVERAL + 1]


async def test_a_batch_is_never_larger_than_it_may_be() -> None:
    async with gathering(batch_size=SEVERAL) as (gatherer, sizes):
        async with asyncio.timeout(5):
            answers = await asyncio.gather(*(gatherer.ask(1, number) for number in range(3 * SEVERAL)))
    assert answers == list(range(3 * SEVERAL))
    assert sizes == [SEVERAL] * 3
