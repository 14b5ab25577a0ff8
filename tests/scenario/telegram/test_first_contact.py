"""On first contact a person on Telegram is told, once, that an assistant answers, whose, and where privacy is told."""

from __future__ import annotations

import pytest
from fakes.telegram_api import TelegramApi
from fakes.waiting import until

from .conftest import ANA


@pytest.fixture(autouse=True)
def acquainted() -> None:
    """Nobody was greeted before."""


async def test_a_stranger_is_told_once_who_answers(hooked: TelegramApi) -> None:
    hooked.says(ANA, "oi")
    await until(lambda: len(hooked.texts(ANA)) == 2)
    hooked.says(ANA, "e agora?")
    await until(lambda: len(hooked.texts(ANA)) == 3)
    greeting, *answers = hooked.texts(ANA)
    assert greeting.startswith("Olá. Sou Aurora, a assistente virtual da Loja Aurora.")
    assert "https://loja-aurora.example/privacidade" in greeting
    assert answers == ["echo: oi", "echo: e agora?"]


async def test_who_begins_by_the_start_button_is_greeted_and_nothing_else(hooked: TelegramApi) -> None:
    hooked.says(ANA, "/start")
    await until(lambda: len(hooked.texts(ANA)) == 1)
    hooked.says(ANA, "oi")
    await until(lambda: hooked.texts(ANA)[1:] == ["echo: oi"])
