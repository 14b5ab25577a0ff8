"""Two channels of one shop, between which conversations move: the widget, and the shop's own app by webhook."""

from __future__ import annotations

import itertools
import json
import uuid
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from fakes.waiting import until
from fakes.webhook_receiver import SECRET, WebhookReceiver, signed_headers

from .conftest import House, Visitor

_numbers = itertools.count()


@dataclass
class App:
    """One person in the shop's app. `shown` is what that person has on the screen, in order."""

    house: House
    receiver: WebhookReceiver
    http: aiohttp.ClientSession
    person: str = "ana"
    sent: list[tuple[str, bytes]] = field(default_factory=list)

    async def says(self, text: str = "", *, number: str | None = None, **more: Any) -> dict[str, Any]:
        number = number or f"in-{next(_numbers)}"
        told = {"type": "message", "id": number, "from": {"id": self.person}, "text": text, "locale": "pt-BR", **more}
        body = json.dumps(told).encode()
        self.sent.append((number, body))
        return await self.deliver(number, body)

    async def deliver(self, number: str, body: bytes) -> dict[str, Any]:
        url = f"{self.house.url}/channels/webhook/main"
        async with self.http.post(url, data=body, headers=signed_headers(SECRET, number, body)) as response:
            assert response.status == 200, await response.text()
            return dict(await response.json())

    async def taps(self, title: str) -> dict[str, Any]:
        """The newest button of that title."""
        button = next(one for one in reversed(self.buttons) if one["title"] == title)
        return await self.says(button["title"], button=button["id"])

    @property
    def parts(self) -> list[dict[str, Any]]:
        mine = (one for one in self.receiver.executed.values() if one["to"]["id"] == self.person)
        return [part for message in mine for part in message["parts"]]

    @property
    def shown(self) -> list[str]:
        return [part["text"] for part in self.parts]

    @property
    def buttons(self) -> list[dict[str, Any]]:
        return [button for part in self.parts for button in part.get("buttons", ())]

    async def sees(self, text: str) -> None:
        await until(lambda: any(text in one for one in self.shown))


async def invited(visitor: Visitor, channel: str = "webhook") -> dict[str, Any]:
    async with visitor.http.post(
        f"{visitor.url}/v1/widget/links", json={"channel": channel}, headers=visitor.headers
    ) as response:
        assert response.status == 200, await response.text()
        return dict(await response.json())


async def redeemed(visitor: Visitor, **code: str) -> dict[str, Any]:
    headers = {**visitor.headers, "Idempotency-Key": str(uuid.uuid4())}
    async with visitor.http.post(f"{visitor.url}/v1/widget/links/redeem", json=code, headers=headers) as response:
        assert response.status == 201, await response.text()
        return dict(await response.json())


async def sees(visitor: Visitor, text: str) -> dict[str, Any]:
    """The newest message with that text in the widget, once it is there."""
    found: list[dict[str, Any]] = []

    async def there() -> bool:
        found[:] = [one for one in (await visitor.history())["messages"] if text in one["text"]]
        return bool(found)

    await until(there)
    return found[-1]


async def taps(visitor: Visitor, title: str) -> None:
    """The newest button of that title in the widget."""
    messages = (await visitor.history())["messages"]
    buttons = [button for one in messages for button in (one["content"] or {}).get("buttons", ())]
    button = next(one for one in reversed(buttons) if one["title"] == title)
    status, answer = await visitor.post({"button": button["id"], "text": title})
    assert status == 201, answer
