"""Two channels of one shop, between which conversations move: the widget, and the shop's own app by webhook."""

from __future__ import annotations

import itertools
import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import aiohttp
from fakes.bot import says
from fakes.waiting import until
from fakes.webhook_receiver import SECRET, WebhookReceiver, signed_headers

from connectors import registry
from connectors.contract import Identity
from segue.settings import Conversation, Settings

if TYPE_CHECKING:
    from .conftest import House, Visitor

OPERATOR = "an operator's token for tests, long enough"

_numbers = itertools.count()

ASK = "Qual é o número do pedido?"


def with_app(settings: Settings, receiver: WebhookReceiver, **account: Any) -> Settings:
    """The shop's own app beside the widget; nothing waits for a burst to end, and nobody is greeted."""
    main = {"secret": SECRET, "url": receiver.url, "timeout_seconds": 1.0, "introduce": False, **account}
    channels = registry.checked({"webhook": {"main": main}})
    return settings.model_copy(update={"channels": channels, "conversation": Conversation(burst_ms=0)})


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


async def ask(house: House, method: str, path: str, body: Any = None, token: str = OPERATOR) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession() as http,
        http.request(method, f"{house.url}/v1/customers{path}", json=body, headers=headers) as response,
    ):
        text = await response.text()
        return response.status, json.loads(text) if text else None


async def known(house: House, identity: Identity) -> dict[str, Any]:
    status, found = await ask(house, "GET", f"?identity={quote(str(identity), safe='')}")
    assert status == 200, found
    return dict(found)


def in_form(asked: dict[str, Any]) -> dict[str, Any]:
    """A bot in the middle of a form: it asks for the order, and keeps what it knows in its window."""
    text = asked["message"].get("text", "")
    new = [{"event": "said", "text": text}]
    if "4821" in text:
        heard = ", ".join(event["text"] for event in [*asked["window"], *new] if event["event"] == "said")
        return says(f"achei, depois de: {heard}", events=new, state={"slots": {}, "form": None, "requested_slot": None})
    state = {"slots": {"order_number": None}, "form": "order_status_form", "requested_slot": "order_number"}
    return says(ASK, events=new, state=state)
