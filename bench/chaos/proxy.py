"""A wire that can be cut after the other end has done its work: the request arrives, the reply is lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Proxy:
    def __init__(self, upstream: Callable[[], Awaitable[Streams]]) -> None:
        self._upstream = upstream
        self._doomed: set[asyncio.StreamWriter] = set()
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}
        self._server: asyncio.AbstractServer | None = None
        self.cuts = 0
        """Replies that were lost."""
        self.delay = 0.0
        """Seconds that every reply takes longer."""

    @classmethod
    async def before_socket(cls, listen: Path, upstream: Path) -> Proxy:
        proxy = cls(lambda: asyncio.open_unix_connection(str(upstream)))
        proxy._server = await asyncio.start_unix_server(proxy._serve, str(listen))
        return proxy

    @classmethod
    async def before_port(cls, listen: int, upstream: int) -> Proxy:
        proxy = cls(lambda: asyncio.open_connection("127.0.0.1", upstream))
        proxy._server = await asyncio.start_server(proxy._serve, "127.0.0.1", listen)
        return proxy

    def cut(self) -> None:
        """Every connection that is open now ends with its next reply, which nobody gets."""
        self._doomed.update(self._open)

    async def close(self) -> None:
        if self._server:
            self._server.close()
        for task in self._open.values():
            task.cancel()
        await asyncio.gather(*self._open.values(), return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open[writer] = asyncio.ensure_future(self._carry(reader, writer))
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(self._open[writer], return_exceptions=True)
        self._open.pop(writer, None)
        self._doomed.discard(writer)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await self._upstream()
        except OSError:
            writer.transport.abort()
            return
        ways = [
            asyncio.ensure_future(self._one_way(reader, far_writer, None)),
            asyncio.ensure_future(self._one_way(far_reader, writer, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            far_writer.transport.abort()
            writer.transport.abort()

    async def _one_way(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, reply_to: asyncio.StreamWriter | None
    ) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65536):
                if reply_to in self._doomed:
                    self.cuts += 1
                    return
                if reply_to and self.delay:
                    await asyncio.sleep(self.delay)
                writer.write(chunk)
                await writer.drain()
