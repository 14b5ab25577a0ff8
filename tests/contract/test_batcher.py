"""The store's connection, on a real Redis: one for all calls, and what happens to calls when it is cut or silent."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from hashlib import sha1

import pytest
import redis
from fakes.redis_server import RedisServer
from redis.exceptions import ResponseError

from router.store import StoreUnavailable, connect
from router.store.batcher import Batcher

SCRIPT = "return ARGV[1]"
DIGEST = sha1(SCRIPT.encode()).hexdigest()


@pytest.fixture
async def batcher(redis_server: RedisServer) -> AsyncIterator[Batcher]:
    client = connect(redis_server.url, timeout=0.2)
    batcher = Batcher(client, {DIGEST: SCRIPT})
    yield batcher
    await batcher.close()
    await client.aclose()


async def test_calls_of_one_tick_get_each_its_own_reply(batcher: Batcher) -> None:
    assert [b"%d" % i for i in range(50)] == await asyncio.gather(*(batcher.call("ECHO", i) for i in range(50)))


async def test_an_error_is_the_one_calls_alone(batcher: Batcher) -> None:
    good, bad, after = batcher.call("ECHO", "a"), batcher.call("NONSENSE"), batcher.call("ECHO", "b")
    with pytest.raises(ResponseError, match="unknown command"):
        await bad
    assert (b"a", b"b") == (await good, await after)


async def test_a_script_that_redis_forgot_is_sent_whole_and_runs_once(batcher: Batcher) -> None:
    await batcher.call("SCRIPT", "FLUSH")
    assert [b"x", b"y"] == await asyncio.gather(*(batcher.call("EVALSHA", DIGEST, 0, word) for word in "xy"))
    assert b"z" == await batcher.call("EVALSHA", DIGEST, 0, "z")


async def test_a_cut_connection_fails_what_was_under_way_and_the_next_call_opens_another(
    redis_server: RedisServer,
) -> None:
    client = connect(redis_server.url)
    batcher = Batcher(client, {})
    ours = await batcher.call("CLIENT", "ID")
    waiting = batcher.call("BLPOP", "nothing", 0)
    await asyncio.sleep(0)  # it is on its way
    with redis.Redis(unix_socket_path=str(redis_server.socket)) as operator:
        operator.client_kill_filter(_id=ours)
    with pytest.raises(StoreUnavailable, match="the connection was closed"):
        await asyncio.wait_for(waiting, 4)
    assert ours != await batcher.call("CLIENT", "ID")
    await batcher.close()
    await client.aclose()


async def test_a_call_that_nobody_waits_for_does_not_shift_the_replies(batcher: Batcher) -> None:
    await batcher.call("PING")
    given_up, wanted = batcher.call("ECHO", "given up"), batcher.call("ECHO", "wanted")
    await asyncio.sleep(0)  # both are on their way
    given_up.cancel()
    assert b"wanted" == await wanted


async def test_a_silent_redis_is_given_up_after_the_time_out(batcher: Batcher, redis_server: RedisServer) -> None:
    await batcher.call("PING")
    os.kill(redis_server.process.pid, signal.SIGSTOP)
    try:
        with pytest.raises(StoreUnavailable, match="no answer"):
            await asyncio.wait_for(batcher.call("PING"), 5)
    finally:
        os.kill(redis_server.process.pid, signal.SIGCONT)
    assert await batcher.call("PING")


async def test_no_redis_is_said_at_once(redis_server: RedisServer) -> None:
    client = connect(f"unix://{redis_server.folder}/nobody.sock")
    batcher = Batcher(client, {})
    with pytest.raises(StoreUnavailable):
        await asyncio.wait_for(batcher.call("PING"), 5)
    await batcher.close()
    await client.aclose()


async def test_calls_at_the_end_are_told_and_none_hangs(redis_server: RedisServer) -> None:
    client = connect(redis_server.url)
    batcher = Batcher(client, {})
    await batcher.call("PING")
    waiting = batcher.call("BLPOP", "nothing", 0)
    await asyncio.sleep(0)  # it is on its way
    await batcher.close()
    with pytest.raises(StoreUnavailable):
        await asyncio.wait_for(waiting, 5)
    await client.aclose()


async def test_calls_made_together_get_their_replies_in_order_at_once(batcher: Batcher) -> None:
    apart = batcher.call("ECHO", "apart")
    assert await batcher.call_all([("ECHO", i) for i in range(300)]) == [b"%d" % i for i in range(300)]
    assert (await apart, await batcher.call_all([])) == (b"apart", [])


async def test_one_wrong_call_fails_those_made_together_and_no_other(batcher: Batcher) -> None:
    together, after = batcher.call_all([("ECHO", 1), ("NONSENSE",), ("ECHO", 2)]), batcher.call("ECHO", "after")
    with pytest.raises(ResponseError, match="unknown command"):
        await together
    assert await after == b"after"
