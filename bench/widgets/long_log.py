"""What the history of a conversation with ten thousand messages costs, against that of a short one."""

from __future__ import annotations

import http.client
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.driver import Driver
from bench.processes import RedisProcess, Router
from bench.report import Broken, Row, median
from bench.visitors import Holder, write_requests

LONG = 10_000
PAGE = 50
"""Messages that the widget asks for at once."""
BATCH = 20
"""Messages said at once: a mailbox takes a hundred."""
PAGES = 40
"""Of each kind in each round."""


@dataclass
class _Seen:
    ms: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    redis: list[float] = field(default_factory=list)


@dataclass
class Talk:
    """A conversation, and the connection of the browser that reads it."""

    router: Router
    store: RedisProcess
    holder: Holder

    def __post_init__(self) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", self.router.port, timeout=30)

    def grow(self, driver: Driver, folder: Path, messages: int) -> None:
        """Says something until the conversation has so many messages, answers included."""
        while (have := self.length()) < messages:
            file = write_requests(folder / f"{self.holder.customer}-{have}", [self.holder] * BATCH)
            driver.send(self.router.port, file, first=0, count=BATCH, connections=1)
            self.store.drain()

    def length(self) -> int:
        newest = self.page("limit=1")["messages"]
        return int(newest[-1]["seq"]) if newest else 0

    def page(self, query: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.holder.token}"}
        self._http.request("GET", f"/v1/widget/messages?{query}", headers=headers)
        response = self._http.getresponse()
        page: dict[str, Any] = json.loads(response.read())
        if response.status != 200:
            raise Broken(f"no page of history: {response.status}")
        return page

    def measure(self, query: str, into: _Seen) -> None:
        router, redis = self.router.cpu(), self.store.cpu()
        for _ in range(PAGES):
            began = time.perf_counter()
            got = len(self.page(query)["messages"])
            into.ms.append((time.perf_counter() - began) * 1000)
            if got != PAGE:
                raise Broken(f"a page of {got} messages")
        into.cpu.append((self.router.cpu() - router) / PAGES * 1e6)
        into.redis.append((self.store.cpu() - redis) / PAGES * 1e6)


def rows(long: Talk, brief: Talk, rounds: int) -> list[Row]:
    """`brief` has little more than one page."""
    kinds = {
        "the newest page": f"limit={PAGE}",
        "a page in the middle": f"limit={PAGE}&before={LONG // 2}",
        "the oldest page": f"limit={PAGE}&before={PAGE + 10}",
    }
    short, seen = _Seen(), {what: _Seen() for what in kinds}
    for _ in range(rounds):
        brief.measure(f"limit={PAGE}", short)
        for what, query in kinds.items():
            long.measure(query, seen[what])
    found = []
    for what, own in seen.items():
        ratio = median(ours / alone for ours, alone in zip(own.cpu, short.cpu, strict=True))
        found += [
            Row(what=f"of {LONG:,} messages {what}: router CPU", unit="µs", limit=median(short.cpu),
                ours=median(own.cpu), ratio=ratio, must=1.25, aim=1.1, runs=own.cpu),
            Row(what="  Redis CPU", unit="µs", limit=median(short.redis), ours=median(own.redis)),
            Row(what="  until it is there", unit="ms", limit=median(short.ms), ours=median(own.ms)),
        ]  # fmt: skip
    return found
