"""A turn whose lease went to another worker ends, and writes nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import redis
from fakes.bot import FakeBot, says
from fakes.redis_server import RedisServer
from fakes.waiting import until

from router import metrics
from router.store import keys
from segue.settings import RedisPart, Settings


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"redis": RedisPart(url=settings.redis.url, lease_seconds=0.3)})


async def test_a_lease_lost_while_the_bot_thinks_ends_the_turn(
    visitor: Any, bot: FakeBot, redis_server: RedisServer
) -> None:
    asked, release = asyncio.Event(), asyncio.Event()

    async def think(question: dict[str, Any]) -> dict[str, Any]:
        asked.set()
        await release.wait()
        return says("late")

    bot.rule = think
    lost = metrics.LEASES_LOST._value.get()
    await visitor.say("oi")
    await asked.wait()
    client = redis.Redis(unix_socket_path=str(redis_server.socket))
    customer = bot.asked[0]["message"]["id"].rpartition(".")[0]
    client.hincrby(keys.state(customer), "ln", 1)  # another worker claimed
    await until(lambda: metrics.LEASES_LOST._value.get() == lost + 1)
    # The lease that "the other worker" never renews runs out, and the turn is run again and answered once.
    bot.rule = lambda _: says("again")
    await until(lambda: len(bot.asked) == 2)
    release.set()
    await until(lambda: _shown(visitor, 2))
    assert ["oi", "again"] == await visitor.texts()
    client.close()


async def _shown(visitor: Any, count: int) -> bool:
    return len(await visitor.texts()) == count


async def test_a_long_turn_keeps_its_lease(visitor: Any, bot: FakeBot) -> None:
    release = asyncio.Event()

    async def think(question: dict[str, Any]) -> dict[str, Any]:
        await release.wait()
        return says("done")

    bot.rule = think
    lost = metrics.LEASES_LOST._value.get()
    await visitor.say("oi")
    asyncio.get_running_loop().call_later(0.8, release.set)  # more than two leases
    await until(lambda: _shown(visitor, 2))
    assert ["oi", "done"] == await visitor.texts()
    assert 1 == len(bot.asked)
    assert lost == metrics.LEASES_LOST._value.get()
