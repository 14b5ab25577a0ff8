"""`python -m bench.load`: sends prepared requests over raw keep-alive connections, bounded in number and time.

Each line on standard input is a plan in JSON: port, file of requests, first and count of them, connections, rate (a
second, 0: as fast as the connections allow), seconds it may take, and, to see commits, the Redis socket and each
request's shard. Each answer is a line of JSON. One process for many plans, so that short runs of several servers can
take turns.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque
from functools import cache
from pathlib import Path
from typing import Any

import hiredis
import uvloop


class _Connection(asyncio.Protocol):
    """One request at a time; calls back with the status of each answer."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._buffer = bytearray()
        self.number = -1
        self.sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment]

    def send(self, number: int, at: float) -> None:
        self.number, self.sent = number, at
        self._transport.write(self._load.requests[number])

    def close(self) -> None:
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        rest = bytes(self._buffer[:end]).lower().partition(b"content-length:")[2]
        length = int(rest.split(b"\r\n", 1)[0] or 0)
        if len(self._buffer) < end + 4 + length:
            return
        status = int(self._buffer[9:12])
        self._buffer.clear()
        self._load.answered(self, status)

    def connection_lost(self, error: Exception | None) -> None:
        if self.number >= 0:
            self._load.answered(self, 0)


class _Commits(asyncio.Protocol):
    """Listens to the store's hints: the second event of a shard after a message is the commit of its turn."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._reader = hiredis.Reader()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(b"SUBSCRIBE segue:hint\r\n")  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        now = time.perf_counter()
        while (frame := self._reader.gets()) is not False:
            if isinstance(frame, list) and frame[0] == b"message" and frame[2].startswith((b"e ", b"b ")):
                self._load.event(int(frame[2].split(b" ")[1]), now)


@cache
def _requests(file: str) -> list[bytes]:
    return Path(file).read_bytes().split(b"\0")


class Load:
    """One run of a plan."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.requests = _requests(plan["requests"])[plan["first"] : plan["first"] + plan["count"]]
        self.shards: list[int] = plan.get("shards", [])
        self.statuses: dict[int, int] = {}
        self.acks: list[float] = []
        self.commits: list[float] = []
        self._next = 0
        self._idle: deque[_Connection] = deque()
        self._due: deque[tuple[int, float]] = deque()
        self._open: dict[int, list[float]] = {}
        self._answered = 0
        self._committed = 0
        self._done = asyncio.Event()

    async def run(self) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        for _ in range(self.plan["connections"]):
            _, connection = await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self.plan["port"])
            self._idle.append(connection)
        if self.shards:
            await loop.create_unix_connection(lambda: _Commits(self), self.plan["redis"])
            await asyncio.sleep(0.1)  # the subscription stands before the first message
        began = time.perf_counter()
        if self.plan["rate"]:
            await self._at_a_rate(began)
        else:
            while self._idle and self._next < len(self.requests):
                self._send_next(self._idle.popleft(), time.perf_counter())
        try:
            async with asyncio.timeout(self.plan["seconds"]):
                await self._done.wait()
        except TimeoutError:
            pass
        for connection in self._idle:
            connection.close()
        return {
            "seconds": time.perf_counter() - began,
            "statuses": self.statuses,
            "acks": [round(ack * 1000, 4) for ack in self.acks],
            "commits": [round(commit * 1000, 4) for commit in self.commits],
        }

    async def _at_a_rate(self, began: float) -> None:
        """Open loop: a late answer does not delay the next message, and waiting for a connection counts as latency."""
        for number in range(len(self.requests)):
            due = began + number / self.plan["rate"]
            if (pause := due - time.perf_counter()) > 0:
                await asyncio.sleep(pause)
            if self._idle:
                # From when it was really sent: the driver's own timer is not the server's latency.
                self._send(self._idle.popleft(), number, time.perf_counter())
            else:
                self._due.append((number, due))

    def _send_next(self, connection: _Connection, at: float) -> None:
        number, self._next = self._next, self._next + 1
        self._send(connection, number, at)

    def _send(self, connection: _Connection, number: int, at: float) -> None:
        if self.shards:
            self._open[self.shards[number]] = [at]
        connection.send(number, at)

    def answered(self, connection: _Connection, status: int) -> None:
        now = time.perf_counter()
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.acks.append(now - connection.sent)
        connection.number = -1
        self._answered += 1
        if status == 0:
            pass  # the connection is gone
        elif self._due:
            self._send(connection, *self._due.popleft())
        elif not self.plan["rate"] and self._next < len(self.requests):
            self._send_next(connection, now)
        else:
            self._idle.append(connection)
        self._finish()

    def event(self, shard: int, now: float) -> None:
        seen = self._open.get(shard)
        if seen is None:
            return
        seen.append(now)
        if len(seen) == 3:
            del self._open[shard]
            self.commits.append(now - seen[0])
            self._finish()

    def _finish(self) -> None:
        if self._answered == len(self.requests) and (not self.shards or len(self.commits) == len(self.requests)):
            self._done.set()


def main() -> None:
    for line in sys.stdin:
        print(json.dumps(uvloop.run(Load(json.loads(line)).run())), flush=True)


if __name__ == "__main__":
    main()
