"""Processes that do a part of the work, and a door that closes in time."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest
from fakes.bot import FakeBot
from fakes.redis_server import RedisServer
from fakes.waiting import until

from router.room import Room
from router.store import Store
from segue.serve import Files, router
from segue.settings import Settings

from .conftest import House, Visitor


async def test_an_edge_takes_and_a_worker_answers(
    settings: Settings, files: Files, bot: FakeBot, http: aiohttp.ClientSession
) -> None:
    edge = House(settings, files, role="edge")
    await edge.start()
    try:
        visitor = await Visitor(http, edge.url).arrive()
        async with visitor.stream("0.0") as stream:
            await visitor.say("oi")
            assert await stream.texts(1) == ["oi"]
            assert bot.asked == []
            async with router(settings, files, "worker"):
                assert await stream.texts(1) == ["echo: oi"]
    finally:
        await edge.stop()


async def test_a_worker_has_no_door(settings: Settings, files: Files, http: aiohttp.ClientSession) -> None:
    worker = House(settings, files, role="worker")
    await worker.start()
    try:
        async with http.post(f"{worker.url}/v1/widget/session", json={"site": "demo"}) as response:
            assert response.status == 404
        async with http.get(f"{worker.url}/readyz") as response:
            assert response.status == 200
    finally:
        await worker.stop()


async def test_messages_are_turned_away_before_memory_is_full_and_turns_still_fit(
    house: House, visitor: Visitor, redis_server: RedisServer, store: Store
) -> None:
    await visitor.say("antes")
    used = (await store.upkeep.room()).used
    await store.client.config_set("maxmemory", int(used / 0.85))
    try:
        await until(lambda: _refused(visitor))
    finally:
        await store.client.config_set("maxmemory", 0)
    await until(lambda: _taken(visitor))


async def _refused(visitor: Visitor) -> bool:
    status, problem = await visitor.post({"text": "oi"})
    return status == 503 and problem["detail"] == "no room for more messages just now"


async def _taken(visitor: Visitor) -> bool:
    return (await visitor.post({"text": "oi"}))[0] == 201


@pytest.mark.parametrize(("least", "refusal"), [(0, ""), (1 << 60, "disk")])
async def test_messages_are_turned_away_while_the_disk_is_nearly_full(
    store: Store, tmp_path: Path, least: int, refusal: str
) -> None:
    room = Room(store, tmp_path, least_disk=least)
    await room.look()
    assert room.refusal == refusal
