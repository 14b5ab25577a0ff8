"""Concurrent calls of one loop tick share one write to Redis, and one connection carries them all.

redis-py opens the connection; its own way of a command costs 20 to 40 µs of CPU, this one 3, and a message needs six
(docs/performance.md). Nothing is retried here: a call whose reply was lost raises `StoreUnavailable`, and its caller
may run it twice, because every script may.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, cast

import hiredis
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from router.store.types import StoreUnavailable
from router.store.wire import Wire

Command = tuple[Any, ...]
Reader = Callable[[Any], Any]
"""Makes of a reply what redis-py would give back."""


class Taker(Protocol):
    """What a reply is given to: a future, or what takes it as a future would, from inside the loop's read."""

    def done(self) -> bool: ...
    def set_result(self, reply: Any, /) -> None: ...
    def set_exception(self, error: BaseException, /) -> None: ...


_Call = tuple[bytes, Taker, Reader | None]
"""A command as it is written (of a `_Together` several), who takes the reply, and what reads it."""

_BY_DIGEST = b"$7\r\nEVALSHA\r\n$40\r\n"


class Batcher:
    """Sends what one tick asked for in one write; any number of calls may be under way."""

    def __init__(self, client: Redis, scripts: dict[str, str]) -> None:
        self._client = client
        self._sources = scripts
        self._readers: dict[str, Reader] = {
            str(name): cast("Reader", read) for name, read in client.response_callbacks.items()
        }
        self._waiting: list[_Call] = []
        self._line: _Line | None = None
        self._wire: Wire | None = None
        self._opening: asyncio.Task[None] | None = None

    def call(self, *command: Any) -> asyncio.Future[Any]:
        """The command's reply. Raises `StoreUnavailable`, or redis-py's ResponseError for a wrong command."""
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.give(reply, hiredis.pack_command(command), self._readers.get(command[0]))
        return reply

    def give(self, taker: Taker, packed: bytes, reader: Reader | None = None) -> None:
        """A command that is packed already, and who takes its reply."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._flush)
        self._waiting.append((packed, taker, reader))

    def call_all(self, commands: Sequence[Command]) -> asyncio.Future[list[Any]]:
        """The replies of plain commands, together: one future where `call` would make hundreds."""
        packed = b"".join([hiredis.pack_command(command) for command in commands])
        return self.write(packed, [self._readers.get(command[0]) for command in commands])

    def write(self, packed: bytes, readers: Sequence[Reader | None]) -> asyncio.Future[list[Any]]:
        """The replies of commands that somebody has packed, each read by its reader; None takes it as it comes."""
        replies: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        if readers:
            self.give(_Together(replies, readers), packed)
        else:
            replies.set_result([])
        return replies

    def _flush(self) -> None:
        if self._line and self._line.is_open:
            calls, self._waiting = self._waiting, []
            self._line.send(calls)
        elif self._waiting and self._opening is None:
            self._opening = asyncio.create_task(self._open(), name="store connection")

    async def _open(self) -> None:
        """What is asked while this lasts waits for it, and fails with it."""
        late = float(self._client.connection_pool.connection_kwargs.get("socket_timeout") or 5)
        line = _Line(self._sources, late)
        reason = "Redis: the store is closing"
        try:
            await self._hang_up()
            self._wire = await Wire.open(self._client, line)
            self._line = line
        except (RedisError, OSError, TimeoutError) as error:
            reason = f"Redis: {error}"
        finally:
            self._opening = None
            if self._line is line:
                self._flush()
            else:
                calls, self._waiting = self._waiting, []
                _fail(calls, reason)

    async def _hang_up(self) -> None:
        wire, self._wire, self._line = self._wire, None, None
        if wire:
            await wire.close()

    async def close(self) -> None:
        if self._opening:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        await self._hang_up()


class _Together:
    """Takes so many replies, and gives its future all of them at once, or the first error among them."""

    def __init__(self, future: asyncio.Future[list[Any]], readers: Sequence[Reader | None]) -> None:
        self._future = future
        self._readers = readers
        self.missing = len(readers)
        self._replies: list[Any] = []

    def done(self) -> bool:
        return self._future.done()

    def set_result(self, reply: Any) -> None:
        read = self._readers[-self.missing]
        self.missing -= 1
        self._replies.append(read(reply) if read else reply)
        if not self.missing and not self._future.done():
            self._future.set_result(self._replies)

    def set_exception(self, error: BaseException) -> None:
        self.missing -= 1
        if not self._future.done():
            self._future.set_exception(error)


class _Line(asyncio.Protocol):
    """Writes commands, and gives each its reply in order."""

    def __init__(self, sources: dict[str, str], timeout: float) -> None:
        self._sources = sources
        self._timeout = timeout
        self._reader = hiredis.Reader(replyError=ResponseError)
        self._asked: deque[_Call] = deque()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._heard = 0.0
        self.is_open = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def send(self, calls: list[_Call]) -> None:
        self._asked.extend(calls)
        self._transport.write(b"".join([packed for packed, _, _ in calls]))
        if self._timer is None:
            self._heard = self._loop.time()
            self._look_again(self._heard + self._timeout)

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not False:
                packed, taker, read = self._asked[0]
                if type(taker) is not _Together or taker.missing == 1:
                    self._asked.popleft()
                if isinstance(reply, ResponseError):
                    self._refused(packed, taker, reply)
                elif type(taker) is _Together or not taker.done():
                    taker.set_result(read(reply) if read else reply)
        except (hiredis.HiredisError, IndexError) as error:
            self._end(f"Redis: {error}")

    def _refused(self, packed: bytes, taker: Taker, reply: ResponseError) -> None:
        message = str(reply)
        if message.startswith("NOSCRIPT") and type(taker) is not _Together:
            # Redis restarted without our scripts: send the text of just the one that it did not know.
            self.send([(self._with_text(packed), taker, None)])
        elif type(taker) is _Together or not taker.done():
            # Redis 6.2 puts the reason of a script behind its own words.
            passing = message.startswith(_PASSING) or "MISCONF" in message or " -OOM " in message
            taker.set_exception(StoreUnavailable(f"Redis: {message}") if passing else reply)

    def _with_text(self, packed: bytes) -> bytes:
        """The same call of a script, by its text."""
        count, _, rest = packed.partition(_BY_DIGEST)
        text = self._sources[rest[:40].decode()].encode()
        return b"%b$4\r\nEVAL\r\n$%d\r\n%b%b" % (count, len(text), text, rest[40:])

    def connection_lost(self, error: Exception | None) -> None:
        self._end(f"Redis: {error or 'the connection was closed'}")

    def _look_again(self, due: float) -> None:
        self._timer = self._loop.call_at(due, self._look, due)

    def _look(self, due: float) -> None:
        """One clock for all calls: Redis is away when it owes an answer and was silent for the whole time-out."""
        self._timer = None
        now = self._loop.time()
        if not self._asked:
            return
        if now - due > 0.5:
            self._look_again(now + 0.1)  # it was us who slept: first read what came meanwhile
        elif now - self._heard >= self._timeout:
            self._end("Redis: no answer")
        else:
            self._look_again(self._heard + self._timeout)

    def _end(self, reason: str) -> None:
        self.is_open = False
        if self._timer:
            self._timer.cancel()
        asked, self._asked = self._asked, deque()
        _fail(asked, reason)
        self._transport.abort()


# Nothing was written: no room, still loading, a replica, a disk that fails. Any of them may pass.
_PASSING = ("OOM", "LOADING", "READONLY", "CLUSTERDOWN", "TRYAGAIN")


def _fail(calls: Iterable[_Call], reason: str) -> None:
    for _, future, _ in calls:
        if not future.done():
            future.set_exception(StoreUnavailable(reason))
