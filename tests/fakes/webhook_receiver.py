"""A shop's own system at the other end of the webhook channel: it checks signatures, remembers, and fails on demand.

It signs with its own few lines, so that ours are checked against something.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp
from aiohttp import web

Fault = Literal["", "hang", "drop", "endless"]

SECRET = "whsec_" + base64.b64encode(b"a secret for tests, 32 bytes long").decode()
QUOTED = "words of a person"
"""Stands in every refusal's body: no reason of ours may repeat it."""


def sign(secret: str, message: str, stamp: int | str, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{message}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def signed_headers(secret: str, message: str, body: bytes, *, at: float | None = None) -> dict[str, str]:
    stamp = int(time.time() if at is None else at)
    return {
        "Content-Type": "application/json",
        "webhook-id": message,
        "webhook-timestamp": str(stamp),
        "webhook-signature": sign(secret, message, stamp, body),
    }


@dataclass
class Behaviour:
    """How it answers. With `hang` and `drop` the message has been taken before nothing comes back."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    fault: Fault = ""


class WebhookReceiver:
    """`executed` holds each message once, by webhook-id; `deliveries` counts how often it came."""

    def __init__(self, secret: str = SECRET) -> None:
        self.secret = secret
        self.behaviour = Behaviour()
        self.executed: dict[str, dict[str, Any]] = {}
        self.deliveries: dict[str, int] = {}
        self.forged = 0
        self.connections: list[object] = []
        self.url = ""
        self._over = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/segue", self._receive)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/segue"

    async def stop(self) -> None:
        self._over.set()
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if request.transport not in self.connections:
            self.connections.append(request.transport)
        message, stamp = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "")
        if sign(self.secret, message, stamp, body) not in request.headers.get("webhook-signature", "").split():
            self.forged += 1
            return web.Response(status=401)
        how = self.behaviour
        self.deliveries[message] = self.deliveries.get(message, 0) + 1
        if how.status < 300:
            self.executed.setdefault(message, json.loads(body))
        match how.fault:
            case "hang":
                await self._over.wait()
            case "drop":
                assert request.transport
                request.transport.abort()
            case "endless":
                return await self._endless(request)
            case "":
                pass
        answer = how.body if how.body is not None else json.dumps({"id": f"their-{message}"}).encode()
        return web.Response(status=how.status, headers=how.headers, body=answer)

    async def _endless(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while not self._over.is_set() and request.transport and not request.transport.is_closing():
            try:
                await response.write(b" " * 65536)
            except ConnectionError:
                break
        return response

    async def report(
        self, http: aiohttp.ClientSession, url: str, *, message: str, person: str, status: str, reason: str = ""
    ) -> int:
        """Tells Segue at `url` what became of a message. Answers the status code."""
        told = {"type": "status", "message": message, "to": {"id": person}, "status": status, "reason": reason}
        body = json.dumps(told).encode()
        async with http.post(url, data=body, headers=signed_headers(self.secret, f"r-{message}-{status}", body)) as got:
            return got.status
