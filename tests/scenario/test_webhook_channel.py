"""The first channel that delivers: in by a signed webhook, out through the outbox, receipts back."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from fakes.bot import FakeBot, says
from fakes.waiting import until
from fakes.webhook_receiver import SECRET, Behaviour, WebhookReceiver, signed_headers

from connectors import registry
from connectors.contract import CustomerId, Identity
from router.store import Store
from segue.serve import Files
from segue.settings import Conversation, Settings

from .conftest import House

ANA = Identity("webhook:main", "ana")
_numbers = itertools.count()


@dataclass
class Shop:
    """The shop's own system: it tells us what people write, and shows them what we answer."""

    house: House
    receiver: WebhookReceiver
    http: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"{self.house.url}/channels/webhook/main"

    async def says(self, text: str, **more: Any) -> tuple[int, dict[str, Any]]:
        number = f"in-{next(_numbers)}"
        told = {"type": "message", "id": number, "from": {"id": "ana"}, "text": text, **more}
        body = json.dumps(told).encode()
        async with self.http.post(self.url, data=body, headers=signed_headers(SECRET, number, body)) as response:
            return response.status, await response.json()

    @property
    def shown(self) -> list[str]:
        """The texts of everything that was executed, in order."""
        return [part["text"] for message in self.receiver.executed.values() for part in message["parts"]]


@pytest.fixture
def account() -> dict[str, Any]:
    return {}


@pytest.fixture
def settings(settings: Settings, receiver: WebhookReceiver, account: dict[str, Any]) -> Settings:
    tables = {
        "webhook": {
            "main": {"secret": SECRET, "url": receiver.url, "timeout_seconds": 0.5, "introduce": False, **account}
        }
    }
    channels = registry.checked(tables)
    return settings.model_copy(update={"channels": channels, "conversation": Conversation(burst_ms=0)})


@pytest.fixture
async def shop(house: House, receiver: WebhookReceiver, http: aiohttp.ClientSession, files: Files) -> Shop:
    return Shop(house, receiver, http)


async def customer(store: Store) -> CustomerId:
    found = await store.find_customer(ANA)
    assert found is not None
    return found


async def statuses(store: Store) -> list[str]:
    rows = await store.journal(await customer(store))
    return [row.entry.status + (f" {row.entry.reason}" if row.entry.reason else "") for row in rows if row.entry.status]


async def test_an_answer_is_delivered_and_its_receipts_are_kept(shop: Shop, store: Store) -> None:
    status, accepted = await shop.says("oi")
    assert (status, accepted["seq"], accepted["repeated"]) == (200, 1, False)
    await until(lambda: shop.shown == ["echo: oi"])
    [ours] = shop.receiver.executed
    await until(lambda: _has(store, ["sent"]))
    for report in ("delivered", "read", "delivered"):
        assert await shop.receiver.report(
            shop.http, shop.url, message=f"their-{ours}", person="ana", status=report
        ) == 200  # fmt: skip
    assert await statuses(store) == ["sent", "delivered", "read"]


async def test_the_platforms_time_and_ours_are_both_kept(shop: Shop, store: Store) -> None:
    """It may have waited at the platform: then the two are far apart."""
    await shop.says("oi", at=1_790_000_000_000)
    customer = await store.find_customer(ANA)
    assert customer
    first, *_ = await store.journal(customer, after=0, limit=5)
    assert first.entry.at == 1_790_000_000_000
    assert abs(first.received - await store.now()) < 60_000


async def _has(store: Store, expected: list[str]) -> bool:
    return await statuses(store) == expected


async def test_answers_come_in_order_however_long_each_takes(shop: Shop, bot: FakeBot) -> None:
    bot.rule = lambda asked: says(*(f"{asked['message']['text']}-{i}" for i in range(3)))
    for text in ("a", "b"):
        await shop.says(text)
    await until(lambda: len(shop.shown) == 6)
    assert shop.shown == ["a-0", "a-1", "a-2", "b-0", "b-1", "b-2"]


