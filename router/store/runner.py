"""Runs scripts and commands: what the parts of the store share."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha1
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from connectors.contract import CustomerId
from router.store import keys
from router.store.batcher import Batcher, Taker

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


@lru_cache(maxsize=4096)
def _head(script: str, digest: str, customer: CustomerId, accounts: tuple[str, ...], offset: int) -> bytes:
    """A script's command as it is written, up to its last two arguments: the same for all messages of a customer.

    Looked up by the customer, not by the keys: a dozen strings, each somewhere else in memory.
    """
    touched = [*keys.SCRIPTS[script](customer), *(keys.lane(customer, account) for account in accounts)]
    parts = [part.encode() for part in ("EVALSHA", digest, str(len(touched)), *touched, str(offset))]
    return b"*%d\r\n" % (len(parts) + 2) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


@lru_cache(maxsize=4096)
def _length(of: int) -> bytes:
    """How long the argument is that comes now."""
    return b"$%d\r\n" % of


@lru_cache(maxsize=1024)
def _look_at(key: str) -> bytes:
    """`ZRANGEBYSCORE <key> -inf` as it is written: the same four times a second, for every shard."""
    name = key.encode()
    return b"*7\r\n$13\r\nZRANGEBYSCORE\r\n$%d\r\n%b\r\n$4\r\n-inf\r\n" % (len(name), name)


class Runner:
    """`offset` moves the scripts' clock, in milliseconds; 0 outside tests."""

    def __init__(self, client: Redis) -> None:
        self.client = client
        self.offset = 0
        self._digests = {name: sha1(text.encode()).hexdigest() for name, text in SCRIPT_TEXTS.items()}  # noqa: S324  Redis'
        self._batcher = Batcher(client, {self._digests[name]: text for name, text in SCRIPT_TEXTS.items()})
        self.call = self._batcher.call
        self.call_all = self._batcher.call_all

    async def first(self, of: Sequence[str], upto: int, most: int) -> list[str]:
        """Of each sorted set at most so many members up to a score, all in one list."""
        score, limit = b"%d" % upto, b"%d" % most
        rest = b"$%d\r\n%b\r\n$5\r\nLIMIT\r\n$1\r\n0\r\n$%d\r\n%b\r\n" % (len(score), score, len(limit), limit)
        packed = b"".join([_look_at(key) + rest for key in of])
        return [member.decode() for found in await self._batcher.write(packed, [None] * len(of)) for member in found]

    def run(self, script: str, touched: Sequence[str], *arguments: Any) -> asyncio.Future[Any]:
        """The script's answer. Every script takes the clock's offset first."""
        return self.call("EVALSHA", self._digests[script], len(touched), *touched, self.offset, *arguments)

    def run_for(
        self,
        taker: Taker,
        script: str,
        customer: CustomerId,
        call: bytes,
        more: bytes,
        accounts: tuple[str, ...] = (),
    ) -> None:
        """A script of a customer with two arguments, and the lanes of `accounts` behind its keys.

        The answer is given to `taker`, whoever asked.
        """
        head = _head(script, self._digests[script], customer, accounts, self.offset)
        packed = b"".join((head, _length(len(call)), call, b"\r\n", _length(len(more)), more, b"\r\n"))
        self._batcher.give(taker, packed)

    async def close(self) -> None:
        await self._batcher.close()
        await self.client.aclose()
