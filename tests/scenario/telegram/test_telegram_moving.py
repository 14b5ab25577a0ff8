"""Telegram beside the widget: commands of its menu, the way there, and replies that cannot be written there."""

from __future__ import annotations

import pytest
from fakes.bot import FakeBot, says
from fakes.telegram_api import TelegramApi
from fakes.waiting import until
from scenario.conftest import Clock, House, Visitor
from scenario.moving import invited, known, redeemed, sees, taps

from connectors.contract import Identity
from router.store import Store

from .conftest import ANA, customer


async def shows(hooked: TelegramApi, text: str) -> None:
    await until(lambda: any(text in one for one in hooked.texts(ANA)))


async def test_a_link_opens_telegram_in_the_middle_of_the_conversation(hooked: TelegramApi, visitor: Visitor) -> None:
    await visitor.say("oi")
    made = await invited(visitor, "telegram")
    assert made["url"].startswith("https://t.me/aurora_loja_bot?start=")
    hooked.says(ANA, f"/start {made['url'].partition('start=')[2]}")
    await shows(hooked, "Continuamos por aqui.")
    hooked.says(ANA, "e agora?")
    await shows(hooked, "echo: e agora?")
    await sees(visitor, "echo: e agora?")


async def test_stop_asks_and_then_disconnects_this_channel(hooked: TelegramApi, visitor: Visitor, store: Store) -> None:
    await visitor.say("oi")
    hooked.says(ANA, (await invited(visitor, "telegram"))["code"])
    await shows(hooked, "Continuamos por aqui.")
    hooked.says(ANA, "/stop")
    await shows(hooked, "Quer desconectar este canal?")
    hooked.tap(ANA, "Desconectar")
    await shows(hooked, "Pronto, este canal foi desconectado.")
    hooked.says(ANA, "de novo")
    await shows(hooked, "echo: de novo")
    assert (Identity("telegram:main", str(ANA)),) == await store.links.identities(await customer(store))
    assert "de novo" not in await visitor.texts()


async def test_stop_where_nothing_is_connected_says_so(hooked: TelegramApi) -> None:
    hooked.says(ANA, "/stop")
    await shows(hooked, "Quer desconectar este canal?")
    hooked.tap(ANA, "Desconectar")
    await shows(hooked, "Este é o único canal desta conversa")


async def test_the_language_is_chosen_by_a_button_or_beside_the_command(hooked: TelegramApi, store: Store) -> None:
    hooked.says(ANA, "/language")
    await shows(hooked, "Em que idioma você prefere?")
    hooked.tap(ANA, "English")
    await shows(hooked, "All right, in English from now on.")
    assert {"lang": "en"} == await store.state(await customer(store), "lang")
    hooked.says(ANA, "/language pt")
    await shows(hooked, "Certo, vamos em português.")


@pytest.mark.parametrize("only_from_now_on", [True, False])
async def test_only_from_now_on_is_chosen_where_history_is_shown(
    hooked: TelegramApi, visitor: Visitor, bot: FakeBot, clock: Clock, only_from_now_on: bool
) -> None:
    hooked.says(ANA, "antes de tudo")
    await shows(hooked, "echo: antes de tudo")
    bot.rule = lambda asked: says("Certo.", requests=[{"kind": "continue", "reason": "asked"}])
    hooked.says(ANA, "quero continuar no site")
    await shows(hooked, "#segue=")
    link = next(text for text in hooked.texts(ANA) if "#segue=" in text)
    await redeemed(visitor, token=link.partition("#segue=")[2].split()[0])
    await sees(visitor, "Continuamos por aqui")
    assert "antes de tudo" not in await visitor.texts()
    if only_from_now_on:
        await taps(visitor, "Só daqui em diante")
        await sees(visitor, "Por aqui aparece só o que vier daqui em diante.")
    clock.forward(11 * 60)
    assert only_from_now_on == ("antes de tudo" not in await visitor.texts())


async def test_what_cannot_be_written_on_telegram_is_said_on_the_page(
    house: House, hooked: TelegramApi, visitor: Visitor, store: Store
) -> None:
    """Somebody blocks the bot between the question and the answer."""
    await visitor.say("oi")
    hooked.says(ANA, (await invited(visitor, "telegram"))["code"])
    await shows(hooked, "Continuamos por aqui.")
    hooked.blocked.add(ANA)
    hooked.says(ANA, "e agora?")
    notice = await sees(visitor, "Não consegui escrever no Telegram. Continuo por aqui.")
    assert "system" == notice["author"]["kind"]
    await sees(visitor, "echo: e agora?")
    mine = await customer(store)
    assert {"un:telegram:main/427770117": "blocked"} == await store.state(mine, "un:telegram:main/427770117")
    notes = [row.entry.reason for row in await store.journal(mine, limit=200) if row.entry.kind == "note"]
    assert ["unreachable: blocked"] == notes
    told = await known(house, Identity("telegram:main", str(ANA)))
    assert {"telegram": "blocked", "webchat": ""} == {one["channel"]: one["unreachable"] for one in told["identities"]}
