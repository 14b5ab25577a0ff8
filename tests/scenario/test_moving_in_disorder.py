"""Links while deliveries come shuffled, repeated, late and all at once, as platforms bring them."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter

import aiohttp
import pytest
from fakes.bot import FakeBot
from fakes.waiting import until
from fakes.webhook_receiver import WebhookReceiver

from connectors.contract import Identity
from router.store import Store
from segue.settings import Settings

from .conftest import House, Visitor
from .moving import App, invited, sees, taps, with_app

PEOPLE = ("ana", "bia", "caio", "davi")


@pytest.fixture
def settings(settings: Settings, receiver: WebhookReceiver) -> Settings:
    return with_app(settings, receiver, timeout_seconds=2.0)


async def brought(app: App, number: str, text: str, dice: random.Random) -> None:
    """One message as a nervous platform brings it: up to four times, some at once, some later."""
    await app.says(text, number=number)
    number, body = app.sent[-1]
    again = [app.deliver(number, body) for _ in range(dice.randrange(4))]
    for _ in range(dice.randrange(3)):
        await asyncio.sleep(0)
    await asyncio.gather(*again)


@pytest.mark.parametrize("seed", range(4))
async def test_everybody_is_linked_once_and_every_message_is_answered_once(
    house: House, http: aiohttp.ClientSession, receiver: WebhookReceiver, store: Store, seed: int
) -> None:
    dice = random.Random(seed)
    visitors = {name: await Visitor(http, house.url).arrive(locale="pt-BR") for name in PEOPLE}
    apps = {name: App(house, receiver, http, name) for name in PEOPLE}
    codes = {}
    for name, visitor in visitors.items():
        await visitor.say(f"{name} no site")
        codes[name] = (await invited(visitor))["code"]
    numbers = itertools.count()

    async def one(name: str) -> None:
        # The code and what is typed right behind it may overtake each other on their way to us.
        texts = [codes[name], *(f"{name} {i}" for i in range(4))]
        order = texts[:1] + dice.sample(texts[1:], 4) if seed % 2 else texts
        for text in order:
            await brought(apps[name], f"{name}-{next(numbers)}", text, dice)
            if dice.random() < 0.5:
                await visitors[name].say(f"{name} web {next(numbers)}")

    await asyncio.gather(*(one(name) for name in PEOPLE))
    for name in PEOPLE:

        async def all_answered(name: str = name) -> bool:
            said = await visitors[name].texts()
            asked = [text for text in said if text.startswith(name)]
            if sum(text.removeprefix(f"{name} ").isdigit() for text in asked) < 4:
                return False  # they are not one yet
            return Counter(f"echo: {text}" for text in asked) == Counter(t for t in said if t.startswith("echo: "))

        await until(all_answered)
        said = await visitors[name].texts()
        assert 4 == sum(text.removeprefix(f"{name} ").isdigit() for text in said if text.startswith(name))
        customer = await store.find_customer(Identity("webhook:main", name))
        assert customer
        assert 2 == len(await store.links.identities(customer))
        assert 1 == sum("Sua conversa foi aberta" in text for text in said)
        assert not any(other in text for text in said for other in PEOPLE if other != name)


@pytest.mark.parametrize("seed", range(3))
async def test_a_refusal_in_the_middle_of_it_parts_them_and_loses_nothing(
    house: House, http: aiohttp.ClientSession, receiver: WebhookReceiver, store: Store, bot: FakeBot, seed: int
) -> None:
    dice = random.Random(seed)
    visitor = await Visitor(http, house.url).arrive(locale="pt-BR")
    app = App(house, receiver, http)
    await visitor.say("no site")
    await brought(app, "a-0", (await invited(visitor))["code"], dice)
    await sees(visitor, "Se não foi você")

    async def writes() -> None:
        for i in range(1, 7):
            await brought(app, f"a-{i}", f"app {i}", dice)

    await asyncio.gather(writes(), taps(visitor, "Não fui eu"))
    await sees(visitor, "foi separada desta")
    answered = [f"echo: app {i}" for i in range(1, 7)]
    await until(lambda: [text for text in app.shown if text.startswith("echo: app")] == answered)

    async def apart() -> bool:
        theirs = await store.find_customer(Identity("webhook:main", "ana"))
        return theirs is not None and 1 == len(await store.links.identities(theirs))

    await until(apart)
    await app.says("depois")
    await app.sees("echo: depois")
    assert "depois" not in await visitor.texts()
