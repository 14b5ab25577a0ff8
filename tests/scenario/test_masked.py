"""Behaviour 42: where it is switched on, CPF and card numbers are masked before anything is stored."""

from __future__ import annotations

import pytest
from fakes.bot import FakeBot
from fakes.waiting import until
from fakes.webhook_receiver import WebhookReceiver

from connectors.contract import Identity
from router.store import Store
from segue.settings import Privacy, Settings

from .conftest import Visitor
from .moving import App, invited, with_app

CPF, CARD = "529.982.247-25", "4111 1111 1111 1111"


@pytest.fixture
def mask() -> tuple[str, ...]:
    return ("cpf", "card")


@pytest.fixture
def settings(settings: Settings, receiver: WebhookReceiver, mask: tuple[str, ...]) -> Settings:
    return with_app(settings.model_copy(update={"privacy": Privacy(mask=mask)}), receiver)


async def kept(store: Store) -> str:
    """Everything that Redis holds, in one text; windows are the fake bot's, whose events hold no words."""
    held = []
    for key in await store.client.keys("*"):
        match await store.client.type(key):
            case b"stream":
                held.append(await store.client.xrange(key))
            case b"hash":
                held.append(await store.client.hgetall(key))
            case b"list":
                held.append(await store.client.lrange(key, 0, -1))
            case b"set":
                held.append(await store.client.smembers(key))
            case b"string":
                held.append(await store.client.get(key))
            case _:
                held.append(await store.client.zrange(key, 0, -1))
    return repr(held)


async def written(visitor: Visitor, app: App) -> None:
    await visitor.arrive(locale="pt-BR", page=f"http://127.0.0.1:8080/?cpf={CPF}")
    await visitor.say(f"meu cpf é {CPF}")
    await app.says(f"cartão {CARD}")
    await app.sees("echo: cartão")
    await app.says(f"{(await invited(visitor))['code']} e o cpf {CPF}")
    await app.sees("Encontrei uma conversa")
    await until(lambda: _answered(visitor))


async def _answered(visitor: Visitor) -> bool:
    return any(text.startswith("echo: meu cpf") for text in await visitor.texts())


async def test_42_numbers_are_masked_before_they_are_stored_and_a_code_beside_them_still_counts(
    visitor: Visitor, app: App, bot: FakeBot, store: Store
) -> None:
    await written(visitor, app)
    everything = await kept(store)
    assert CPF not in everything
    assert CARD not in everything
    assert ["meu cpf é •••.•••.•••-25", "cartão •••• •••• •••• 1111"] == [a["message"]["text"] for a in bot.asked]
    assert "meu cpf é •••.•••.•••-25" in await visitor.texts()
    assert await store.find_customer(Identity("webhook:main", "ana"))


@pytest.mark.parametrize("mask", [()])
async def test_42_where_it_is_off_the_same_search_finds_them(visitor: Visitor, app: App, store: Store) -> None:
    await written(visitor, app)
    everything = await kept(store)
    assert CPF in everything
    assert CARD in everything
