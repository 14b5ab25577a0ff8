"""An installation on a real Redis, or one that is stopped."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes.operator import Operator
from fakes.redis_server import RedisServer


@pytest.fixture
def operator(redis_server: RedisServer, tmp_path: Path) -> Operator:
    """The settings name the Redis of the tests."""
    return Operator(tmp_path / "var", {"SEGUE_REDIS__URL": redis_server.url})


@pytest.fixture
def stopped(tmp_path: Path) -> Operator:
    """Nothing runs, and Redis would be our own."""
    return Operator(tmp_path / "var")