async def test_what_cannot_be_delivered_now_waits_the_time_it_is_told_and_keeps_its_place(
    shop: Shop, bot: FakeBot, store: Store
) -> None:
    bot.rule = lambda asked: says("um", "dois")
    shop.receiver.behaviour = Behaviour(status=429, headers={"Retry-After": "1"})
    await shop.says("oi")
    await until(lambda: len(shop.receiver.deliveries) == 1)
    shop.receiver.behaviour = Behaviour()
    await until(lambda: shop.shown == ["um", "dois"])
    assert sorted(shop.receiver.deliveries.values()) == [1, 2]
    await until(lambda: _has(store, ["sent", "sent"]))


async def test_a_lost_answer_is_asked_again_where_a_repeat_is_safe(shop: Shop, store: Store) -> None:
    shop.receiver.behaviour = Behaviour(fault="drop")
    await shop.says("oi")
    await until(lambda: len(shop.receiver.executed) == 1)
    shop.receiver.behaviour = Behaviour()
    await until(lambda: _has(store, ["sent"]))
    assert shop.shown == ["echo: oi"]


@pytest.mark.parametrize("account", [{"idempotent": False}])
async def test_a_lost_answer_is_unknown_where_a_repeat_would_double(shop: Shop, store: Store) -> None:
    shop.receiver.behaviour = Behaviour(fault="drop")
    await shop.says("oi")
    await until(lambda: _has(store, ["unknown answer_lost"]))
    shop.receiver.behaviour = Behaviour()
    await shop.says("e agora?")
    await until(lambda: shop.shown == ["echo: oi", "echo: e agora?"])
    assert list(shop.receiver.deliveries.values()) == [1, 1]


async def test_what_is_refused_for_good_is_failed_with_a_reason_and_the_next_one_goes_on(
    shop: Shop, store: Store
) -> None:
    shop.receiver.behaviour = Behaviour(status=410)
    await shop.says("oi")
    await until(lambda: _begins(store, "failed"))
    shop.receiver.behaviour = Behaviour()
    await shop.says("e agora?")
    await until(lambda: shop.shown == ["echo: e agora?"])


async def _begins(store: Store, word: str) -> bool:
    found = await statuses(store)
    return len(found) == 1 and found[0].startswith(word + " ")


@pytest.mark.parametrize("account", [{"shows": ["text"], "most_buttons": 0, "most_rows": 0}])
async def test_26_buttons_become_numbers_and_a_typed_number_or_title_selects_while_they_are_the_last_thing_asked(
    shop: Shop, bot: FakeBot
) -> None:
    def rule(asked: dict[str, Any]) -> dict[str, Any]:
        message = asked["message"]
        if message.get("text") == "menu":
            answer = says("Qual?")
            answer["responses"][0]["buttons"] = [
                {"title": "Entrega", "payload": "/delivery"},
                {"title": "Troca", "payload": "/returns"},
            ]
            return answer
        return says(f"recebi {message.get('payload') or message['text']}")

    bot.rule = rule
    for number, text in enumerate(("menu", "2", "2", "menu", " entrega ", "entrega"), start=1):
        await shop.says(text)
        await until(lambda number=number: len(shop.shown) == number)
    assert shop.shown[0].splitlines()[0] == "Qual?"
    assert "2. Troca" in shop.shown[0]
    assert shop.shown[1:3] == ["recebi /returns", "recebi 2"]
    # A title that is typed selects too, and so long.
    assert shop.shown[4:] == ["recebi /delivery", "recebi entrega"]


async def test_a_message_survives_a_router_that_ends_before_it_is_delivered(shop: Shop, store: Store) -> None:
    shop.receiver.behaviour = Behaviour(status=503)
    await shop.says("oi")
    await until(lambda: len(shop.receiver.deliveries) == 1)
    await shop.house.restart()
    shop.receiver.behaviour = Behaviour()
    await until(lambda: shop.shown == ["echo: oi"])
    await until(lambda: _has(store, ["sent"]))


async def test_an_apology_is_delivered_too(shop: Shop, bot: FakeBot) -> None:
    bot.rule = lambda asked: {"outcome": "answered"}
    await shop.says("oi")
    await until(lambda: len(shop.shown) == 1)
    assert shop.shown[0].startswith("Não consegui responder agora")
