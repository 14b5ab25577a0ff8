"""Visitors of the widget: each sends numbered texts in sequence until they are accepted, and half of them watch."""

from __future__ import annotations

import asyncio
import json
import random
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp

TIMEOUT = aiohttp.ClientTimeout(total=3)
REDELIVERED = 0.15
LOST = (aiohttp.ClientError, OSError, TimeoutError)


@dataclass
class View:
    """What a stream showed, over all its connections."""

    cursor: str = ""
    last: int = 0
    frames: list[tuple[int, str]] = field(default_factory=list)
    """seq and id of every message, in the order of showing"""
    gaps: list[str] = field(default_factory=list)
    connections: int = 0

    async def follow(self, http: aiohttp.ClientSession, url: str, headers: Mapping[str, str]) -> None:
        """Reads one stream from the cursor on, until it ends."""
        headers = {**headers, "Last-Event-ID": self.cursor}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=2)
        async with http.get(url, headers=headers, timeout=timeout) as got:
            if got.status != 200:
                return
            self.connections += 1
            frame: dict[str, str] = {}
            async for raw in got.content:
                name, _, value = raw.decode().rstrip("\n").partition(": ")
                if name:
                    frame[name] = value
                else:
                    self.show(frame)
                    frame = {}

    def show(self, frame: Mapping[str, str]) -> None:
        event = frame.get("event")
        if event == "reset":
            self.gaps.append(f"reset at {self.cursor}")
        if event not in ("message.created", "message.updated"):
            return
        data: dict[str, Any] = json.loads(frame["data"])
        if data["prev"] != self.last:
            self.gaps.append(f"{frame['id']} follows {data['prev']}, shown was {self.last}")
        self.cursor = frame["id"]
        self.last = int(self.cursor.rpartition(".")[2])
        if event == "message.created":
            self.frames.append((self.last, data["message"]["id"]))


@dataclass
class Visitor:
    number: int
    ports: Sequence[int]
    dice: random.Random
    watches: bool
    address: str = ""
    token: str = ""
    customer: str = ""
    accepted: dict[str, tuple[str, int]] = field(default_factory=dict)
    """text → id and seq of the first answer"""
    wrong: list[str] = field(default_factory=list)
    resent: int = 0
    view: View = field(default_factory=View)

    @property
    def headers(self) -> dict[str, str]:
        """From an address of its own where it has one: addresses are limited too."""
        forwarded = {"X-Forwarded-For": self.address} if self.address else {}
        return {"Authorization": f"Bearer {self.token}", **forwarded}

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.dice.choice(self.ports)}/v1/widget/{path}"

    async def arrive(self, http: aiohttp.ClientSession) -> None:
        while not self.token:
            with suppress(*LOST):
                async with http.post(
                    self.url("session"), json={"site": "demo"}, headers=self.headers, timeout=TIMEOUT
                ) as got:
                    if got.status == 200:
                        session = await got.json()
                        self.token, self.view.cursor = session["token"], session["cursor"]

    async def talk(self, http: aiohttp.ClientSession, over: asyncio.Event) -> None:
        """Until it is over; what was begun is finished."""
        while not over.is_set():
            await self.say(http, f"v{self.number}-{len(self.accepted)}")
            pause = self.dice.choice((0.0, 0.1, 0.5, 2.0))
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await over.wait()

    async def say(self, http: aiohttp.ClientSession, text: str) -> None:
        key = str(uuid.UUID(int=self.dice.getrandbits(128)))
        twice = self.dice.random() < REDELIVERED
        both = twice and self.dice.random() < 0.3
        posts = [self._post(http, key, text) for _ in range(2 if both else 1)]
        answers = await asyncio.gather(*posts)
        self.accepted[text] = answers[0]
        if twice and not both:
            answers.append(await self._post(http, key, text))
        self.resent += twice
        if len(set(answers)) > 1:
            self.wrong.append(f"{text}: a repeat got another answer, {answers}")

    async def _post(self, http: aiohttp.ClientSession, key: str, text: str) -> tuple[str, int]:
        """The same key until it is accepted, at any router."""
        while True:
            with suppress(*LOST):
                headers = {**self.headers, "Idempotency-Key": key}
                async with http.post(
                    self.url("messages"), json={"text": text}, headers=headers, timeout=TIMEOUT
                ) as got:
                    if got.status in (200, 201):
                        answer = await got.json()
                        return answer["id"], answer["seq"]
                    if got.status not in (429, 503):
                        self.wrong.append(f"{text}: answered {got.status}")
                    await asyncio.sleep(min(1.0, float(got.headers.get("Retry-After", 0))))
            await asyncio.sleep(self.dice.uniform(0.05, 0.3))

    # ── watching ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def watch(self, http: aiohttp.ClientSession) -> None:
        """Streams for ever, behind its cursor; breaks off by itself now and then."""
        while True:
            with suppress(*LOST):
                async with asyncio.timeout(self.dice.choice((2, 8, 30))):
                    await self.view.follow(http, self.url("stream"), self.headers)
            await asyncio.sleep(self.dice.uniform(0.05, 0.3))
