"""HTTP/1.1 on a unix socket to a server of ours: kept-alive connections, one question at a time on each.

aiohttp's client costs the router some 100 µs of CPU a question, a fifth of a whole message; this costs 10
(docs/performance.md). It knows what our own servers send, a status and a Content-Length, and refuses the rest.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

_LONGEST_HEAD = 16 * 1024


class TooLarge(Exception):
    """The answer has more bytes than are taken."""


class UnixHttp:
    """As many connections as there are questions at once; idle ones are kept."""

    def __init__(self, socket: Path, *, most: int) -> None:
        self._socket = str(socket)
        self._most = most
        self._idle: list[_Connection] = []
        self.closed = False

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Status and body. Raises `ConnectionError` when the server is away or goes away, `TooLarge`.

        Cancelling drops the connection. A question may be asked twice: over a kept connection that turns out closed.
        """
        request = (
            f"{method} {path} HTTP/1.1\r\nHost: segue\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                try:
                    return await self._asked(connection, request)
                except ConnectionError:
                    break  # it was closed while it idled, or its process ended: a new one tells
        return await self._asked(await self._connected(), request)

    async def _connected(self) -> _Connection:
        try:
            _, connection = await asyncio.get_running_loop().create_unix_connection(
                lambda: _Connection(self._most), self._socket
            )
        except OSError as error:
            raise ConnectionError(str(error)) from error
        return connection

    async def _asked(self, connection: _Connection, request: bytes) -> tuple[int, bytes]:
        try:
            answer = await connection.ask(request)
        except BaseException:
            connection.drop()
            raise
        if connection.is_open and not self.closed:
            self._idle.append(connection)
        else:
            connection.drop()
        return answer

    def close(self) -> None:
        self.closed = True
        for connection in self._idle:
            connection.drop()
        self._idle.clear()


class _Connection(asyncio.Protocol):
    def __init__(self, most: int) -> None:
        self._most = most
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._needed = 0
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self.is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)
        self.is_open = True

    def ask(self, request: bytes) -> asyncio.Future[tuple[int, bytes]]:
        self._answer = self._loop.create_future()
        self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if len(self._buffer) < self._needed:
            return
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found and len(head) < _LONGEST_HEAD:
            return
        try:
            status, length, closes = _read(head)
        except (ValueError, IndexError):
            self._fail(ConnectionError("this is no HTTP"))
            return
        if length > self._most:
            self._fail(TooLarge(f"{length} bytes"))
            return
        if len(rest) < length:
            self._needed = len(head) + 4 + length
            return
        self._buffer, self._needed = b"", 0
        self.is_open = self.is_open and not closes and len(rest) == length
        if self._answer and not self._answer.done():
            self._answer.set_result((status, rest[:length]))

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(ConnectionError(str(error or "the connection was closed")))

    def _fail(self, error: Exception) -> None:
        self.drop()
        if self._answer and not self._answer.done():
            self._answer.set_exception(error)

    def drop(self) -> None:
        self.is_open = False
        self._transport.abort()


def _read(head: bytes) -> tuple[int, int, bool]:
    """Status, length of the body, whether the server closes behind it. Raises `ValueError`, `IndexError`."""
    first, *headers = head.split(b"\r\n")
    length, closes = -1, False
    for header in headers:
        name, _, value = header.partition(b":")
        match name.lower():
            case b"content-length":
                length = int(value)
            case b"connection":
                closes = value.strip().lower() == b"close"
            case _:
                pass
    if length < 0:
        raise ValueError("no Content-Length")
    return int(first.split(b" ", 2)[1]), length, closes
