"""The webhook channel at its other end: people who write, and the shop's own system that receives."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import random
import time
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

from bench.chaos.visitors import LOST, TIMEOUT, Visitor

_KEY = b"a secret for chaos, of 32 bytes."
SECRET = "whsec_" + base64.b64encode(_KEY).decode()
SAFE, UNSAFE = "shop", "till"
"""Accounts: the one drops repeats by their id, the other cannot, so that nothing may ever be sent to it twice."""


def signed(message: str, body: bytes) -> dict[str, str]:
    stamp = str(int(time.time()))
    digest = hmac.new(_KEY, f"{message}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "Content-Type": "application/json",
        "webhook-id": message,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


@dataclass
class Receiver:
    """Takes what we send; an answer may take a while, and now and then asks us to come again."""

    dice: random.Random
    came: dict[str, Counter[str]] = field(default_factory=lambda: {SAFE: Counter(), UNSAFE: Counter()})
    """account → id → how often it was taken"""
    order: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """person → ids as they were first taken"""

    async def start(self, port: int) -> None:
        app = web.Application()
        app.router.add_post("/{account}", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()

    async def close(self) -> None:
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        account, message = request.match_info["account"], request.headers["webhook-id"]
        body = await request.json()
        if self.dice.random() < 0.03:
            return web.Response(status=503, headers={"Retry-After": "1"})
        self.came[account][message] += 1
        if self.came[account][message] == 1:
            self.order[f"webhook:{account}/{body['to']['id']}"].append(message)
        await asyncio.sleep(self.dice.choice((0, 0.01, 0.1)))
        return web.json_response({"id": f"their-{message}"})


@dataclass
class Shopper(Visitor):
    """Somebody who writes through the shop's own system; the platform sends the same id again until we took it."""

    account: str = SAFE

    async def arrive(self, http: aiohttp.ClientSession) -> None:
        self.token = f"person-{self.number}"

    async def _post(self, http: aiohttp.ClientSession, key: str, text: str) -> tuple[str, int]:
        body = json.dumps({"type": "message", "id": key, "from": {"id": self.token}, "text": text}).encode()
        while True:
            url = f"http://127.0.0.1:{self.dice.choice(self.ports)}/channels/webhook/{self.account}"
            with suppress(*LOST):
                async with http.post(url, data=body, headers=signed(key, body), timeout=TIMEOUT) as got:
                    if got.status == 200:
                        answer = await got.json()
                        return answer["id"], answer["seq"]
                    if got.status != 503:
                        self.wrong.append(f"{text}: answered {got.status}")
            await asyncio.sleep(self.dice.uniform(0.05, 0.3))
