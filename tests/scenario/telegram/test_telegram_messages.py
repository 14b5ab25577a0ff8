"""A person on Telegram and the router: by webhook in, through the outbox out."""

from __future__ import annotations

import asyncio
from typing import Any

from fakes.bot import FakeBot, echo, says
from fakes.telegram_api import Behaviour, TelegramApi
from fakes.waiting import until
from scenario.conftest import Clock

from connectors.contract import Identity
from router.store import Store

from .conftest import ANA, customer, statuses


async def test_a_message_is_answered_in_its_chat(hooked: TelegramApi, store: Store) -> None:
    hooked.says(ANA, "oi")
    await until(lambda: hooked.texts(ANA) == ["echo: oi"])
    assert [status for _, status in hooked.updates.deliveries] == [200]
    await until(lambda: _has(store, ["sent"]))
    assert hooked.complaints == []


async def _has(store: Store, expected: list[str]) -> bool:
    return await statuses(store) == expected


async def test_a_redelivered_update_is_answered_once(hooked: TelegramApi, store: Store) -> None:
    update = hooked.says(ANA, "oi")
    await until(lambda: len(hooked.texts(ANA)) == 1)
    hooked.updates.bring(update)
    hooked.says(ANA, "e agora?")
    await until(lambda: len(hooked.texts(ANA)) == 2)
    assert hooked.texts(ANA) == ["echo: oi", "echo: e agora?"]
    assert [status for _, status in hooked.updates.deliveries] == [200, 200, 200]


def menu(asked: dict[str, Any]) -> dict[str, Any]:
    message = asked["message"]
    if message.get("text") == "menu":
        answer = says("**Qual?** 1 < 2")
        answer["responses"][0]["buttons"] = [
            {"title": "Entrega", "payload": "/delivery"},
            {"title": "Troca", "payload": "/returns"},
        ]
        return answer
    return says(f"recebi {message.get('payload') or message['text']}")


async def test_a_tap_means_its_button_and_leaves_what_was_chosen(
    hooked: TelegramApi, bot: FakeBot, store: Store
) -> None:
    bot.rule = menu
    hooked.says(ANA, "menu")
    await until(lambda: len(hooked.shown) == 1)
    assert hooked.shown[0].text == "Qual? 1 < 2"
    assert hooked.shown[0].titles == [["Entrega", "Troca"]]
    hooked.tap(ANA, "Troca")
    await until(lambda: hooked.texts(ANA) == ["Qual? 1 < 2", "recebi /returns"])
    await until(lambda: hooked.shown[0].titles == [["✓ Troca"]])
    assert [told for _, told in hooked.answered] == [""]
    hooked.tap(ANA, "✓ Troca")
    await until(lambda: len(hooked.answered) == 2)
    assert len(hooked.shown) == 2
    rows = await store.journal(await customer(store))
    assert [row.entry.content.text for row in rows if row.entry.author.kind == "customer" and row.entry.content] == [
        "menu", "Troca",
    ]  # fmt: skip


async def test_parts_that_were_taken_are_not_sent_again(hooked: TelegramApi, bot: FakeBot, store: Store) -> None:
    bot.rule = lambda asked: says("\n\n".join(letter * 3000 for letter in "abc"))
    hooked.next["sendMessage"].extend([Behaviour(), Behaviour(429, "slow", {"retry_after": 1})])
    hooked.says(ANA, "oi")
    await until(lambda: len(hooked.shown) == 3)
    assert [text[0] for text in hooked.texts(ANA)] == ["a", "b", "c"]
    await until(lambda: _has(store, ["sent"]))


async def test_an_answer_that_is_lost_is_unknown_and_not_repeated(hooked: TelegramApi, store: Store) -> None:
    hooked.next["sendMessage"].append(Behaviour(fault="drop"))
    hooked.says(ANA, "oi")
    await until(lambda: _has(store, ["unknown answer_lost"]))
    hooked.says(ANA, "e agora?")
    await until(lambda: hooked.texts(ANA) == ["echo: oi", "echo: e agora?"])


async def test_telegram_in_trouble_is_tried_again(hooked: TelegramApi, store: Store, clock: Clock) -> None:
    hooked.next["sendMessage"].append(Behaviour(502))
    hooked.says(ANA, "oi")
    await until(lambda: hooked.texts(ANA) == ["echo: oi"])
    await until(lambda: _has(store, ["sent"]))


async def test_who_blocked_us_is_marked_and_written_to_again_when_they_come_back(
    hooked: TelegramApi, store: Store
) -> None:
    hooked.says(ANA, "oi")
    await until(lambda: len(hooked.shown) == 1)
    hooked.blocks(ANA)
    await until(lambda: _why_not(store, "blocked"))
    hooked.blocks(ANA, yes=False)
    await until(lambda: _why_not(store, ""))


async def test_who_cannot_be_reached_any_more_is_marked_by_the_outbox(hooked: TelegramApi, store: Store) -> None:
    hooked.next["sendMessage"].append(Behaviour(403, "Forbidden: user is deactivated"))
    hooked.says(ANA, "oi")
    await until(lambda: _why_not(store, "gone"))
    await until(lambda: _has(store, ["failed gone"]))


async def _why_not(store: Store, expected: str) -> bool:
    field = f"un:telegram:main/{ANA}"
    return (await store.state(await customer(store), field)).get(field, "") == expected


async def test_a_group_is_told_once_and_never_becomes_a_customer(hooked: TelegramApi, store: Store) -> None:
    await until(lambda: ("getMe", {}) in hooked.calls)
    group = {"id": -100, "type": "supergroup", "title": "Família"}
    for text in ("oi", "tem alguém?"):
        hooked.updates.make(message={**hooked.message(ANA, text=text), "chat": group})
    hooked.chats.add(-100)
    await until(lambda: len(hooked.updates.deliveries) == 2)
    hooked.says(ANA, "oi")
    await until(lambda: len(hooked.texts(ANA)) == 1)
    [notice] = hooked.texts(-100)
    assert "https://t.me/aurora_loja_bot" in notice
    assert await store.find_customer(Identity("telegram:main", "-100")) is None


async def test_people_see_us_typing_while_the_bot_thinks(hooked: TelegramApi, bot: FakeBot) -> None:
    answering = asyncio.Event()

    async def slow(asked: dict[str, Any]) -> dict[str, Any]:
        await answering.wait()
        return echo(asked)

    bot.rule = slow
    hooked.says(ANA, "oi")
    await until(lambda: ("sendChatAction", {"chat_id": ANA, "action": "typing"}) in hooked.calls)
    answering.set()
    await until(lambda: hooked.texts(ANA) == ["echo: oi"])
