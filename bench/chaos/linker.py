"""People go on elsewhere while things break: a visitor makes a code, somebody new sends it by the shop's system.

Now and then somebody else sends the same code at the same time, and now and then the visitor says that it was not them:
then the product itself parts the two again.
"""

from __future__ import annotations

import asyncio
import random
import tomllib
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from bench.chaos.shop import Shopper
from bench.chaos.visitors import LOST, TIMEOUT, Visitor
from segue.places import ROOT

FIRST = 1000
"""Numbers of those who come by a code begin here."""

TEXTS = 6
"""What each of them says after the code."""


def sentence(key: str) -> tuple[str, ...]:
    """How a sentence of the router's begins, up to its first place, in each language."""
    texts = (tomllib.loads((ROOT / f"router/text/{name}.toml").read_text("utf-8")) for name in ("pt-BR", "en"))
    return tuple(str(text[key]).partition("{")[0] for text in texts)


NOT_ME = sentence("button_not_me")


@dataclass
class Newcomer(Shopper):
    """Begins with a code."""

    code: str = field(default="", repr=False)
    sent: tuple[str, int] | None = None
    """Id and seq of the message that held the code."""

    async def come(self, http: aiohttp.ClientSession) -> None:
        await self.arrive(http)
        key = str(uuid.UUID(int=self.dice.getrandbits(128)))
        answers = await asyncio.gather(*(self._post(http, key, self.code) for _ in range(self.dice.choice((1, 1, 3)))))
        self.sent = answers[0]
        if len(set(answers)) > 1:
            self.wrong.append(f"a code of {self.number}: a repeat got another answer, {answers}")
        for number in range(TEXTS):
            await self.say(http, f"v{self.number}-{number}")
            await asyncio.sleep(self.dice.choice((0, 0.1, 0.5)))


@dataclass
class Linker:
    """`makers` are visitors of the widget who do not watch; `pause` the mean seconds between two codes."""

    http: aiohttp.ClientSession
    makers: Sequence[Visitor]
    ports: Sequence[int]
    dice: random.Random
    pause: float
    came: list[Newcomer] = field(default_factory=list)
    disputed: int = 0
    _busy: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self, over: asyncio.Event) -> None:
        """Until it is over; what was begun is finished."""
        while not over.is_set():
            task = asyncio.create_task(self._moved(self.dice.choice(self.makers)))
            self._busy.add(task)
            task.add_done_callback(self._busy.discard)
            with suppress(TimeoutError):
                async with asyncio.timeout(self.dice.uniform(0, 2 * self.pause)):
                    await over.wait()
        await asyncio.gather(*self._busy)

    def stop(self) -> None:
        for task in self._busy:
            task.cancel()

    async def _moved(self, maker: Visitor) -> None:
        code = (await self._asked(maker, "POST", "links", {"channel": "webhook"}))["code"]
        people = [self._newcomer(code) for _ in range(2 if self.dice.random() < 0.2 else 1)]
        disputes = self.dice.random() < 0.3
        await asyncio.gather(*(one.come(self.http) for one in people))
        if disputes:
            await self._dispute(maker)

    def _newcomer(self, code: str) -> Newcomer:
        number = FIRST + len(self.came)
        dice = random.Random(self.dice.random())  # noqa: S311  no secret
        self.came.append(Newcomer(number, self.ports, dice, watches=False, code=code))
        return self.came[-1]

    async def _dispute(self, maker: Visitor) -> None:
        """Taps the newest "It was not me" on the page, if there is one."""
        page = await self._asked(maker, "GET", "messages", None)
        buttons = [button for one in page["messages"] for button in (one["content"] or {}).get("buttons", ())]
        found = [button for button in buttons if button["title"] in NOT_ME]
        if found:
            key = str(uuid.UUID(int=self.dice.getrandbits(128)))
            button = {"button": found[-1]["id"], "text": found[-1]["title"]}
            await self._asked(maker, "POST", "messages", button, {"Idempotency-Key": key})
            self.disputed += 1

    async def _asked(
        self, maker: Visitor, method: str, path: str, body: Any, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """As the widget does: again until it is answered, at any router."""
        while True:
            with suppress(*LOST):
                async with self.http.request(
                    method, maker.url(path), json=body, headers={**maker.headers, **(headers or {})}, timeout=TIMEOUT
                ) as got:
                    if got.status in (200, 201):
                        return dict(await got.json())
                    if got.status not in (429, 503):
                        maker.wrong.append(f"{method} {path}: answered {got.status}")
            await asyncio.sleep(self.dice.uniform(0.05, 0.3))
