"""A worker with more turns than it can take stays responsive, and does not work for those who have gone."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import async_timeout
import pytest
from aiohttp.test_utils import TestServer

from bot.serve import AT_ONCE, build_app

ASKED = {"window": [], "message": {"id": "c.1", "text": "oi"}, "slots": {}, "said": [], "language": {}}
ANSWER = {"outcome": "silent", "events": [], "responses": [], "nlu": {}, "state": {}, "language": {}, "requests": []}


class Slow:
    """Turns that wait until they are let go."""

    def __init__(self) -> None:
        self.cuts: dict[str, int] = {}
        self.taken = 0
        self.most = 0
        self.under_way = 0
        self.go = asyncio.Event()

    async def take(self, asked: Any) -> dict[str, Any]:
        self.taken += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await self.go.wait()
        self.under_way -= 1
        return ANSWER


async def until(true: Any) -> None:
    async with async_timeout.timeout(10):
        while not true():  # noqa: ASYNC110  what is waited for has no event
            await asyncio.sleep(0.01)


@pytest.mark.asyncio
async def test_no_more_turns_than_there_are_places_run_at_once_and_health_answers_meanwhile() -> None:
    slow = Slow()
    server = TestServer(build_app(slow, model="m", fingerprint="f"))
    await server.start_server()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        asking = [asyncio.ensure_future(http.post(server.make_url("/turn"), json=ASKED)) for _ in range(3 * AT_ONCE)]
        await until(lambda: slow.taken == AT_ONCE)
        async with http.get(server.make_url("/health")) as response:
            assert response.status == 200
        slow.go.set()
        assert {200} == {response.status for response in await asyncio.gather(*asking)}
    assert (slow.most, slow.taken) == (AT_ONCE, 3 * AT_ONCE)
    await server.close()


@pytest.mark.asyncio
async def test_a_turn_that_nobody_waits_for_any_more_is_not_taken() -> None:
    slow = Slow()
    server = TestServer(build_app(slow, model="m", fingerprint="f"))
    await server.start_server()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        asking = [asyncio.ensure_future(http.post(server.make_url("/turn"), json=ASKED)) for _ in range(AT_ONCE)]
        await until(lambda: slow.taken == AT_ONCE)
        async with aiohttp.ClientSession() as impatient:
            with pytest.raises(asyncio.TimeoutError):
                await impatient.post(server.make_url("/turn"), json=ASKED, timeout=aiohttp.ClientTimeout(total=0.2))
        slow.go.set()
        await asyncio.gather(*asking)
        async with http.post(server.make_url("/turn"), json=ASKED) as response:
            assert response.status == 200
    assert slow.taken == AT_ONCE + 1
    await server.close()
