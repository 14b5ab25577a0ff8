"""What goes wrong, one thing at a time; each ends with the system able to get well again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

from redis.exceptions import RedisError

from bench.chaos.house import LEASE, House
from bench.report import Broken

KILLS = ("kill router", "kill redis", "kill router", "kill bot")
CUTS = ("cut redis", "cut front")
MOODS = ("slow", "failing", "lying", "hanging")
ONCE = ("end router", "redis full", "disk low", "restart all", "far redis")


class Faults:
    def __init__(self, house: House, dice: random.Random) -> None:
        self._house = house
        self._dice = dice
        self._named: dict[str, Callable[[], Awaitable[None]]] = {
            "kill router": self._kill_router,
            "kill redis": self._kill_redis,
            "kill bot": self._kill_bot,
            "stop": self._stop,
            "cut redis": self._cut_redis,
            "cut front": self._cut_front,
            "far redis": self._far_redis,
            "end router": self._end_router,
            "redis full": self._redis_full,
            "disk low": self._disk_low,
            "restart all": self._restart_all,
        }

    async def happen(self, name: str) -> None:
        if name in MOODS:
            await self._mood(name)
        else:
            await self._named[name]()

    def _some(self) -> int:
        return self._dice.randrange(2)

    async def _kill_router(self) -> None:
        number = self._some()
        await self._house.routers[number].kill()
        await asyncio.sleep(self._dice.uniform(0, 0.5))
        await self._house.start_router(number)

    async def _kill_redis(self) -> None:
        await self._house.redis.kill()
        await asyncio.sleep(self._dice.uniform(0, 0.5))
        await self._house.start_redis()

    async def _kill_bot(self) -> None:
        await self._house.bot.kill()
        await asyncio.sleep(self._dice.uniform(0, 1))
        await self._house.bot.start()

    async def _stop(self) -> None:
        """Turns are under way when it falls asleep: the bot is slow."""
        await self._house.set_bot("slow")
        await asyncio.sleep(0.4)
        await self._house.routers[self._some()].pause(LEASE + self._dice.uniform(0.3, 1.5))
        await self._house.set_bot("fast")

    async def _cut_redis(self) -> None:
        for _ in range(5):
            if self._house.wire:
                self._house.wire.cut()
            await asyncio.sleep(self._dice.uniform(0.02, 0.3))

    async def _cut_front(self) -> None:
        for _ in range(5):
            for front in self._house.fronts:
                front.cut()
            await asyncio.sleep(self._dice.uniform(0.02, 0.3))

    async def _far_redis(self) -> None:
        """Its answers come late for a while: between two calls that belong together much may happen."""
        if self._house.wire:
            self._house.wire.delay = self._dice.uniform(0.03, 0.08)
            await asyncio.sleep(3)
            self._house.wire.delay = 0

    async def _mood(self, mood: str) -> None:
        await self._house.set_bot(mood)
        await asyncio.sleep(self._dice.uniform(0.5, 1.5))
        await self._house.set_bot("fast")

    async def _end_router(self) -> None:
        number = self._some()
        if code := await self._house.routers[number].end():
            raise Broken(f"a router that was asked to end answered {code}")
        await self._house.start_router(number)

    async def _redis_full(self) -> None:
        try:
            await self._house.client.config_set("maxmemory", "1mb")
            await asyncio.sleep(1)
        finally:
            await self._house.client.config_set("maxmemory", "0")

    async def _disk_low(self) -> None:
        """A router whose disk seems full turns messages away; the other one takes them."""
        number = self._some()
        router = self._house.routers[number]
        await router.end()
        usual = router.env["PYTHONPATH"]
        router.env["PYTHONPATH"] = self._house.tiny_disk
        try:
            await self._house.start_router(number)
            await asyncio.sleep(1)
            await router.end()
        finally:
            router.env["PYTHONPATH"] = usual
        await self._house.start_router(number)

    async def _restart_all(self) -> None:
        for router in self._house.routers:
            await router.end()
        with suppress(RedisError):
            await self._house.client.shutdown()
        await self._house.redis.end()
        await self._house.start_redis()
        for number in range(2):
            await self._house.start_router(number)
