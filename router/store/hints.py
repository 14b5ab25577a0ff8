"""Hints over publish: they only wake somebody; polls are the truth, so a lost hint costs a quarter of a second."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from redis.asyncio import Redis
from redis.exceptions import RedisError

from connectors.contract import CustomerId
from router.store import keys


class Hints:
    """One subscription a process. Callbacks must be quick and must not raise."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self.on_ready: list[Callable[[int, int], None]] = []
        """shard, milliseconds until a customer there may be claimed"""
        self.on_lane: list[Callable[[int, int], None]] = []
        """shard, milliseconds until the head of a lane there may be tried"""
        self.on_event: list[Callable[[int], None]] = []
        """shard with a new event"""
        self.on_typing: list[Callable[[CustomerId, bool], None]] = []

    async def run(self) -> None:
        """Listens for ever, over lost connections."""
        while True:
            with contextlib.suppress(RedisError, OSError):
                async with self._client.pubsub() as subscription:
                    await subscription.subscribe(keys.HINTS)
                    while True:
                        message = await subscription.get_message(ignore_subscribe_messages=True, timeout=30)
                        if message:
                            self._tell(message["data"].decode())
            await asyncio.sleep(0.25)

    def _tell(self, hint: str) -> None:
        what, subject, number = hint.split(" ", 2)
        match what:
            case "r":
                for ready in self.on_ready:
                    ready(int(subject), int(float(number)))
            case "o":
                for lane in self.on_lane:
                    lane(int(subject), int(float(number)))
            case "e":
                for event in self.on_event:
                    event(int(subject))
            case "t":
                for typing in self.on_typing:
                    typing(CustomerId(subject), number == "1")
            case _:
                pass  # of a newer version

    async def close(self) -> None:
        await self._client.aclose()
