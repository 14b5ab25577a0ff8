"""What the store's hints tell: whom to claim and when. A lost one costs a quarter of a second, so a wrong one hides."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from fakes.redis_server import RedisServer

from connectors.content import Text
from connectors.contract import Author, CustomerId, Identity
from router.store import Entry, Store, connect, keys
from router.store.hints import Hints

ANA = CustomerId("0190b0c0-0000-7000-8000-000000000001")
WIDGET = Identity("webchat:demo", "ana")


@pytest.fixture
async def told(redis_server: RedisServer) -> AsyncIterator[asyncio.Queue[tuple[object, ...]]]:
    """Everything that is hinted from now on."""
    hints, queue = Hints(connect(redis_server.url)), asyncio.Queue[tuple[object, ...]]()
    hints.on_ready.append(lambda customer, delay: queue.put_nowait(("ready", customer, delay)))
    hints.on_event.append(lambda shard: queue.put_nowait(("event", shard)))
    listening = asyncio.create_task(hints.run())
    client = connect(redis_server.url)
    async with asyncio.timeout(5):
        while (await client.pubsub_numsub(keys.HINTS))[0][1] == 0:  # noqa: ASYNC110  Redis tells nobody who subscribes
            await asyncio.sleep(0)
    yield queue
    listening.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await listening
    await client.aclose()
    await hints.close()


async def write(store: Store, dedupe: str, *, window: int) -> None:
    entry = Entry(kind="message", author=Author("customer"), id=dedupe, identity=str(WIDGET), content=Text("oi"))
    await store.enqueue(
        ANA, WIDGET, entry, dedupe=dedupe, joins=True, window=window, journal="00aa", conversation="c", locale="en",
        origin={},
    )  # fmt: skip


async def test_a_message_names_its_customer_and_when_they_may_be_claimed(
    store: Store, told: asyncio.Queue[tuple[object, ...]]
) -> None:
    async with asyncio.timeout(5):
        await write(store, "d1", window=0)
        assert [await told.get(), await told.get()] == [("ready", ANA, 0), ("event", keys.shard_of(ANA))]


async def test_a_burst_and_a_given_back_batch_tell_their_delay(
    store: Store, told: asyncio.Queue[tuple[object, ...]]
) -> None:
    async with asyncio.timeout(5):
        await write(store, "d1", window=700)
        assert await told.get() == ("ready", ANA, 700)
        await told.get()
        store.offset += 700
        claim = await store.claim(ANA)
        assert claim is not None
        await store.retry(claim, delay=300, counts=True)
        assert await told.get() == ("ready", ANA, 300)
