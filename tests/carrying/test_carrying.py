"""The whole system with three channels and the real assistant: the order form is carried from one to the other.

No browser is needed: the widget's part is played over its API (tests/e2e/test_elsewhere.py shows the page). Its loop
and that of Playwright cannot share one run.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from e2e.conftest import System
from fakes.telegram_api import TOKEN, TelegramApi
from fakes.waiting import until
from fakes.webhook_receiver import SECRET, WebhookReceiver
from scenario.moving import App

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

WITHIN = 30.0
NUMBER = {"pt-BR": "Qual é o número do pedido?", "en": "What is your order number?"}
PROOF = {"pt-BR": "qual é o e-mail ou o CPF da compra?", "en": "what is the e-mail or the CPF used for the purchase?"}
FACTS = (
    ("qual o horário de vocês?", "das 10h às 22h"),
    ("onde ficam as lojas?", "Rua das Acácias, 120"),
    ("quanto custa o frete?", "R$ 19,90"),
    ("vocês aceitam pix?", "5% de desconto"),
    ("até quando posso devolver?", "7 dias depois de receber"),
    ("como faço pra trocar a senha?", "Minha conta"),
    ("onde acho o número do pedido?", "Meus pedidos"),
    ("o que vocês fazem com os meus dados?", "privacidade@loja-aurora.example"),
)


@dataclass
class House:
    url: str
    telegram: TelegramApi
    receiver: WebhookReceiver
    http: aiohttp.ClientSession


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    telegram, receiver = TelegramApi(), WebhookReceiver()
    await telegram.start()
    await receiver.start()
    folder: Path = tmp_path_factory.mktemp("carrying") / "data"
    system = System(
        folder,
        {
            "SEGUE_CHANNELS__TELEGRAM__MAIN__TOKEN": TOKEN,
            "SEGUE_CHANNELS__TELEGRAM__MAIN__BASE_URL": telegram.url,
            "SEGUE_CHANNELS__WEBHOOK__MAIN__SECRET": SECRET,
            "SEGUE_CHANNELS__WEBHOOK__MAIN__URL": receiver.url,
            "SEGUE_CONVERSATION__BURST_MS": "0",
            "SEGUE_WIDGET__BURST_MS": "0",
        },
    )
    await asyncio.to_thread(system.start)
    async with aiohttp.ClientSession() as http:
        yield House(system.url, telegram, receiver, http)
    await asyncio.to_thread(system.stop)
    await receiver.stop()
    await telegram.stop()


@dataclass
class Browser:
    """The widget's API as the page uses it."""

    house: House
    token: str = ""

    async def arrive(self, locale: str) -> Browser:
        self.token = (await self.post("session", {"site": "demo", "locale": locale}))["token"]
        return self

    async def post(self, path: str, body: dict[str, str]) -> dict[str, Any]:
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        async with self.house.http.post(f"{self.house.url}/v1/widget/{path}", json=body, headers=headers) as response:
            assert response.status in (200, 201), await response.text()
            return dict(await response.json())

    async def says(self, text: str) -> None:
        await self.post("messages", {"text": text})

    async def texts(self) -> list[str]:
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.house.http.get(f"{self.house.url}/v1/widget/messages", headers=headers) as response:
            return [message["text"] for message in (await response.json())["messages"]]

    async def sees(self, text: str) -> None:
        async def there() -> bool:
            return any(text in one for one in await self.texts())

        await until(there, WITHIN)


async def shown(house: House, chat: int, text: str) -> None:
    await until(lambda: any(text in one for one in house.telegram.texts(chat)), WITHIN)


@pytest.mark.parametrize(("locale", "chat"), [("pt-BR", 101), ("en", 102)])
async def test_the_order_form_goes_from_the_page_to_telegram_and_back(house: House, locale: str, chat: int) -> None:
    """Mid-form both ways and over three hops; the language is the customer's, whatever the phone's is."""
    web = await Browser(house).arrive(locale)
    await web.says("cadê meu pedido?" if locale == "pt-BR" else "where is my order?")
    await web.sees(NUMBER[locale])
    made = await web.post("links", {"channel": "telegram"})
    house.telegram.says(chat, f"/start {made['url'].partition('start=')[2]}")
    await shown(house, chat, NUMBER[locale])
    assert 1 == sum(NUMBER[locale] in text for text in house.telegram.texts(chat))
    house.telegram.says(chat, "1001")
    await shown(house, chat, PROOF[locale])
    # On to a second browser by a typed code, in the middle of the same form.
    other = await Browser(house).arrive("pt-BR")
    made = await web.post("links", {"channel": "telegram"})
    await other.post("links/redeem", {"code": made["code"]})
    await other.sees(PROOF[locale])
    await other.says("ana@exemplo.com.br")
    await other.sees("Rápido Sul")
    assert not any("Rápido Sul" in text for text in house.telegram.texts(chat))
    said = await other.texts()
    assert not any(NUMBER[locale] in text for text in said)  # nobody is asked again, and the past is not shown yet
    await web.sees("Rápido Sul")


async def test_from_telegram_to_the_page_by_the_assistants_own_offer(house: House) -> None:
    chat = 103
    house.telegram.says(chat, "quero ver meu pedido")
    await shown(house, chat, NUMBER["pt-BR"])
    house.telegram.says(chat, "1002")
    await shown(house, chat, PROOF["pt-BR"])
    house.telegram.says(chat, "dá pra continuar essa conversa no site?")
    await shown(house, chat, "#segue=")
    link = next(text for text in house.telegram.texts(chat) if "#segue=" in text)
    web = await Browser(house).arrive("pt-BR")
    await web.post("links/redeem", {"token": link.partition("#segue=")[2].split()[0]})
    await web.sees(PROOF["pt-BR"])
    await web.says("111.444.777-35")
    await web.sees("1002")
    await shown(house, chat, "Sua conversa foi aberta no site")


async def test_the_same_facts_on_every_channel(house: House) -> None:
    web = await Browser(house).arrive("pt-BR")
    app = App(house, house.receiver, house.http, person="fatos")  # type: ignore[arg-type]
    for question, fact in FACTS:
        await web.says(question)
        await app.says(question)
        house.telegram.says(104, question)
        await web.sees(fact)
        await until(lambda fact=fact: any(fact in text for text in app.shown), WITHIN)
        await shown(house, 104, fact)
