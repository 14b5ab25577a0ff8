"""What platforms say of messages and people that we have: a message was changed, a person cannot be written to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from fakes.redis_server import RedisServer

from connectors.content import Text
from connectors.contract import CustomerId, Edited, Identity, Inbound, Milliseconds, NotUnderstood
from router.ingest import Ingest
from router.store import Store
from router.store.runner import connect

PERSON = Identity("telegram:main", "77")


@pytest.fixture
async def door(_shared_redis: RedisServer) -> AsyncIterator[Ingest]:
    client = connect(_shared_redis.url)
    await client.flushall()
    store = Store(client)

    async def answers() -> bool:
        return True

    yield Ingest(store, lambda _: 0, answers, lambda purpose, text: f"{purpose} {text}")
    await store.close()


async def said(door: Ingest, text: str, dedupe: str) -> CustomerId:
    await door.accept(Inbound(PERSON, Text(text), dedupe, Milliseconds(1)))
    customer = await door.store.find_customer(PERSON)
    assert customer
    return customer


async def test_a_change_is_journalled_once_and_names_the_message(door: Ingest) -> None:
    customer = await said(door, "quero tenis 38", "1")
    edited = Edited(PERSON, "1", Text("quero tênis 39"), "1/2", Milliseconds(2))
    await asyncio.gather(door.edited(edited), door.edited(edited))
    first, change = await door.store.journal(customer)
    assert ("edit", first.seq, Text("quero tênis 39")) == (change.entry.kind, change.entry.of, change.entry.content)


async def test_a_change_of_a_message_that_we_never_had_leaves_nothing(door: Ingest) -> None:
    await door.edited(Edited(PERSON, "1", Text("oi"), "1/2", Milliseconds(2)))
    assert await door.store.find_customer(PERSON) is None
    customer = await said(door, "oi", "1")
    await door.edited(Edited(PERSON, "9", Text("ola"), "9/2", Milliseconds(2)))
    assert 1 == len(await door.store.journal(customer))


async def test_a_change_to_nothing_is_refused(door: Ingest) -> None:
    await said(door, "oi", "1")
    with pytest.raises(NotUnderstood):
        await door.edited(Edited(PERSON, "1", Text("  "), "1/2", Milliseconds(2)))


async def test_who_blocked_us_is_known_until_they_come_back(door: Ingest) -> None:
    customer = await said(door, "oi", "1")
    await door.reachable(PERSON, yes=False, reason="blocked")
    assert {f"un:{PERSON}": "blocked"} == await door.store.state(customer, f"un:{PERSON}")
    await door.reachable(PERSON, yes=True)
    assert {} == await door.store.state(customer, f"un:{PERSON}")


async def test_a_stranger_who_blocked_us_is_nobody(door: Ingest) -> None:
    await door.reachable(PERSON, yes=False)
    assert await door.store.find_customer(PERSON) is None
