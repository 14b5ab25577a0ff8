"""Two races that another system lost for years, by name: Chatwoot's pull requests 13523 and 14060."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fakes.redis_server import RedisServer

from connectors.content import Content, Image, Text
from connectors.contract import Identity, Inbound, Milliseconds
from router.ingest import Ingest
from router.store import Store, connect, keys


async def _ready() -> bool:
    return True


@pytest.fixture
async def doors(redis_server: RedisServer) -> AsyncIterator[list[Ingest]]:
    """Of several processes on one Redis."""
    stores = [Store(connect(redis_server.url)) for _ in range(4)]
    yield [Ingest(store, lambda _: 300, _ready, lambda purpose, text: f"{purpose} {text}") for store in stores]
    for store in stores:
        await store.close()


def message(identity: Identity, dedupe: str, content: Content) -> Inbound:
    return Inbound(identity=identity, content=content, dedupe=dedupe, at=Milliseconds(1))


PEOPLE: Any = pytest.mark.parametrize(
    "identity", [Identity("telegram:main", "77"), Identity("whatsapp:br", "5511987654321")], ids=lambda one: one.channel
)


@PEOPLE
async def test_chatwoot_13523_two_workers_deliver_one_message_at_once(doors: list[Ingest], identity: Identity) -> None:
    """There: GET, check, SETEX. Here looking and writing are one step."""
    taken = await asyncio.gather(*(door.accept(message(identity, "wamid.1", Text("oi"))) for door in doors * 5))
    assert len({one.id for one in taken}) == 1
    assert sum(not one.repeated for one in taken) == 1
    store = doors[0].store
    customer = await store.find_customer(identity)
    assert customer is not None
    assert len(await store.journal(customer)) == 1
    store.offset = 60_000
    claim = await store.claim(customer)
    assert claim is not None
    assert len(claim.batch) == 1


@PEOPLE
async def test_chatwoot_14060_an_album_of_somebody_new_makes_one_conversation(
    doors: list[Ingest], identity: Identity
) -> None:
    """There: each picture found nobody, and opened a conversation of its own."""
    album = [
        message(identity, f"picture-{number}", Image(url=f"https://media.example/{number}")) for number in range(10)
    ]
    taken = await asyncio.gather(*(doors[number % len(doors)].accept(one) for number, one in enumerate(album)))
    assert len({one.id for one in taken}) == 10
    store = doors[0].store
    customer = await store.find_customer(identity)
    assert customer is not None
    rows = await store.journal(customer)
    assert len(rows) == 10
    assert len({row.conversation for row in rows}) == 1
    assert len(await store.client.keys("{*}jr:*")) == 1
    opened = await store.client.xrange(keys.events(keys.shard_of(customer)))
    assert [fields[b"k"] for _, fields in opened].count(b"conversation.opened") == 1
