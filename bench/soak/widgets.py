"""Widgets that stay open, and say something now and then: so many messages a second over all of them."""

from __future__ import annotations

import asyncio
import random
import time
from bisect import bisect_left
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address

import aiohttp

from bench.chaos.visitors import LOST, View, Visitor

FIRST_ADDRESS = int(IPv4Address("10.0.0.0"))
AT_ONCE = 50
"""Widgets that arrive together."""
SAYINGS = (
    "Qual o horário de vocês?", "Onde está o meu pedido?", "1001", "ana@exemplo.com.br", "Vocês abrem no domingo?",
    "Quais são as formas de pagamento?", "E o frete?", "Como faço uma troca?", "What are your opening hours?",
    "Where is my order?", "How do I return something?", "obrigada", "oi", "xqzt brrp",
)  # fmt: skip


@dataclass
class TimedView(View):
    heard: list[float] = field(default_factory=list)
    """When the shop said something."""

    def show(self, frame: Mapping[str, str]) -> None:
        super().show(frame)
        if frame.get("event") == "message.created" and '"kind":"customer"' not in frame["data"]:
            self.heard.append(time.monotonic())


@dataclass
class Widget(Visitor):
    """Open from the beginning to the end."""

    view: TimedView = field(default_factory=TimedView)
    busy: bool = False
    said: list[float] = field(default_factory=list)

    @property
    def waits(self) -> list[float]:
        """Seconds from each message to what the shop said next."""
        found = []
        for at in self.said:
            next_one = bisect_left(self.view.heard, at)
            if next_one < len(self.view.heard):
                found.append(self.view.heard[next_one] - at)
        return found

    async def stay(self, http: aiohttp.ClientSession) -> None:
        while True:
            with suppress(*LOST):
                await self.view.follow(http, self.url("stream"), self.headers)
            await asyncio.sleep(self.dice.uniform(0.2, 1))

    async def speak(self, http: aiohttp.ClientSession) -> None:
        """Something of a customer, told apart by its end."""
        try:
            self.said.append(time.monotonic())
            said = self.dice.choice(SAYINGS)
            await self.say(http, f"{said} #{self.number}-{len(self.accepted)}")
        finally:
            self.busy = False


@dataclass
class Crowd:
    widgets: Sequence[Widget]
    late: int = 0
    """Messages that could not be said in time, because everybody was still saying something."""
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @classmethod
    def of(cls, count: int, port: int, seed: int) -> Crowd:
        return cls(
            [
                Widget(
                    number,
                    [port],
                    random.Random(seed * 100_000 + number),  # noqa: S311  no secret
                    watches=True,
                    address=str(IPv4Address(FIRST_ADDRESS + number)),
                )
                for number in range(count)
            ]
        )

    @property
    def accepted(self) -> int:
        return sum(len(widget.accepted) for widget in self.widgets)

    async def arrive(self, http: aiohttp.ClientSession) -> None:
        """Comes back when every stream is open."""
        for at in range(0, len(self.widgets), AT_ONCE):
            some = self.widgets[at : at + AT_ONCE]
            await asyncio.gather(*(widget.arrive(http) for widget in some))
            for widget in some:
                self._start(widget.stay(http))
            while not all(widget.view.connections for widget in some):  # noqa: ASYNC110  a bounded look
                await asyncio.sleep(0.01)

    async def begin(self, http: aiohttp.ClientSession, rate: float) -> None:
        """Each says its first words: what a new customer costs is not what a message costs."""
        await self._say(http, rate, self.widgets)
        await self.fall_silent()

    async def talk(self, http: aiohttp.ClientSession, rate: float, seconds: float, seed: int) -> None:
        dice = random.Random(seed)  # noqa: S311  no secret
        await self._say(http, rate, dice.choices(self.widgets, k=int(rate * seconds)))

    async def _say(self, http: aiohttp.ClientSession, rate: float, speakers: Sequence[Widget]) -> None:
        """Open loop: a slow answer delays no other message."""
        began = time.monotonic()
        for number, widget in enumerate(speakers):
            if (pause := began + number / rate - time.monotonic()) > 0:
                await asyncio.sleep(pause)
            if widget.busy:
                self.late += 1
                continue
            widget.busy = True
            self._start(widget.speak(http))

    async def fall_silent(self) -> None:
        """Comes back when what was begun is accepted."""
        while any(widget.busy for widget in self.widgets):  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    async def leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
