"""What the Telegram scenarios share: an account at a fake Bot API, and a house that it brings updates to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from fakes.telegram_api import TOKEN, TelegramApi
from fakes.waiting import until
from scenario.conftest import House

from connectors import registry
from connectors.contract import CustomerId, Identity
from router.store import Store
from segue.settings import Conversation, Settings

ANA = 427770117
SECRET = "a-secret-for-tests_0123456789"


@pytest.fixture(autouse=True)
def acquainted(monkeypatch: pytest.MonkeyPatch) -> None:
    """People were greeted before; the greeting has a test of its own."""
    monkeypatch.setattr("router.conversation.is_first_contact", lambda last: False)


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramApi]:
    api = TelegramApi()
    await api.start()
    yield api
    await api.stop()


@pytest.fixture
def account() -> dict[str, Any]:
    return {}


@pytest.fixture
def settings(settings: Settings, telegram: TelegramApi, account: dict[str, Any]) -> Settings:
    given = {"token": TOKEN, "secret": SECRET, "base_url": telegram.url, "timeout_seconds": 0.5, "receive": "webhook"}
    channels = registry.checked({"telegram": {"main": {**given, **account}}})
    return settings.model_copy(update={"channels": channels, "conversation": Conversation(burst_ms=0)})


@pytest.fixture
async def hooked(house: House, telegram: TelegramApi) -> TelegramApi:
    """Telegram brings what people say to the house."""
    telegram.updates.webhook = {"url": f"{house.url}/channels/telegram/main", "secret_token": SECRET}
    return telegram


async def customer(store: Store, chat: int = ANA) -> CustomerId:
    """Of a person who has written."""
    await until(lambda: store.find_customer(Identity("telegram:main", str(chat))))
    found = await store.find_customer(Identity("telegram:main", str(chat)))
    assert found is not None
    return found


async def statuses(store: Store, chat: int = ANA) -> list[str]:
    rows = await store.journal(await customer(store, chat))
    return [row.entry.status + (f" {row.entry.reason}" if row.entry.reason else "") for row in rows if row.entry.status]
