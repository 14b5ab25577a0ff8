"""The Redis server itself, as those see it who run it: version, durability, room, clock, and a copy of all it holds."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from redis.exceptions import RedisError, ResponseError

from router.store import keys
from router.store.runner import Runner, connect
from router.store.types import StoreUnavailable
from router.store.wire import Wire

LONG_WAIT = 60_000
"""Milliseconds after which something that could be worked on should have been."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was asked in one moment."""

    version: str
    append_only: bool
    fsync: str
    """always, everysec, no; empty where the server does not tell."""
    policy: str
    used: int
    most: int
    """0: no limit."""
    writes_fail: bool
    """The last write of the append-only file failed."""
    ahead: int
    """Milliseconds by which its clock is ahead of ours."""
    format: int | None
    """Number of the data's format; None while nothing was ever written."""
    dead_letters: int
    late: int
    """Customers who wait for a turn since a minute or longer."""
    late_sends: int
    """Lanes of the outbox whose head should have been tried a minute ago."""
    readers: tuple[str, ...]
    """Who is registered to read the events."""


async def look(url: str) -> Facts:
    """Changes nothing. Raises `StoreUnavailable`."""
    runner = Runner(connect(url))
    try:
        return await _look(runner)
    except ResponseError as error:
        raise StoreUnavailable(f"Redis: {error}") from error
    finally:
        await runner.close()


async def _look(runner: Runner) -> Facts:
    info = await runner.call("INFO")
    before = time.time()
    seconds, micros = await runner.call("TIME")
    theirs = (int(seconds) + int(micros) / 1e6) * 1000
    ours = (before + time.time()) * 500
    found = await runner.call("HGET", keys.FORMAT_KEY, "format")
    every = range(keys.SHARDS)
    since = int(theirs) - LONG_WAIT
    letters = await asyncio.gather(*(runner.call("XLEN", keys.dead_letters(shard)) for shard in every))
    late = await asyncio.gather(*(runner.call("ZCOUNT", keys.run(shard), "-inf", since) for shard in every))
    sends = await asyncio.gather(*(runner.call("ZCOUNT", keys.lanes_run(shard), "-inf", since) for shard in every))
    readers = await runner.call("HKEYS", keys.event_cursors(0))
    return Facts(
        version=str(info.get("valkey_version") or info["redis_version"]),
        append_only=bool(info.get("aof_enabled")),
        fsync=await _fsync(runner),
        policy=str(info.get("maxmemory_policy", "")),
        used=int(info["used_memory"]),
        most=int(info.get("maxmemory", 0)),
        writes_fail=info.get("aof_last_write_status", "ok") != "ok",
        ahead=int(theirs - ours),
        format=int(found) if found else None,
        dead_letters=sum(letters),
        late=sum(late),
        late_sends=sum(sends),
        readers=tuple(sorted(name.decode() for name in readers)),
    )


async def _fsync(runner: Runner) -> str:
    try:
        answer: Any = await runner.call("CONFIG", "GET", "appendfsync")
    except RedisError:  # hosted servers forbid the question
        return ""
    pair = list(answer.items()) if isinstance(answer, dict) else list(zip(answer[::2], answer[1::2], strict=True))
    return cast("bytes", pair[0][1]).decode() if pair else ""


async def copy(url: str, to: BinaryIO, *, silence: float = 60) -> int:
    """Writes everything that the server holds at one moment, as an RDB file: its size in bytes.

    The server hands it over as to a replica (SYNC), so no folder is shared, and whatever was acknowledged before is
    in it. Raises `StoreUnavailable`, also when nothing came for so many seconds.
    """
    client = connect(url)
    taking = _Taking(to)
    try:
        wire = await Wire.open(client, taking)
    except (RedisError, OSError, TimeoutError) as error:
        raise StoreUnavailable(f"Redis: {error}") from error
    try:
        wire.transport.write(b"SYNC\r\n")
        while not taking.done.done():
            heard = taking.heard
            await asyncio.wait((taking.done,), timeout=silence)
            if not taking.done.done() and taking.heard == heard:
                raise StoreUnavailable(f"Redis: no answer to SYNC for {silence:g} s")
        return taking.done.result()
    finally:
        await wire.close()
        await client.aclose()


class _Taking(asyncio.Protocol):
    """Reads `$<length>`, then so many bytes. Before that the server sends empty lines to say that it is at work."""

    def __init__(self, to: BinaryIO) -> None:
        self._to = to
        self._head = b""
        self._length = -1
        self._taken = 0
        self.heard = 0
        self.done: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.heard += 1
        if self.done.done():
            return
        if self._length < 0:
            self._head = (self._head + data).lstrip(b"\r\n")
            line, ended, data = self._head.partition(b"\r\n")
            if not ended:
                return
            if not line.startswith(b"$") or not line[1:].isdigit():
                self._fail(line[:200].decode("utf-8", "replace"))
                return
            self._length = int(line[1:])
        # What comes after the copy are later writes; they are not part of it.
        piece = data[: self._length - self._taken]
        try:
            self._to.write(piece)
        except OSError as error:
            self.done.set_exception(error)
            return
        self._taken += len(piece)
        if self._taken == self._length:
            self.done.set_result(self._length)

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(str(error or "the connection was closed"))

    def _fail(self, reason: str) -> None:
        if not self.done.done():
            self.done.set_exception(StoreUnavailable(f"Redis: {reason}"))
