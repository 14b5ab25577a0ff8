"""Finding a customer who was merged, and what is remembered of them elsewhere."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec

from connectors.contract import CustomerId, Identity
from router.store import keys
from router.store.runner import Runner
from router.store.types import Enqueued, Entry, Moved, Moving, StoreError

MOST_HOPS = 32
"""Survivors of survivors that are followed, and kin of kin that are asked."""

PATIENCE = 2.0
"""Seconds for which the edge waits while a customer is being taken over; it takes some milliseconds."""

_PAUSE = 0.02

_Answer = TypeVar("_Answer")

_read_entry = msgspec.json.Decoder(Entry)
_read_record = msgspec.json.Decoder(dict[str, object])


async def at_home(
    customer: CustomerId, ask: Callable[[CustomerId], Awaitable[_Answer]], *, patience: float = PATIENCE
) -> _Answer:
    """The answer of the customer, or of who took them over. Raises `Moving` when that lasts longer than `patience`."""
    deadline = time.monotonic() + patience
    hops = 0
    while True:
        try:
            return await ask(customer)
        except Moved as moved:
            customer = moved.survivor
            hops += 1
            if hops > MOST_HOPS:
                raise StoreError(f"{customer} was moved too often to be followed") from moved
        except Moving:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(_PAUSE)


class Kin:
    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    async def home(self, customer: CustomerId) -> CustomerId:
        """The customer themselves, or who took them over; one who is being taken over is still there."""
        for _ in range(MOST_HOPS):
            gone = await self._runner.call("HGET", keys.state(customer), "gone")
            if not gone or not gone.startswith(b"moved "):
                return customer
            customer = CustomerId(gone.decode().partition(" ")[2])
        raise StoreError(f"{customer} was moved too often to be followed")

    async def is_of(self, customer: CustomerId, identity: Identity) -> bool:
        """Whether the identity is this customer's, or they are nobody yet."""
        found = await self._runner.call_all(
            [("SISMEMBER", keys.identities(customer), str(identity)), ("HEXISTS", keys.state(customer), "jid")]
        )
        return bool(found[0]) or not found[1]

    async def message(self, customer: CustomerId, name: str) -> tuple[CustomerId, int]:
        """In whose journal the message stands by now that was written down by that name, its seq there; 0: nowhere."""
        whose, seq, asked = await self._first_written(customer, name)
        return await self._written_anew(whose, seq, asked) if seq else (customer, 0)

    async def _first_written(self, customer: CustomerId, name: str) -> tuple[CustomerId, int, set[CustomerId]]:
        """Who took it, its seq, and everybody who was asked."""
        seen: set[CustomerId] = set()
        asked = [customer]
        while asked and len(seen) < MOST_HOPS:
            one = asked.pop(0)
            seen.add(one)
            score, kin = await asyncio.gather(
                self._runner.call("ZSCORE", keys.seen(one), name),
                self._runner.call("HGET", keys.state(one), "kin"),
            )
            if score is None:
                continue
            if float(score).is_integer():
                return one, int(float(score)), seen
            asked += [CustomerId(other) for other in (kin or b"").decode().split() if other not in seen]
        return customer, 0, seen

    async def _written_anew(self, customer: CustomerId, seq: int, asked: set[CustomerId]) -> tuple[CustomerId, int]:
        """What waited through a merge or its undo stands anew in the journal of who took it along, the last time."""
        anew: dict[tuple[str, int], tuple[str, int]] = {}
        for one in asked:
            for record in await self._runner.call("HVALS", keys.merges(one)):
                merge = _read_record.decode(record)
                survivor, other = str(merge["survivor"]), str(merge["other"])
                anew |= {(other, old): (survivor, new) for old, new in _pairs(merge.get("moved"))}
                anew |= {(survivor, old): (other, new) for old, new in _pairs(merge.get("returned"))}
        place = (str(customer), seq)
        while place in anew:
            place = anew[place]
        return CustomerId(place[0]), place[1]

    async def first_answer(self, kin: Sequence[str], name: str) -> Enqueued:
        """The answer that the sender of a message got when one of the kin took it."""
        for one in kin:
            customer, seq, _ = await self._first_written(CustomerId(one), name)
            if not seq:
                continue
            journal, rows = await asyncio.gather(
                self._runner.call("HGET", keys.state(customer), "jid"),
                self._runner.call("XRANGE", keys.journal(customer), f"{seq}-0", f"{seq}-0"),
            )
            first = _read_entry.decode(rows[0][1][b"e"]).id if rows else ""
            return Enqueued(seq=seq, journal=(journal or b"").decode(), id=first, repeated=True)
        # Known to have been taken, though nobody remembers as what.
        return Enqueued(seq=0, journal="", id="", repeated=True)


def _pairs(moved: object) -> list[tuple[int, int]]:
    return [(int(old), int(new)) for old, _, new in (pair.partition(":") for pair in str(moved or "").split())]
