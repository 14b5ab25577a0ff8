"""A visitor writes in the widget and gets an answer."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from fakes.bot import FakeBot, says
from fakes.waiting import until

from segue.serve import Files
from segue.settings import Settings, Widget

from .conftest import House, Visitor


async def test_a_message_is_answered_on_the_stream(visitor: Visitor) -> None:
    async with visitor.stream(visitor.session["cursor"]) as stream:
        assert (await stream.next()).event == "hello"
        await visitor.say("oi")
        mine = await stream.next("message.created")
        answer = await stream.next("message.created")
    assert (mine.data["prev"], mine.data["message"]["author"]["kind"]) == (0, "customer")
    assert (answer.data["prev"], answer.data["message"]["text"]) == (1, "echo: oi")
    assert answer.id.endswith(".2")
    assert answer.data["message"]["author"]["kind"] == "bot"


async def test_a_session_that_is_never_used_leaves_no_key(visitor: Visitor, settings: Settings) -> None:
    from router.store import connect

    client = connect(settings.redis.url)
    keys: list[bytes] = await client.keys("*")  # type: ignore[assignment]
    assert not [key for key in keys if not key.startswith(b"segue:")]
    await client.aclose()


async def test_the_greeting_comes_in_the_visitors_language(house: House, http: aiohttp.ClientSession) -> None:
    english = await Visitor(http, house.url).arrive(locale="en-GB")
    portuguese = await Visitor(http, house.url).arrive(locale="pt-PT")
    assert english.session["config"]["greeting"]["text"].startswith("Hello")
    assert portuguese.session["config"]["greeting"]["text"].startswith("Olá")


async def test_the_same_key_has_one_effect_and_gets_the_same_answer(visitor: Visitor, bot: FakeBot) -> None:
    key = str(uuid.uuid4())
    first = await visitor.post({"text": "oi"}, key)
    answers = await asyncio.gather(*(visitor.post({"text": "oi"}, key) for _ in range(5)))
    assert first[0] == 201
    assert answers == [(200, first[1])] * 5
    await until(lambda: _count(visitor, 2))
    assert len(bot.asked) == 1


async def _count(visitor: Visitor, number: int) -> bool:
    return len(await visitor.texts()) == number


async def test_a_visitor_who_comes_back_with_the_handle_finds_the_conversation(
    house: House, visitor: Visitor, http: aiohttp.ClientSession
) -> None:
    await visitor.say("oi")
    await until(lambda: _count(visitor, 2))
    back = await Visitor(http, house.url).arrive(handle=visitor.session["handle"])
    assert await back.texts() == ["oi", "echo: oi"]


async def test_a_handle_of_nonsense_is_a_new_visitor(house: House, http: aiohttp.ClientSession) -> None:
    stranger = await Visitor(http, house.url).arrive(handle="not-a-handle")
    assert await stranger.texts() == []


async def test_visitors_do_not_see_each_other(house: House, visitor: Visitor, http: aiohttp.ClientSession) -> None:
    await visitor.say("meu segredo")
    other = await Visitor(http, house.url).arrive()
    assert await other.texts() == []


async def test_the_window_comes_back_to_the_bot_and_grows(visitor: Visitor, bot: FakeBot) -> None:
    for number, text in enumerate(["um", "dois", "três"], start=1):
        await visitor.say(text)
        await until(lambda number=number: _count(visitor, 2 * number))
    assert [len(asked["window"]) for asked in bot.asked] == [0, 2, 4]


async def test_a_window_that_the_bot_shortened_replaces_the_old_one(visitor: Visitor, bot: FakeBot) -> None:
    bot.rule = lambda asked: says("olá", window=[{"event": "session_started"}])
    for number in (1, 2):
        await visitor.say("oi")
        await until(lambda number=number: _count(visitor, 2 * number))
    assert bot.asked[1]["window"] == [{"event": "session_started"}]


async def test_turn_ids_name_the_customer_and_count(visitor: Visitor, bot: FakeBot) -> None:
    for number in (1, 2):
        await visitor.say("oi")
        await until(lambda number=number: _count(visitor, 2 * number))
    ids = [asked["message"]["id"] for asked in bot.asked]
    assert [turn_id.rpartition(".")[2] for turn_id in ids] == ["0", "1"]
    assert len({turn_id.rpartition(".")[0] for turn_id in ids}) == 1


async def test_the_language_that_the_bot_detected_is_kept(visitor: Visitor, bot: FakeBot) -> None:
    bot.rule = lambda asked: says("hello", language={"current": "en", "votes": 1})
    for number in (1, 2):
        await visitor.say("hello")
        await until(lambda number=number: _count(visitor, 2 * number))
    assert bot.asked[0]["language"] == {"current": None, "votes": 0, "locale": "pt-BR"}
    assert bot.asked[1]["language"] == {"current": "en", "votes": 1, "locale": "pt-BR"}


async def test_quick_texts_are_one_turn(
    settings: Settings, files: Files, bot: FakeBot, http: aiohttp.ClientSession
) -> None:
    house = House(settings.model_copy(update={"widget": Widget(burst_ms=200)}), files)
    await house.start()
    try:
        visitor = await Visitor(http, house.url).arrive()
        await visitor.say("oi")
        await visitor.say("tudo bem?")
        await until(lambda: _count(visitor, 3))
        assert [asked["message"]["text"] for asked in bot.asked] == ["oi\ntudo bem?"]
    finally:
        await house.stop()


# ── buttons ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def asks(asked: dict[str, Any]) -> dict[str, Any]:
    if "payload" in asked["message"]:
        return says(f"payload {asked['message']['payload']}")
    if asked["message"]["text"] == "menu":
        answer = says("Posso?")
        answer["responses"][0]["buttons"] = [{"title": "Sim", "payload": '/affirm{"a": "b"}'}]
        return answer
    return says(f"text {asked['message']['text']}")


async def test_a_button_reaches_the_bot_by_its_payload_and_never_shows_it(visitor: Visitor, bot: FakeBot) -> None:
    bot.rule = asks
    await visitor.say("menu")
    await until(lambda: _count(visitor, 2))
    offered = (await visitor.history())["messages"][-1]["content"]
    assert offered["type"] == "buttons"
    assert offered["buttons"][0]["title"] == "Sim"
    await visitor.post({"button": offered["buttons"][0]["id"]})
    await until(lambda: _count(visitor, 4))
    shown = (await visitor.history())["messages"]
    assert [message["text"] for message in shown] == ["menu", "Posso?", "Sim", 'payload /affirm{"a": "b"}']
    assert "affirm" not in str(shown[1]) + str(shown[2])


async def test_an_unknown_button_counts_as_its_title_typed(visitor: Visitor, bot: FakeBot) -> None:
    bot.rule = asks
    status, _ = await visitor.post({"button": "gone", "text": "Sim"})
    assert status == 201
    await until(lambda: _count(visitor, 2))
    assert (await visitor.texts())[-1] == "text Sim"


async def test_somebody_elses_button_does_nothing(
    house: House, visitor: Visitor, bot: FakeBot, http: aiohttp.ClientSession
) -> None:
    bot.rule = asks
    await visitor.say("menu")
    await until(lambda: _count(visitor, 2))
    button = (await visitor.history())["messages"][-1]["content"]["buttons"][0]["id"]
    thief = await Visitor(http, house.url).arrive()
    assert (await thief.post({"button": button}))[0] == 400
    await thief.post({"button": button, "text": "Sim"})
    await until(lambda: _count(thief, 2))
    assert (await thief.texts())[-1] == "text Sim"


# ── answer, silence and failure ─────────────────────────────────────────────────────────────────────────────────────


async def test_silence_is_no_failure(visitor: Visitor, bot: FakeBot) -> None:
    bot.rule = lambda asked: says() if asked["message"]["text"] == "shh" else says("olá")
    await visitor.say("shh")
    await until(lambda: len(bot.asked) == 1)
    await visitor.say("oi")
    await until(lambda: _count(visitor, 3))
    assert await visitor.texts() == ["shh", "oi", "olá"]
    assert len(bot.asked[1]["window"]) == 2


@pytest.mark.parametrize(
    "failure",
    [
        lambda asked: web.json_response({"type": "action_timeout", "where": "action_x", "detail": ""}, status=502),
        lambda asked: web.json_response({"type": "error", "where": "", "detail": ""}, status=500),
        lambda asked: web.Response(text="<html>", status=200),
        lambda asked: web.json_response({"outcome": "answered"}),
        lambda asked: web.Response(text="", status=503),
    ],
    ids=["action", "error", "html", "half an answer", "not ready"],
)
async def test_a_failure_is_an_apology_with_an_offer_and_changes_no_dialogue(
    visitor: Visitor, bot: FakeBot, failure: Any
) -> None:
    bot.rule = failure
    await visitor.say("oi")
    await until(lambda: _count(visitor, 2))
    apology = (await visitor.history())["messages"][-1]
    assert apology["author"]["kind"] == "system"
    assert apology["text"].startswith("Não consegui responder agora")
    assert apology["content"]["buttons"][0]["title"] == "Falar com uma pessoa"
    bot.rule = lambda asked: says("voltei")
    await visitor.say("e agora?")
    await until(lambda: _count(visitor, 4))
    assert bot.asked[-1]["window"] == []


async def test_a_bot_that_hangs_is_a_failure_after_its_time(visitor: Visitor, bot: FakeBot) -> None:
    never = asyncio.Event()

    async def hang(asked: dict[str, Any]) -> dict[str, Any]:
        await never.wait()
        return says()

    bot.rule = hang
    await visitor.say("oi")
    await until(lambda: _count(visitor, 2))
    assert (await visitor.texts())[-1].startswith("Não consegui")


async def test_a_bot_that_is_replaced_in_the_middle_answers_all_the_same(visitor: Visitor, bot: FakeBot) -> None:
    await bot.stop()
    await visitor.say("oi")
    await bot.start()
    await until(lambda: _count(visitor, 2))
    assert (await visitor.texts())[-1] == "echo: oi"


async def test_typing_is_shown_while_the_bot_thinks(visitor: Visitor, bot: FakeBot) -> None:
    go_on = asyncio.Event()

    async def slow(asked: dict[str, Any]) -> dict[str, Any]:
        await go_on.wait()
        return says("pronto")

    bot.rule = slow
    async with visitor.stream(visitor.session["cursor"]) as stream:
        await stream.next("hello")
        await visitor.say("oi")
        assert (await stream.next("typing")).data == {"author": "bot", "on": True}
        go_on.set()
        assert (await stream.next("message.created")).data["message"]["text"] == "pronto"
