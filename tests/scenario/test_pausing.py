"""Behaviour 38: a shop's own server pauses, resumes and closes one conversation, also before anybody has written."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fakes.bot import FakeBot, says
from fakes.waiting import until
from fakes.webhook_receiver import WebhookReceiver

from connectors.contract import Identity
from router.store import Store
from segue.settings import Settings

from .conftest import House, Visitor
from .moving import ASK, App, ask, in_form, invited, known, sees, with_app

ANA = Identity("webhook:main", "ana")


@pytest.fixture
def settings(settings: Settings, receiver: WebhookReceiver) -> Settings:
    return with_app(settings, receiver, introduce=True)


async def changed(house: House, customer: str, what: str, **body: Any) -> dict[str, Any]:
    status, now = await ask(house, "POST", f"/{customer}/{what}", body or None)
    assert status == 200, now
    return dict(now)


async def nothing_waits(store: Store) -> None:
    """Every mailbox is empty: what was said has had its turn, with or without an answer."""

    async def empty() -> bool:
        return not await store.client.keys("{*}mb:*")

    await until(empty)


async def test_38_pause_and_resume_before_the_first_message(house: House, app: App, bot: FakeBot, store: Store) -> None:
    status, made = await ask(house, "POST", "", {"identity": str(ANA)})
    assert (201, False) == (status, made["conversation"]["open"])
    assert 200 == (await ask(house, "POST", "", {"identity": str(ANA)}))[0]
    paused = await changed(house, made["id"], "pause", owner="loja")
    assert {"by": "human", "number": 1, "owner": "loja"} == paused["control"]
    await app.says("oi")
    await nothing_waits(store)
    assert [] == app.shown + bot.asked
    assert made["id"] == (await known(house, ANA))["id"]
    assert {"by": "bot", "number": 2, "owner": ""} == (await changed(house, made["id"], "resume"))["control"]
    await app.says("e agora?")
    await app.sees("echo: e agora?")
    greeting, answer = app.shown
    assert greeting.startswith("Olá. Sou Aurora")
    assert ("echo: e agora?", 1) == (answer, len(bot.asked))


async def test_38_what_the_bot_is_thinking_of_when_it_is_paused_is_never_said(
    house: House, app: App, bot: FakeBot, store: Store
) -> None:
    await app.says("oi")
    await app.sees("echo: oi")
    customer = (await known(house, ANA))["id"]
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def slowly(question: dict[str, Any]) -> Any:
        asked.set()
        await may_answer.wait()
        return says("tarde demais")

    bot.rule = slowly
    await app.says("uma pergunta longa")
    await asked.wait()
    await changed(house, customer, "pause")
    may_answer.set()
    await nothing_waits(store)
    bot.rule = lambda question: says("de volta")
    await changed(house, customer, "resume")
    await app.says("e agora?")
    await app.sees("de volta")
    assert "tarde demais" not in app.shown


async def test_38_who_saw_an_older_control_number_changes_nothing(house: House, app: App) -> None:
    await app.says("oi")
    await app.sees("echo: oi")
    customer = (await known(house, ANA))["id"]
    await changed(house, customer, "pause", number=0, owner="eva")
    for what in ("pause", "resume", "close"):
        assert 409 == (await ask(house, "POST", f"/{customer}/{what}", {"number": 0}))[0]
    assert {"by": "human", "number": 1, "owner": "eva"} == (await known(house, ANA))["control"]
    # The same again is no change.
    assert 1 == (await changed(house, customer, "pause", number=1, owner="eva"))["control"]["number"]


async def test_38_a_closed_conversation_ends_form_and_codes_and_the_next_message_begins_another(
    house: House, visitor: Visitor, app: App, bot: FakeBot, store: Store
) -> None:
    bot.rule = in_form
    await visitor.say("cadê meu pedido")
    await sees(visitor, ASK)
    code = (await invited(visitor))["code"]
    (key,) = await store.client.keys("identity:webchat:demo/*")
    mine = (await store.client.get(key)).decode()
    _, before = await ask(house, "GET", f"/{mine}")
    assert before["conversation"]["open"]
    after = await changed(house, mine, "close")
    assert (before["conversation"]["id"], False) == (after["conversation"]["id"], after["conversation"]["open"])
    assert after == await changed(house, mine, "close")
    await app.says(code)
    await app.sees("Este código não vale mais.")
    await visitor.say("outra coisa")
    await until(lambda: 2 == len(bot.asked))
    assert bot.asked[-1]["new_session"]
    _, anew = await ask(house, "GET", f"/{mine}")
    assert anew["conversation"]["open"]
    assert anew["conversation"]["id"] != before["conversation"]["id"]


async def test_38_a_paused_conversation_that_is_closed_is_the_bots_again(house: House, app: App, store: Store) -> None:
    await app.says("oi")
    await app.sees("echo: oi")
    customer = (await known(house, ANA))["id"]
    await changed(house, customer, "pause")
    await app.says("alguém aí?")
    await nothing_waits(store)
    assert "bot" == (await changed(house, customer, "close"))["control"]["by"]
    await app.says("de novo")
    await app.sees("echo: de novo")
    assert not any("alguém" in one for one in app.shown)


async def test_38_a_conversation_is_not_closed_while_a_message_waits_for_its_answer(
    house: House, app: App, bot: FakeBot
) -> None:
    may_answer = asyncio.Event()

    async def slowly(question: dict[str, Any]) -> Any:
        await may_answer.wait()
        return says("pronto")

    bot.rule = slowly
    await app.says("oi")
    await until(lambda: bool(bot.asked))
    customer = (await known(house, ANA))["id"]
    closing = asyncio.create_task(changed(house, customer, "close"))
    await asyncio.sleep(0.2)
    assert not closing.done()
    may_answer.set()
    assert not (await closing)["conversation"]["open"]
    await app.sees("pronto")


async def test_38_a_pause_goes_along_when_somebody_paused_before_they_wrote_is_joined(
    house: House, visitor: Visitor, app: App, store: Store
) -> None:
    """Who was made known is the older one here, and survives."""
    _, made = await ask(house, "POST", "", {"identity": str(ANA)})
    await changed(house, made["id"], "pause", owner="loja")
    await visitor.say("oi")
    await sees(visitor, "echo: oi")
    (key,) = await store.client.keys("identity:webchat:demo/*")
    theirs = (await store.client.get(key)).decode()
    status, _ = await ask(house, "POST", f"/{made['id']}/merges", {"other": theirs})
    assert 202 == status

    async def joined() -> bool:
        return 2 == len((await known(house, ANA))["identities"])

    await until(joined)
    now = await known(house, ANA)
    assert ("human", "loja") == (now["control"]["by"], now["control"]["owner"])
    await visitor.say("e eu?")
    await nothing_waits(store)
    assert "echo: e eu?" not in await visitor.texts()


@pytest.mark.parametrize("identity", ["webchat:demo/anyone", "pigeon:main/1", "webhook:main/", "nonsense"])
async def test_38_only_people_of_a_channel_of_ours_are_known_before_they_write(house: House, identity: str) -> None:
    assert 400 == (await ask(house, "POST", "", {"identity": identity}))[0]


async def test_38_a_number_that_is_none_is_refused(house: House, app: App) -> None:
    await app.says("oi")
    await app.sees("echo: oi")
    customer = (await known(house, ANA))["id"]
    assert 400 == (await ask(house, "POST", f"/{customer}/pause", {"number": "one"}))[0]
    assert 404 == (await ask(house, "POST", "/0190b0c0-0000-7000-8000-000000000001/pause", {}))[0]
