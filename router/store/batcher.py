"""Concurrent calls of one loop tick share one write to Redis, and one connection carries them all.

redis-py opens the connection; its own way of a command costs 20 to 40 µs of CPU, this one 3, and a message needs six
(docs/performance.md). Nothing is retried here: a call whose reply was lost raises `StoreUnavailable`, and its caller
may run it twice, because every script may.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import hiredis
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from router.store.types import StoreUnavailable
from router.store.wire import Wire

Command = tuple[Any, ...]
_Call = tuple[Command, "asyncio.Future[Any] | _Together"]


class Batcher:
    """Sends what one tick asked for in one write; any number of calls may be under way."""

    def __init__(self, client: Redis, scripts: dict[str, str]) -> None:
        self._client = client
        self._sources = scripts
        self._waiting: list[_Call] = []
        self._line: _Line | None = None
        self._wire: Wire | None = None
        self._opening: asyncio.Task[None] | None = None

    def call(self, *command: Any) -> asyncio.Future[Any]:
        """The command's reply. Raises `StoreUnavailable`, or redis-py's ResponseError for a wrong command."""
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[Any] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._flush)
        self._waiting.append((command, reply))
        return reply

    def call_all(self, commands: Sequence[Command]) -> asyncio.Future[list[Any]]:
        """The replies of plain commands, together: one future where `call` would make hundreds."""
        loop = asyncio.get_running_loop()
        replies: asyncio.Future[list[Any]] = loop.create_future()
        if not commands:
            replies.set_result([])
            return replies
        if not self._waiting:
            loop.call_soon(self._flush)
        together = _Together(replies, len(commands))
        self._waiting.extend([(command, together) for command in commands])
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
        line = _Line(self._client.response_callbacks, self._sources, late)
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
    """Takes replies as a future would, and gives its own future all of them at once."""

    def __init__(self, future: asyncio.Future[list[Any]], count: int) -> None:
        self._future = future
        self._count = count
        self._replies: list[Any] = []

    def done(self) -> bool:
        return self._future.done()

    def set_result(self, reply: Any) -> None:
        self._replies.append(reply)
        if len(self._replies) == self._count:
            self._future.set_result(self._replies)

    def set_exception(self, error: BaseException) -> None:
        self._future.set_exception(error)


class _Line(asyncio.Protocol):
    """Writes commands, and gives each its reply in order."""

    def __init__(self, callbacks: Mapping[Any, Callable[..., Any]], sources: dict[str, str], timeout: float) -> None:
        self._callbacks = dict(callbacks.items())  # redis-py's own mapping makes upper case of each name it looks up
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
        self._transport.write(b"".join([hiredis.pack_command(command) for command, _ in calls]))
        if self._timer is None:
            self._heard = self._loop.time()
            self._look_again(self._heard + self._timeout)

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not False:
                command, future = self._asked.popleft()
                if isinstance(reply, ResponseError):
                    self._refused(command, future, reply)
                elif not future.done():
                    callback = self._callbacks.get(command[0])
                    future.set_result(callback(reply) if callback else reply)
        except (hiredis.HiredisError, IndexError) as error:
            self._end(f"Redis: {error}")

    def _refused(self, command: Command, future: asyncio.Future[Any] | _Together, reply: ResponseError) -> None:
        message = str(reply)
        if message.startswith("NOSCRIPT") and command[0] == "EVALSHA":
            # Redis restarted without our scripts: send the text of just the one that it did not know.
            self.send([(("EVAL", self._sources[command[1]], *command[2:]), future)])
        elif not future.done():
            # Redis 6.2 puts the reason of a script behind its own words.
            passing = message.startswith(_PASSING) or "MISCONF" in message or " -OOM " in message
            future.set_exception(StoreUnavailable(f"Redis: {message}") if passing else reply)

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
    for _, future in calls:
        if not future.done():
            future.set_exception(StoreUnavailable(reason))
