"""Runs scripts and commands: what the parts of the store share."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from hashlib import sha1
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from router.store.batcher import Batcher

_FOLDER = Path(__file__).parent / "scripts"


def _load_scripts() -> dict[str, str]:
    shared = (_FOLDER / "_shared.lua").read_text(encoding="utf-8")
    texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted(_FOLDER.glob("[a-z]*.lua"))}
    return {name: shared + text for name, text in texts.items()}


SCRIPT_TEXTS = _load_scripts()
"""Name → text of every script, the shared part in front; read once, at import."""


def connect(url: str, *, timeout: float = 5.0, connections: int = 64) -> Redis:
    """A client that never repeats a command by itself: every repeat is ours to decide."""
    return Redis.from_url(
        url,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        max_connections=connections,
        protocol=2,
    )


class Runner:
    """`offset` moves the scripts' clock, in milliseconds; 0 outside tests."""

    def __init__(self, client: Redis) -> None:
        self.client = client
        self.offset = 0
        self._digests = {name: sha1(text.encode()).hexdigest() for name, text in SCRIPT_TEXTS.items()}  # noqa: S324  Redis'
        self._batcher = Batcher(client, {self._digests[name]: text for name, text in SCRIPT_TEXTS.items()})
        self.call = self._batcher.call
        self.call_all = self._batcher.call_all

    def run(self, script: str, touched: Sequence[str], *arguments: Any) -> asyncio.Future[Any]:
        """The script's answer. Every script takes the clock's offset first."""
        digest = self._digests[script]
        return self.call("EVALSHA", digest, len(touched), *touched, self.offset, *arguments)

    async def close(self) -> None:
        await self._batcher.close()
        await self.client.aclose()
