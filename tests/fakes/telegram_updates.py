"""How Telegram brings what people say: by webhook or to who asks, each update until it was taken."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import defaultdict, deque
from typing import Any
from urllib.parse import urlsplit

import aiohttp


class Refused(Exception):
    """The Bot API's answer to a call that it does not take."""

    def __init__(self, code: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.code = code
        self.parameters = parameters


class Updates:
    """By webhook one chat's after the other, again after what is no 2xx; by getUpdates until the offset confirms."""

    def __init__(self) -> None:
        self.webhook: dict[str, Any] = {}
        self.deliveries: list[tuple[int, int]] = []
        """update_id and our status, of each delivery by webhook."""
        self.pace = 0.02
        """Seconds that stand for one of Telegram's."""
        self.last_error = ""
        self._pending: list[dict[str, Any]] = []
        self._news = asyncio.Event()
        self._numbers = itertools.count(900_000_001)
        self._poller: asyncio.Future[None] | None = None
        self._queues: dict[str, asyncio.Task[None]] = {}
        self._waiting: dict[str, deque[dict[str, Any]]] = defaultdict(deque)
        self._over = False

    async def stop(self) -> None:
        self._over = True
        self._news.set()
        for task in self._queues.values():
            task.cancel()
        await asyncio.gather(*self._queues.values(), return_exceptions=True)

    def make(self, **kind: Any) -> dict[str, Any]:
        update = {"update_id": next(self._numbers), **kind}
        self.bring(update)
        return update

    def bring(self, update: dict[str, Any]) -> None:
        """Telegram has this for us, once more or for the first time."""
        if not self.webhook.get("url"):
            self._pending.append(update)
            self._news.set()
            return
        queue = _queue(update)
        self._waiting[queue].append(update)
        if queue not in self._queues or self._queues[queue].done():
            self._queues[queue] = asyncio.create_task(self._bring_all(queue))

    @property
    def pending(self) -> int:
        return len(self._pending) + sum(map(len, self._waiting.values()))

    async def _bring_all(self, queue: str) -> None:
        async with aiohttp.ClientSession() as http:
            failures = 0
            while waiting := self._waiting[queue]:
                status, retry_after = await self._post(http, waiting[0])
                self.deliveries.append((waiting[0]["update_id"], status))
                if 200 <= status < 300:
                    waiting.popleft()
                    failures = 0
                    continue
                failures += 1
                await asyncio.sleep((retry_after or min(2.0 ** (failures - 1), 60)) * self.pace)

    async def _post(self, http: aiohttp.ClientSession, update: dict[str, Any]) -> tuple[int, float]:
        headers = {"X-Telegram-Bot-Api-Secret-Token": self.webhook.get("secret_token", "")}
        try:
            async with http.post(self.webhook["url"], json=update, headers=headers) as got:
                await got.read()
                return got.status, float(got.headers.get("Retry-After", 0))
        except aiohttp.ClientError:
            return 0, 0

    async def fetched(self, given: dict[str, Any]) -> Any:
        if self.webhook.get("url"):
            raise Refused(409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook first")
        if self._poller and not self._poller.done():
            self._poller.set_result(None)
        mine = self._poller = asyncio.get_running_loop().create_future()
        offset = given.get("offset", 0)
        self._pending = [update for update in self._pending if update["update_id"] >= offset]
        ends = time.monotonic() + given.get("timeout", 0) * self.pace * 5
        while not self._pending and not self._over and (left := ends - time.monotonic()) > 0:
            self._news.clear()
            news = asyncio.ensure_future(self._news.wait())
            await asyncio.wait((news, mine), timeout=left, return_when=asyncio.FIRST_COMPLETED)
            news.cancel()
            if mine.done():
                raise Refused(409, "Conflict: terminated by other getUpdates request; make sure that only one runs")
        return self._pending[: given.get("limit", 100)]

    def webhook_info(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            "url": self.webhook.get("url", ""),
            "has_custom_certificate": False,
            "pending_update_count": self.pending,
        }
        return {**told, "last_error_message": self.last_error} if self.last_error else told

    def set_webhook(self, given: dict[str, Any]) -> None:
        url = urlsplit(given.get("url", ""))
        if url.scheme and url.scheme != "https" and url.hostname != "127.0.0.1":
            raise Refused(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        if url.scheme == "https" and (url.port or 443) not in (443, 80, 88, 8443):
            raise Refused(400, "Bad Request: bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")
        self.webhook = given if given.get("url") else {}
        moved, self._pending = self._pending, []
        for update in moved:
            self.bring(update)


def _queue(update: dict[str, Any]) -> str:
    """Messages go by chat, all else by queues of its own."""
    for kind in ("message", "edited_message", "channel_post"):
        if kind in update:
            return f"chat {update[kind]['chat']['id']}"
    return f"{next((key for key in update if key != 'update_id'), '')} {update['update_id']}"
