"""`segue channel check`: sets the webhook, and says what is wrong with an account, without its secrets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from fakes.operator import Operator
from fakes.telegram_api import TOKEN, Behaviour, TelegramApi

from segue import channel
from segue.installation import Installation
from segue.refusal import Refusal
from segue.settings import load_settings

SHOP = "https://shop.example"


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramApi]:
    api = TelegramApi()
    await api.start()
    yield api
    await api.stop()


Check = Callable[..., Awaitable[list[str]]]


@pytest.fixture
def check(
    tmp_path: Path, telegram: TelegramApi, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Check:
    """The lines that the command prints, without the time that a process of its own takes to start."""

    async def run(*, code: int = 0, name: str = "telegram.main", **variables: str) -> list[str]:
        for variable, value in {**account(telegram), **variables}.items():
            monkeypatch.setenv(variable, value)
        monkeypatch.setenv("SEGUE_CONFIG", "")

        def looked() -> int:
            return channel.check(Installation(settings=load_settings(), config=None, data=tmp_path, record={}), name)

        assert await asyncio.to_thread(looked) == code
        said = capsys.readouterr()
        assert TOKEN.partition(":")[2] not in said.out + said.err
        return said.out.splitlines()

    return run


def account(telegram: TelegramApi) -> dict[str, str]:
    return {
        "SEGUE_CHANNELS__TELEGRAM__MAIN__TOKEN": TOKEN,
        "SEGUE_CHANNELS__TELEGRAM__MAIN__BASE_URL": telegram.url,
    }


async def test_the_command_ends_with_1_when_something_is_to_mend(tmp_path: Path, telegram: TelegramApi) -> None:
    operator = Operator(tmp_path / "var", {**account(telegram), "SEGUE_SERVER__PUBLIC_URL": f"{SHOP}:9000"})
    said, _ = await asyncio.to_thread(operator.run, "channel", "check", "telegram.main", code=1)
    assert said.startswith("ok    telegram.main: the bot is @aurora_loja_bot\n")


async def test_a_public_address_becomes_the_webhook(check: Check, telegram: TelegramApi) -> None:
    lines = await check(SEGUE_SERVER__PUBLIC_URL=SHOP)
    assert lines == [
        "ok    telegram.main: the bot is @aurora_loja_bot",
        "ok    telegram.main: the menu of commands is set, in Portuguese and English",
        "ok    telegram.main: the webhook is set at shop.example",
    ]
    hook = telegram.updates.webhook
    assert hook["url"] == f"{SHOP}/channels/telegram/main"
    assert len(hook["secret_token"]) == 64
    assert hook["allowed_updates"] == ["message", "edited_message", "callback_query", "my_chat_member"]
    assert telegram.commands == {"": ["help", "language", "stop"], "en": ["help", "language", "stop"]}
    assert telegram.complaints == []


async def test_without_one_it_says_that_it_asks(check: Check, telegram: TelegramApi) -> None:
    lines = await check()
    assert lines[-1] == "ok    telegram.main: messages are asked for, by polling: this works without a public address"
    assert "setWebhook" not in [method for method, _ in telegram.calls]


@pytest.mark.parametrize(
    ("variables", "says", "remedy"),
    [
        ({"SEGUE_SERVER__PUBLIC_URL": "http://shop.example"}, "warn", "Put https in front of it"),
        (
            {
                "SEGUE_SERVER__PUBLIC_URL": "http://shop.example",
                "SEGUE_CHANNELS__TELEGRAM__MAIN__RECEIVE": "webhook",
            },
            "fail",
            "Set [server] public_url to one",
        ),
        ({"SEGUE_SERVER__PUBLIC_URL": f"{SHOP}:9000"}, "fail", "Publish it on one of these"),
        ({"SEGUE_CHANNELS__TELEGRAM__MAIN__TOKEN": "1:wrong"}, "fail", "Copy it anew from @BotFather"),
        ({"SEGUE_CHANNELS__TELEGRAM__MAIN__BASE_URL": "http://127.0.0.1:9"}, "fail", "See that this machine may reach"),
    ],
)
async def test_what_is_wrong_is_said_with_its_remedy(
    check: Check, variables: dict[str, str], says: str, remedy: str
) -> None:
    lines = await check(code=1 if says == "fail" else 0, **variables)
    assert lines[-1].startswith(says)
    assert f"– {remedy}" in lines[-1]


async def test_a_webhook_of_somebody_else_is_told(check: Check, telegram: TelegramApi) -> None:
    telegram.updates.webhook = {"url": "https://elsewhere.example/hook"}
    lines = await check()
    assert lines[-1].startswith("warn  telegram.main: a webhook is set at elsewhere.example – Start Segue")


async def test_what_telegram_says_of_its_last_calls_is_told(check: Check, telegram: TelegramApi) -> None:
    telegram.updates.webhook = {"url": f"{SHOP}/channels/telegram/main"}
    telegram.updates.last_error = "Wrong response from the webhook: 502 Bad Gateway"
    lines = await check(SEGUE_SERVER__PUBLIC_URL=SHOP)
    assert "Wrong response from the webhook: 502 Bad Gateway – See that this address leads" in lines[-1]


async def test_what_telegram_refuses_is_told_in_its_words(check: Check, telegram: TelegramApi) -> None:
    telegram.next["setWebhook"].append(Behaviour(400, "Bad Request: bad webhook: Failed to resolve host"))
    lines = await check(code=1, SEGUE_SERVER__PUBLIC_URL=SHOP)
    assert "fail  telegram.main: Telegram refused: Bad webhook: failed to resolve host" in lines[-1]


@pytest.mark.parametrize("name", ["telegram.other", "pigeon.main", "telegram"])
async def test_an_account_that_is_not_there_is_refused(check: Check, name: str) -> None:
    with pytest.raises(Refusal, match=f"There is no channel account {name}: configured are telegram.main."):
        await check(name=name)
