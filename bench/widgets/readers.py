"""`python -m bench.widgets.readers`: many open streams in one process, which count the frames that come.

Each line on standard input is an order in JSON, each answer a line of JSON:
`{"open": {"port": …, "tokens": […]}}` opens a stream for each token and answers when each was greeted;
`{"messages": n, "seconds": s}` answers when so many messages came since the order before, with all frames that did;
`{"close": true}` closes them all.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Any

import uvloop

GREETED_WITHIN = 60
FIRST_ADDRESS = int(IPv4Address("10.0.0.0"))


class _Reader(asyncio.Protocol):
    """One stream. Frames end with an empty line; the greeting and heartbeats are none."""

    def __init__(self, streams: Streams, request: bytes) -> None:
        self._streams = streams
        self._request = request
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.WriteTransport = transport  # type: ignore[assignment]
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        *whole, self._rest = (self._rest + data).split(b"\n\n")
        for frame in whole:
            if b"event: hello" in frame:
                self._streams.greeted += 1
            elif b"event: " in frame:
                self._streams.frames += 1
                self._streams.messages += b"event: message.created" in frame
        self._streams.news.set()

    def connection_lost(self, error: Exception | None) -> None:
        self._streams.lost += 1
        self._streams.news.set()


class Streams:
    """All open streams of this process."""

    def __init__(self) -> None:
        self.greeted = self.frames = self.messages = self.lost = 0
        self.news = asyncio.Event()
        self._readers: list[_Reader] = []

    async def obey(self, order: dict[str, Any]) -> dict[str, int]:
        if "open" in order:
            await self._open(**order["open"])
        elif "close" in order:
            await self._close()
        else:
            await self._until(lambda: self.messages >= order["messages"], order["seconds"])
        answer = {"greeted": self.greeted, "frames": self.frames, "messages": self.messages, "lost": self.lost}
        self.frames = self.messages = 0
        return answer

    async def _open(self, port: int, tokens: list[str]) -> None:
        wanted = self.greeted + len(tokens)
        for number, token in enumerate(tokens, start=len(self._readers)):
            # Each from an address of its own: an address may have a few streams only.
            request = (
                f"GET /v1/widget/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n"
                f"Authorization: Bearer {token}\r\nLast-Event-ID: 0.0\r\n"
                f"X-Forwarded-For: {IPv4Address(FIRST_ADDRESS + number)}\r\n\r\n"
            ).encode()
            reader = _Reader(self, request)
            await asyncio.get_running_loop().create_connection(lambda reader=reader: reader, "127.0.0.1", port)  # type: ignore[misc]  # mypy knows no lambda with a default
            self._readers.append(reader)
        await self._until(lambda: self.greeted >= wanted, GREETED_WITHIN)

    async def _close(self) -> None:
        for reader in self._readers:
            reader.transport.abort()
        await self._until(lambda: self.lost >= len(self._readers), GREETED_WITHIN)
        self._readers, self.greeted, self.lost = [], 0, 0

    async def _until(self, true: Callable[[], bool], seconds: float) -> None:
        """Or so long: the numbers in the answer say which."""
        try:
            async with asyncio.timeout(seconds):
                while not true():
                    self.news.clear()
                    await self.news.wait()
        except TimeoutError:
            pass


async def main() -> None:
    loop = asyncio.get_running_loop()
    streams = Streams()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(await streams.obey(json.loads(line))), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
