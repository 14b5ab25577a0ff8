"""One account between a recording door and a fake Bot API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cases.promises import RecordingDoor
from fakes.telegram_api import TOKEN, TelegramApi

from connectors.content import Content, Text
from connectors.contract import Author, Identity, Outbound, Ports, Receipt
from connectors.media import MediaFolder
from connectors.telegram import Settings, Telegram

ANA = 42


@dataclass
class Rig:
    telegram: Telegram
    api: TelegramApi
    door: RecordingDoor
    media: MediaFolder

    async def send(self, *parts: Content, chat: int = ANA, taken: int = 0) -> Receipt:
        to = Identity("telegram:main", str(chat))
        return await self.telegram.send(Outbound("o1", to, parts or (Text("oi"),), Author("bot"), 1, taken))


@pytest.fixture
def given() -> dict[str, Any]:
    """Settings of the account beside its token."""
    return {}


@pytest.fixture
async def rig(tmp_path: Path, given: dict[str, Any]) -> AsyncIterator[Rig]:
    api = TelegramApi()
    await api.start()
    api.chats.add(ANA)
    door, media = RecordingDoor(), MediaFolder(tmp_path / "media")
    settings = Settings.model_validate({"token": TOKEN, "base_url": api.url, "timeout_seconds": 0.5, **given})
    async with Telegram("main", settings, Ports(door, media, once=door.once)) as telegram:
        yield Rig(telegram, api, door, media)
    await api.stop()
