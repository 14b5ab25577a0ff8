"""Hints only wake somebody; polls are the truth, so a lost hint costs a quarter of a second.

They go over publish while some other process listens. What this process did itself it tells itself, without Redis.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import cast

import hiredis
from redis.asyncio import Redis
from redis.exceptions import RedisError

from connectors.contract import CustomerId
from router.store import keys
from router.store.types import Claim
from router.store.wire import Wire


class Hints:
    """One subscription a process. Callbacks must be quick and must not raise."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self.on_ready: list[Callable[[CustomerId, int], None]] = []
        """customer, milliseconds until they may be claimed"""
        self.on_lane: list[Callable[[int, int], None]] = []
        """shard, milliseconds until the head of a lane there may be tried"""
        self.on_event: list[Callable[[int], None]] = []
        """shard with a new event"""
        self.on_typing: list[Callable[[CustomerId, bool], None]] = []
        self.on_claimed: list[Callable[[Claim], None]] = []
        """a claim that came with a message; the callback has the lease from now on"""
        self.stands_by: Callable[[], bool] = lambda: False
        """Whether a worker of this process begins at once with what may begin."""
        self.alone = False
        """Whether, as far as we know, no other process listens. Said by the store's look at all shards."""

    def ready(self, customer: CustomerId, delay: int) -> None:
        for tell in self.on_ready:
            tell(customer, delay)

    def event(self, shard: int) -> None:
        for tell in self.on_event:
            tell(shard)

    def lane(self, shard: int, delay: int) -> None:
        for tell in self.on_lane:
            tell(shard, delay)

    def claimed(self, claim: Claim) -> None:
        for tell in self.on_claimed:
            tell(claim)

    async def run(self) -> None:
        """Listens for ever, over lost connections."""
        while True:
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                listener = _Listener(self._tell)
                wire = await Wire.open(self._client, listener)
                try:
                    await listener.ended
                finally:
                    await wire.close()
            await asyncio.sleep(0.25)

    def _tell(self, hint: str) -> None:
        what, subject, number = hint.split(" ", 2)
        match what:
            case "r" | "b":
                delay, _, customer = number.partition(" ")
                self.ready(CustomerId(customer), int(float(delay)))
                if what == "b":
                    self.event(int(subject))
            case "o":
                self.lane(int(subject), int(float(number)))
            case "e":
                self.event(int(subject))
            case "t":
                for typing in self.on_typing:
                    typing(CustomerId(subject), number == "1")
            case _:
                pass  # of a newer version

    async def close(self) -> None:
        await self._client.aclose()


class _Listener(asyncio.Protocol):
    """Subscribed, and told what is published. A line that stays silent does no harm: polls are the truth."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._reader = hiredis.Reader()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.WriteTransport", transport).write(f"SUBSCRIBE {keys.HINTS}\r\n".encode())

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (frame := self._reader.gets()) is not False:
            if isinstance(frame, list) and frame[0] == b"message":
                self._tell(frame[2].decode())

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)
