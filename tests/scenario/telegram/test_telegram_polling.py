"""Without a public address: the router asks Telegram, in one process of all, and confirms what it has kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from fakes.telegram_api import Behaviour, TelegramApi
from fakes.waiting import until
from scenario.conftest import House

from connectors.telegram import polling
from router.store import Store
from segue.serve import Files
from segue.settings import Settings

from .conftest import ANA, statuses


@pytest.fixture
def account() -> dict[str, Any]:
    return {"receive": "auto"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "PAUSE", 0.02)


def asked(telegram: TelegramApi) -> list[dict[str, Any]]:
    return [given for method, given in telegram.calls if method == "getUpdates"]


async def test_what_people_said_before_and_after_the_start_is_answered_in_order(
    settings: Settings, files: Files, telegram: TelegramApi, store: Store
) -> None:
    for text in ("um", "dois"):
        telegram.says(ANA, text)
    house = House(settings, files)
    await house.start()
    try:
        await until(lambda: len(telegram.shown) == 2)
        telegram.says(ANA, "três")
        await until(lambda: len(telegram.shown) == 3)
        assert telegram.texts(ANA) == ["echo: um", "echo: dois", "echo: três"]
        await until(lambda: telegram.updates.pending == 0)
        assert asked(telegram)[0]["allowed_updates"] == [
            "message", "edited_message", "callback_query", "my_chat_member",
        ]  # fmt: skip
    finally:
        await house.stop()


async def test_a_webhook_that_was_set_is_taken_off_first(
    settings: Settings, files: Files, telegram: TelegramApi
) -> None:
    telegram.updates.webhook = {"url": "https://elsewhere.example/hook"}
    house = House(settings, files)
    await house.start()
    try:
        await until(lambda: telegram.updates.webhook == {})
        telegram.says(ANA, "oi")
        await until(lambda: telegram.texts(ANA) == ["echo: oi"])
    finally:
        await house.stop()


@pytest.mark.usefixtures("house")
async def test_telegram_in_trouble_is_asked_again(telegram: TelegramApi) -> None:
    telegram.next["getUpdates"].extend(
        [Behaviour(502), Behaviour(429, "slow", {"retry_after": 1}, {"Retry-After": "1"}), Behaviour(body=b"<html>")]
    )
    telegram.next["getUpdates"].append(Behaviour(409, "Conflict: terminated by other getUpdates request"))
    await until(lambda: not telegram.next["getUpdates"])
    telegram.says(ANA, "oi")
    await until(lambda: telegram.texts(ANA) == ["echo: oi"])


@pytest.mark.usefixtures("house")
async def test_an_update_that_nobody_understands_stops_nothing(telegram: TelegramApi) -> None:
    telegram.updates.make(message={"message_id": 1, "chat": {"id": {"$ne": 1}, "type": "private"}})
    telegram.says(ANA, "oi")
    await until(lambda: telegram.texts(ANA) == ["echo: oi"])
    await until(lambda: telegram.updates.pending == 0)


@pytest.fixture
async def second(settings: Settings, files: Files, house: House) -> AsyncIterator[House]:
    """Another process of the same installation."""
    second = House(settings, files)
    await second.start()
    yield second
    await second.stop()


@pytest.mark.usefixtures("house", "second")
async def test_of_two_processes_one_asks(telegram: TelegramApi) -> None:
    await until(lambda: len(asked(telegram)) >= 1)
    for number in range(3):
        telegram.says(ANA, str(number))
        await until(lambda number=number: len(telegram.shown) == number + 1)
    assert [method for method, _ in telegram.calls].count("deleteWebhook") == 1


@pytest.mark.usefixtures("house")
async def test_an_answer_is_sent_once_however_it_came(telegram: TelegramApi, store: Store) -> None:
    update = telegram.says(ANA, "oi")
    await until(lambda: len(telegram.shown) == 1)
    telegram.updates.bring(update)
    telegram.says(ANA, "e agora?")
    await until(lambda: len(telegram.shown) == 2)
    await until(lambda: _sent(store, 2))


async def _sent(store: Store, count: int) -> bool:
    return await statuses(store) == ["sent"] * count
