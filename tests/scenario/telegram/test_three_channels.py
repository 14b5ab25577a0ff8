"""The page, Telegram and the shop's own app together: every way from one to another, with deliveries that repeat."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import pytest
from fakes.bot import FakeBot, says
from fakes.redis_server import RedisServer
from fakes.telegram_api import TOKEN, Behaviour, TelegramApi
from fakes.waiting import until
from fakes.webhook_receiver import SECRET as WEBHOOK_SECRET
from fakes.webhook_receiver import WebhookReceiver
from scenario.conftest import Clock, House, Visitor
from scenario.moving import ASK, App, ask, in_form, known, redeemed

from connectors import registry
from connectors.contract import Identity
from router.store import Store
from segue.settings import BotPart, Conversation, Settings

from .conftest import ANA, SECRET

CHANNELS = ("webchat", "telegram", "webhook")


@pytest.fixture
def settings(settings: Settings, telegram: TelegramApi, receiver: WebhookReceiver, bot: FakeBot) -> Settings:
    tables = {
        "telegram": {
            "main": {
                "token": TOKEN,
                "secret": SECRET,
                "base_url": telegram.url,
                "timeout_seconds": 0.5,
                "receive": "webhook",
            }
        },
        "webhook": {
            "main": {"secret": WEBHOOK_SECRET, "url": receiver.url, "timeout_seconds": 1.0, "introduce": False}
        },
    }
    return settings.model_copy(
        update={
            "channels": registry.checked(tables),
            "conversation": Conversation(burst_ms=0),
            "bot": BotPart(socket=bot.socket, deadline_seconds=30),
        }
    )


@dataclass
class Person:
    """One person on all three; everything that is delivered comes up to three times, also late."""

    visitor: Visitor
    app: App
    telegram: TelegramApi
    store: Store
    house: House
    updates: list[dict[str, Any]] = field(default_factory=list)
    dice: random.Random = field(default_factory=lambda: random.Random(5))

    async def says(self, channel: str, text: str) -> None:
        again = self.dice.randrange(3)
        match channel:
            case "webchat":
                key = str(uuid.uuid4())
                for _ in range(again + 1):
                    await self.visitor.post({"text": text}, key)
            case "telegram":
                self.updates.append(self.telegram.says(ANA, text))
                for _ in range(again):
                    self.telegram.updates.bring(self.updates[-1])
            case _:
                await self.app.says(text)
                await asyncio.gather(*(self.app.deliver(*self.app.sent[-1]) for _ in range(again)))

    async def shown(self, channel: str) -> list[str]:
        match channel:
            case "webchat":
                return await self.visitor.texts()
            case "telegram":
                return self.telegram.texts(ANA)
            case _:
                return self.app.shown

    async def sees(self, channel: str, text: str) -> None:
        async def there() -> bool:
            return any(text in one for one in await self.shown(channel))

        await until(there)

    async def identity(self, channel: str) -> Identity:
        if channel == "telegram":
            return Identity("telegram:main", str(ANA))
        if channel == "webhook":
            return Identity("webhook:main", "ana")
        (key,) = await self.store.client.keys("identity:webchat:demo/*")
        return Identity.parse(key.decode().removeprefix("identity:"))

    async def goes_on(self, here: str, there: str) -> None:
        """By a code that is made where the person is and sent where they go."""
        found = await known(self.house, await self.identity(here))
        status, made = await ask(self.house, "POST", f"/{found['id']}/links", {"channel": there})
        assert status == 200, made
        if there == "webchat":
            await redeemed(self.visitor, code=made["code"])
        else:
            await self.says(there, f"olá 😀 {made['code']}")


@pytest.fixture
def person(house: House, hooked: TelegramApi, visitor: Visitor, app: App, store: Store) -> Person:
    return Person(visitor, app, hooked, store, house)


@pytest.mark.parametrize(("here", "there"), list(itertools.permutations(CHANNELS, 2)))
async def test_03_every_ordered_pair_of_channels_carries_the_open_form(
    person: Person, bot: FakeBot, here: str, there: str
) -> None:
    bot.rule = in_form
    await person.says(here, "cadê meu pedido")
    await person.sees(here, ASK)
    first = await person.identity(here)
    customer = await person.store.find_customer(first)
    assert customer
    before = await person.store.state(customer, "slots", "form", "lang", "ask")
    await person.goes_on(here, there)
    await person.sees(there, ASK)
    assert 1 == len(bot.asked), "the bot was asked for what was only said again"
    customer = await person.store.find_customer(await person.identity(there))
    assert customer == await person.store.find_customer(first)
    assert customer
    assert before == await person.store.state(customer, "slots", "form", "lang", "ask")
    await person.says(there, "4821")
    await person.sees(there, "achei, depois de: cadê meu pedido, 4821")
    assert 1 == sum(ASK in one for one in await person.shown(there) if there != "webchat" or one == ASK)
    assert 2 == len(bot.asked)


async def test_03_three_hops_are_shown_each_with_its_channel_and_time(
    person: Person, bot: FakeBot, clock: Clock
) -> None:
    bot.rule = in_form
    hops = ("webchat", "telegram", "webhook", "webchat")
    await person.says(hops[0], "passo 0")
    await person.sees(hops[0], ASK)
    for number, (here, there) in enumerate(itertools.pairwise(hops), start=1):
        clock.forward(60)
        if there == "webchat":
            # One who is a member already only writes again.
            await person.says(there, f"passo {number}")
        else:
            await person.goes_on(here, there)
            await person.sees(there, "Continuamos por aqui")
            await person.says(there, f"passo {number}")
        await until(lambda number=number: len(bot.asked) == number + 1)
    await person.says("webchat", "4821")
    await person.sees("webchat", "achei, depois de: passo 0, passo 1, passo 2, passo 3, 4821")
    messages = (await person.visitor.history())["messages"]
    steps = [one for one in messages if one["text"].startswith("passo")]
    assert list(hops) == [one["channel"] for one in steps]
    times = [one["at"] for one in steps]
    assert all(later - earlier >= 60_000 for earlier, later in itertools.pairwise(times))
    for where in ("no Telegram", "no aplicativo"):
        assert 1 == sum(f"Sua conversa foi aberta {where} às " in one["text"] for one in messages)


@pytest.mark.parametrize("channel", CHANNELS)
async def test_20_what_is_sent_is_acknowledged_at_once_and_answered_once_however_long_the_bot_takes(
    person: Person, bot: FakeBot, channel: str
) -> None:
    may_answer = asyncio.Event()

    async def slowly(asked: dict[str, Any]) -> Any:
        await may_answer.wait()
        return says("enfim")

    bot.rule = slowly
    began = time.monotonic()
    await person.says(channel, "oi")
    if channel == "telegram":
        await until(lambda: len(person.telegram.updates.deliveries) > 0)
        assert {200} == {status for _, status in person.telegram.updates.deliveries}
    assert time.monotonic() - began < 1
    await until(lambda: bool(bot.asked))
    if channel == "telegram":
        # What comes again during the turn is the same message.
        person.telegram.updates.bring(person.updates[-1])
    may_answer.set()
    await person.sees(channel, "enfim")
    bot.rule = lambda asked: says("depois")
    await person.says(channel, "mais")
    await person.sees(channel, "depois")
    assert 1 == sum("enfim" in one for one in await person.shown(channel))
    assert 2 == len(bot.asked)


async def test_45_links_control_and_what_was_not_sent_survive_a_killed_redis(
    person: Person, bot: FakeBot, store: Store, redis_server: RedisServer
) -> None:
    await store.client.config_set("appendfsync", "always")  # as the product's own Redis has it
    await person.says("webchat", "oi")
    await person.sees("webchat", "echo: oi")
    mine = await known(person.house, await person.identity("webchat"))
    _, made = await ask(person.house, "POST", f"/{mine['id']}/links", {"channel": "telegram"})
    await person.app.says("sou outra")
    await person.app.sees("echo: sou outra")
    theirs = await known(person.house, await person.identity("webhook"))
    assert 200 == (await ask(person.house, "POST", f"/{theirs['id']}/pause", {"owner": "eva"}))[0]
    person.telegram.behaviour = Behaviour(status=500)
    person.telegram.says(ANA + 1, "me ouve?")
    await until(lambda: len(bot.asked) == 3)
    await until(lambda: any(method == "sendMessage" for method, _ in person.telegram.calls))
    redis_server.kill()
    redis_server.start()
    person.telegram.behaviour = Behaviour()
    await until(lambda: person.telegram.texts(ANA + 1) == ["echo: me ouve?"], 20)
    again = await known(person.house, await person.identity("webhook"))
    assert {"by": "human", "number": 1, "owner": "eva"} == again["control"]
    person.telegram.says(ANA, made["code"])
    await person.sees("telegram", "Continuamos por aqui")
    assert 2 == len((await known(person.house, await person.identity("telegram")))["identities"])
