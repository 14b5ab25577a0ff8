"""A worker that stands by gets its claim with the message; a process that is alone tells itself and nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from fakes.redis_server import RedisServer
from fakes.waiting import until

from connectors.content import Choice, Text
from connectors.contract import Author, CustomerId, Identity
from router.store import Claim, Commit, Entry, NewEntry, Store, connect, keys
from router.store.hints import Hints
from router.worker import Worker

ANA = CustomerId("0190b0c0-0000-7000-8000-000000000001")
WIDGET, HOOK = Identity("webchat:demo", "ana"), Identity("webhook:main", "ana")
SHARD = keys.shard_of(ANA)


@dataclass
class Process:
    """A store and what is told in its process; `stands_by` says whether its worker has room."""

    store: Store
    hints: Hints
    stands_by: bool = True
    claims: list[Claim] = field(default_factory=list)
    told: list[tuple[object, ...]] = field(default_factory=list)

    async def write(self, dedupe: str, *, joins: bool = False, window: int = 0) -> None:
        content = Text("oi") if joins else Choice(text="oi", button="b")
        entry = Entry(kind="message", author=Author("customer"), id=dedupe, identity=str(WIDGET), content=content)
        await self.store.enqueue(
            ANA, WIDGET, entry, dedupe=dedupe, joins=joins, window=window, journal="00aa", conversation="c",
            locale="en", origin={},
        )  # fmt: skip
        await asyncio.sleep(0)  # the claim is handed over behind the acknowledgement


@pytest.fixture
async def process(redis_server: RedisServer) -> AsyncIterator[Process]:
    hints = Hints(connect(redis_server.url))
    process = Process(Store(connect(redis_server.url), hints=hints), hints)
    hints.stands_by = lambda: process.stands_by
    hints.on_claimed.append(process.claims.append)
    hints.on_ready.append(lambda customer, delay: process.told.append(("ready", customer, delay)))
    hints.on_event.append(lambda shard: process.told.append(("event", shard)))
    hints.on_lane.append(lambda shard, delay: process.told.append(("lane", shard, delay)))
    yield process
    await process.store.close()
    await hints.close()


async def test_a_message_brings_the_claim_that_a_worker_would_get(process: Process) -> None:
    await process.write("d1")
    (claim,) = process.claims
    assert (claim.lease, claim.turn, claim.attempts, [w.entry.id for w in claim.batch]) == (1, 0, 1, ["d1"])
    assert (claim.state["cid"], claim.state["ctl"], claim.window) == ("c", "bot", b"")
    assert await process.store.claim(ANA) is None
    await process.store.commit(claim, Commit(window=b"\x02[]", state={"lang": "en"}))
    await process.write("d2")
    assert (process.claims[1].turn, process.claims[1].window, process.claims[1].state["lang"]) == (1, b"\x02[]", "en")


async def test_nothing_is_brought_while_something_waits_or_nobody_stands_by(process: Process) -> None:
    process.stands_by = False
    await process.write("d1")
    process.stands_by = True
    await process.write("d2")
    assert not process.claims
    claim = await process.store.claim(ANA)
    assert claim
    assert [w.entry.id for w in claim.batch] == ["d1"]
    await process.write("d3")
    assert not process.claims


async def test_a_burst_brings_no_claim_but_its_delay(process: Process) -> None:
    await process.write("d1", joins=True, window=700)
    assert (process.claims, process.told) == ([], [("ready", ANA, 700)])


async def test_a_customer_who_is_held_for_a_merge_is_not_brought(process: Process) -> None:
    held_until = await process.store.now() + 5000
    await process.store._call("HSET", keys.state(ANA), "hold", f"merge {held_until}")
    await process.write("d1")
    assert not process.claims


async def test_a_claim_is_begun_also_when_the_sender_goes_away(process: Process) -> None:
    sending = asyncio.create_task(process.write("d1"))
    await asyncio.sleep(0)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    await until(lambda: bool(process.claims))
    assert [w.entry.id for w in process.claims[0].batch] == ["d1"]


async def test_who_is_alone_tells_itself_and_publishes_nothing(process: Process, redis_server: RedisServer) -> None:
    client = connect(redis_server.url)
    outsider = client.pubsub()

    async def listeners(count: int) -> bool:
        return bool((await client.pubsub_numsub(keys.HINTS))[0][1] == count)

    listening = asyncio.create_task(process.hints.run())
    await until(lambda: listeners(1))
    await process.store.ready(range(keys.SHARDS))
    assert process.hints.alone
    await outsider.subscribe(keys.HINTS)
    await until(lambda: listeners(2))
    await process.write("d1")
    (claim,) = process.claims
    entry = Entry(kind="message", author=Author("bot"), id="a", identity=str(HOOK), content=Text("olá"))
    await process.store.commit(claim, Commit(entries=[NewEntry(entry, to=[HOOK])]))
    assert process.told == [("event", SHARD), ("event", SHARD), ("lane", SHARD, 0)]
    # Once it has seen the other one, its hints go over Redis, and it hears them there like everybody.
    await process.store.ready(range(keys.SHARDS))
    assert not process.hints.alone
    process.told.clear()
    await process.write("d2")
    message = None
    async with asyncio.timeout(5):
        while not message or message["type"] != "message":
            message = await outsider.get_message(timeout=1)
    assert message["data"] == b"e %d 3" % SHARD
    await until(lambda: process.told == [("event", SHARD)])
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await outsider.aclose()  # type: ignore[no-untyped-call]
    await client.aclose()


async def test_a_claim_that_was_not_begun_is_given_back_at_the_end(process: Process) -> None:
    worker = Worker(process.store, None, None, process.hints)  # type: ignore[arg-type]  # no turn is run
    process.hints.stands_by = lambda: True
    worker._loop.stopping = True  # it came when the end had begun
    await process.write("d1")
    await worker.stop(within=0)
    claim = await process.store.claim(ANA)
    assert claim
    assert claim.attempts == 1, "the one that was given back does not count"
