"""What a customer waits who moves a conversation, and one who is known on five channels; beside a plain message.

Somebody writes in the widget, asks for a code, and sends it from the shop's own app (the webhook channel): timed from
that message to the arrival's words at the app. The plain message goes the same way, so the ratio holds on any machine.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import itertools
import json
import time
import uuid
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from bench.machine import free_port
from bench.processes import House, Router
from bench.report import Broken, Row, median

_SECRET = "whsec_" + base64.b64encode(b"a secret for benches, 32 bytes..").decode()
_PEOPLE = 12
_CHANNELS = 5
_LONGEST = 20.0


@dataclass
class _Apps:
    """The other end of the webhook channel: who got what, and when."""

    router: Router
    http: aiohttp.ClientSession
    heard: dict[str, asyncio.Queue[tuple[float, str]]] = field(default_factory=dict)
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    async def receive(self, request: web.Request) -> web.Response:
        told = await request.json()
        words = " ".join(part.get("text", "") for part in told["parts"])
        self._queue(told["to"]["id"]).put_nowait((time.perf_counter(), words))
        return web.json_response({"id": told["id"]})

    def _queue(self, person: str) -> asyncio.Queue[tuple[float, str]]:
        return self.heard.setdefault(person, asyncio.Queue())

    async def says(self, person: str, text: str, *, until: str) -> float:
        """Seconds from the post until that person has words with `until` in them."""
        number = f"b-{next(self.numbers)}"
        body = json.dumps({"type": "message", "id": number, "from": {"id": person}, "text": text}).encode()
        stamp = str(int(time.time()))
        key = base64.b64decode(_SECRET.removeprefix("whsec_"))
        mac = base64.b64encode(hmac.digest(key, f"{number}.{stamp}.".encode() + body, hashlib.sha256)).decode()
        headers = {"webhook-id": number, "webhook-timestamp": stamp, "webhook-signature": f"v1,{mac}"}
        began = time.perf_counter()
        url = f"http://127.0.0.1:{self.router.port}/channels/webhook/main"
        async with self.http.post(url, data=body, headers=headers) as response:
            if response.status != 200:
                raise Broken(f"the webhook channel answers {response.status}")
        async with asyncio.timeout(_LONGEST):
            while True:
                at, words = await self._queue(person).get()
                if until in words:
                    return at - began


@dataclass
class _Browser:
    router: Router
    http: aiohttp.ClientSession
    token: str = ""

    async def post(self, path: str, body: dict[str, str]) -> dict[str, str]:
        headers = {"Idempotency-Key": str(uuid.uuid4())} | (
            {"Authorization": f"Bearer {self.token}"} if self.token else {}
        )
        url = f"http://127.0.0.1:{self.router.port}/v1/widget/{path}"
        async with self.http.post(url, json=body, headers=headers) as response:
            if response.status not in (200, 201):
                raise Broken(f"{path} answers {response.status}: {await response.text()}")
            return dict(await response.json())

    async def arrive(self) -> _Browser:
        self.token = (await self.post("session", {"site": "demo", "locale": "pt-BR"}))["token"]
        return self


def run(rounds: int = 5) -> list[Row]:
    with House() as house:
        port = free_port()
        settings = {
            "SEGUE_CHANNELS__WEBHOOK__MAIN__SECRET": _SECRET,
            "SEGUE_CHANNELS__WEBHOOK__MAIN__URL": f"http://127.0.0.1:{port}/",
            "SEGUE_CHANNELS__WEBHOOK__MAIN__INTRODUCE": "false",
            "SEGUE_CONVERSATION__BURST_MS": "0",
        }
        router = house.router(house.redis(), house.bot(), settings=settings)
        return asyncio.run(_measured(router, port, rounds))


async def _measured(router: Router, port: int, rounds: int) -> list[Row]:
    async with aiohttp.ClientSession() as http:
        apps = _Apps(router, http)
        app = web.Application()
        app.router.add_post("/", apps.receive)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        try:
            plain: list[float] = []
            link: list[float] = []
            one: list[float] = []
            five: list[float] = []
            for number in range(rounds + 1):
                seen = await _round(apps, http, number)
                if number:  # the first one loads scripts and code
                    for kept, value in zip((plain, link, one, five), seen, strict=True):
                        kept.append(value * 1000)
        finally:
            await runner.cleanup()
    return [
        Row(what="a plain message, to the answer at the app, p50", unit="ms", ours=median(plain), runs=plain),
        Row(what="a link code, to the arrival at the app, p50", unit="ms", limit=median(plain), ours=median(link),
            ratio=median(a / b for a, b in zip(link, plain, strict=True)), runs=link),
        Row(what=f"a message of somebody on {_CHANNELS} channels, p50", unit="ms", limit=median(one), ours=median(five),
            ratio=median(a / b for a, b in zip(five, one, strict=True)), runs=five),
    ]  # fmt: skip


async def _round(apps: _Apps, http: aiohttp.ClientSession, number: int) -> tuple[float, float, float, float]:
    """Medians of one round: a plain message, a link, a message with one channel and with five."""
    plain: list[float] = []
    link: list[float] = []
    one: list[float] = []
    five: list[float] = []
    for person in range(_PEOPLE):
        name = f"p{number}-{person}"
        plain.append(await apps.says(f"{name}-plain", "onde está o meu pedido 1001?", until="1001"))
        browser = await _Browser(apps.router, http).arrive()
        await browser.post("messages", {"text": "onde está o meu pedido 1001?"})
        for channel in range(_CHANNELS - 1):
            code = (await browser.post("links", {"channel": "webhook"}))["code"]
            took = await apps.says(f"{name}-{channel}", code, until="Continuamos")
            if not channel:
                link.append(took)
        await asyncio.sleep(0.05)
        one.append(await apps.says(f"{name}-plain", "onde está o meu pedido 1001?", until="1001"))
        five.append(await apps.says(f"{name}-0", "onde está o meu pedido 1001?", until="1001"))
    return median(plain), median(link), median(one), median(five)
