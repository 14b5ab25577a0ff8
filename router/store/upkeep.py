"""Control, timers, dead letters, trimming, room: what happens beside a message's path."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from connectors.contract import CustomerId, Identity
from router.store import keys
from router.store.runner import Runner
from router.store.types import Audience, Busy, ControlMoved, DeadLetter, Entry, why_gone

_entry_json = msgspec.json.Encoder()

MOST_EVENTS = 500
"""Events of a shard that stay while nobody is registered to read them."""


@dataclass(frozen=True, slots=True)
class Room:
    """Memory of Redis in bytes; `most` is 0 when it has no limit."""

    used: int
    most: int


class Upkeep:
    def __init__(self, runner: Runner, *, idle: int) -> None:
        self._runner = runner
        self._idle = idle

    # ── control ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def take(self, customer: CustomerId, owner: str, entry: Entry, *, seen: int | None = None) -> int:
        """A person takes the conversation: the new control number.

        Raises `ControlMoved`, `Erased`, `Moving`, `Moved`.
        """
        return await self._control(customer, "human", owner, entry, "customer", seen)

    async def assign(self, customer: CustomerId, owner: str, entry: Entry, *, seen: int | None = None) -> int:
        """Another person has it from now on; the customer is not told."""
        return await self._control(customer, "human", owner, entry, "agents", seen)

    async def queue(self, customer: CustomerId, entry: Entry, *, seen: int | None = None) -> int:
        """A person is waited for; the bot is silent."""
        return await self._control(customer, "queued", "", entry, "customer", seen)

    async def release(self, customer: CustomerId, entry: Entry, *, seen: int | None = None) -> int:
        """Back to the bot."""
        return await self._control(customer, "bot", "", entry, "customer", seen)

    async def _control(
        self,
        customer: CustomerId,
        control: Literal["bot", "queued", "human"],
        owner: str,
        entry: Entry,
        audience: Audience,
        seen: int | None,
    ) -> int:
        answer = await self._runner.run(
            "control",
            keys.for_control(customer),
            customer,
            "" if seen is None else seen,
            control,
            owner,
            "c" if audience == "customer" else "a",
            _entry_json.encode(entry),
            entry.identity.partition(":")[0],
            self._idle,
        )
        return _changed(customer, answer)

    async def close(self, customer: CustomerId, entry: Entry, *, seen: int | None = None) -> int:
        """The conversation ends; what is said next begins another: the new control number.

        Raises `Busy` while a message waits for its answer, `ControlMoved`, `Erased`, `Moving`, `Moved`.
        """
        touched = keys.for_close(customer)
        number = "" if seen is None else seen
        answer = await self._runner.run("close", touched, customer, number, _entry_json.encode(entry))
        if answer[0] == b"busy":
            raise Busy(customer)
        return _changed(customer, answer)

    async def expect(self, customer: CustomerId, identity: Identity) -> bool:
        """Makes known who has never written. False when they were. Raises `Moving`, `Moved`."""
        answer = await self._runner.run("expect", keys.for_expect(customer), customer, str(identity))
        if isinstance(answer, bytes):
            raise why_gone(customer, answer)
        return bool(answer)

    # ── timers ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def due(self, shards: Iterable[int], most: int = 16) -> list[tuple[CustomerId, str]]:
        """Customers and kinds of timers that are due."""
        upto = int(time.time() * 1000) + self._runner.offset
        members = await self._runner.first([keys.timers(shard) for shard in shards], upto, most)
        return [(CustomerId(customer), kind) for customer, kind in (one.split(" ", 1) for one in members)]

    async def fire(self, customer: CustomerId, kind: str, entry: Entry) -> bool:
        """Whether the timer did something; one whose conversation or control moved does not."""
        touched = keys.for_timer(customer)
        return bool(await self._runner.run("timer", touched, customer, kind, _entry_json.encode(entry)))

    # ── dead letters ────────────────────────────────────────────────────────────────────────────────────────────────

    async def dead_letters(self) -> list[DeadLetter]:
        calls = [self._runner.call("XRANGE", keys.dead_letters(shard), "-", "+") for shard in range(keys.SHARDS)]
        return [
            DeadLetter(
                id=number.decode(),
                customer=CustomerId(letter[b"customer"].decode()),
                turn=int(letter[b"turn"]),
                seqs=tuple(int(seq) for seq in letter[b"seqs"].split()),
                reason=letter[b"reason"].decode(),
            )
            for found in await asyncio.gather(*calls)
            for number, letter in found
        ]

    async def requeue(self, letter: DeadLetter) -> int:
        """Puts the batch back into its mailbox, once: how many messages."""
        touched = keys.for_requeue(letter.customer)
        return int(await self._runner.run("requeue", touched, letter.customer, letter.id))

    # ── events and room ─────────────────────────────────────────────────────────────────────────────────────────────

    async def register(self, name: str) -> None:
        """From now on no event is trimmed before this reader says that it is done with it."""
        every = range(keys.SHARDS)
        await asyncio.gather(*(self._runner.call("HSETNX", keys.event_cursors(shard), name, "0-0") for shard in every))

    async def done_with(self, name: str, shard: int, event: str) -> None:
        await self._runner.call("HSET", keys.event_cursors(shard), name, event)

    async def unregister(self, name: str) -> None:
        every = range(keys.SHARDS)
        await asyncio.gather(*(self._runner.call("HDEL", keys.event_cursors(shard), name) for shard in every))

    async def trim_events(self) -> int:
        """How many events went."""
        runs = [
            self._runner.run("trim", [keys.events(shard), keys.event_cursors(shard)], MOST_EVENTS)
            for shard in range(keys.SHARDS)
        ]
        return sum(await asyncio.gather(*runs))

    async def room(self) -> Room:
        info = await self._runner.call("INFO", "memory")
        return Room(int(info["used_memory"]), int(info["maxmemory"]))

    async def hold(self, name: str, holder: str, milliseconds: int) -> bool:
        """Whether this process does the job of that name from now on, for so long."""
        key = keys.lease(name)
        if await self._runner.call("SET", key, holder, "NX", "PX", milliseconds):
            return True
        if await self._runner.call("GET", key) != holder.encode():
            return False
        return bool(await self._runner.call("PEXPIRE", key, milliseconds))

    async def let_go(self, name: str, holder: str) -> None:
        """Another process may do the job of that name at once."""
        await self._runner.run("forget", [keys.lease(name)], holder)


def _changed(customer: CustomerId, answer: list[Any]) -> int:
    match answer[0]:
        case b"ok":
            return int(answer[1])
        case b"conflict":
            raise ControlMoved(int(answer[1]), answer[2].decode())
        case _:
            raise why_gone(customer, answer[1])
