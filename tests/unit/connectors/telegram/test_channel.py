"""What is done with an update: kept before it is acknowledged, brought again only when that helps, never for ever."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from cases.promises import RecordingDoor
from fakes.telegram_api import TOKEN, Behaviour, TelegramApi
from fakes.waiting import until
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from connectors.content import Text
from connectors.contract import Accepted, Identity, Inbound, NotUnderstood, Ports, TryAgain
from connectors.media import MediaFolder
from connectors.telegram import Settings, Telegram, channel
from router.web import application

from .conftest import ANA, Rig

PATH = "/channels/telegram/main"


class _NoRefusal(Exception):
    pass


@pytest.fixture
async def http(rig: Rig) -> AsyncIterator[TestClient[Any, Any]]:
    async with TestClient(TestServer(application(rig.telegram.routes(), _NoRefusal))) as http:
        yield http


def update(number: int = 1, **kind: Any) -> bytes:
    said = {"message_id": number, "from": {"id": ANA}, "chat": {"id": ANA, "type": "private"}, "text": "oi"}
    return json.dumps({"update_id": number, **(kind or {"message": said})}).encode()


async def post(rig: Rig, http: TestClient[Any, Any], body: bytes) -> tuple[int, str | None]:
    headers = {"X-Telegram-Bot-Api-Secret-Token": rig.telegram._secrets[0]}
    async with http.post(PATH, data=body, headers=headers) as response:
        return response.status, response.headers.get("Retry-After")


def parked(why: str) -> float:
    return REGISTRY.get_sample_value("segue_parked_total", {"channel": "telegram", "why": why}) or 0


async def test_a_secret_made_from_the_token_opens_the_door(rig: Rig, http: TestClient[Any, Any]) -> None:
    assert await post(rig, http, update()) == (200, None)
    assert [one.content for one in rig.door.accepted] == [Text("oi")]


async def test_an_answer_holds_nothing_that_telegram_would_execute(rig: Rig, http: TestClient[Any, Any]) -> None:
    headers = {"X-Telegram-Bot-Api-Secret-Token": rig.telegram._secrets[0]}
    async with http.post(PATH, data=update(), headers=headers) as response:
        assert await response.read() == b""


async def test_what_our_door_cannot_take_now_comes_again_at_its_time(rig: Rig, http: TestClient[Any, Any]) -> None:
    rig.door.refusal = TryAgain("full", after=5)
    assert await post(rig, http, update()) == (503, "5")
    rig.door.refusal = None
    assert await post(rig, http, update()) == (200, None)


async def test_what_nobody_understands_is_parked_at_once(rig: Rig, http: TestClient[Any, Any]) -> None:
    before = parked("not_understood")
    rig.door.refusal = NotUnderstood("too long")
    assert await post(rig, http, update()) == (200, None)
    assert parked("not_understood") == before + 1


class Broken(RecordingDoor):
    """A door with a fault of its own for one update."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    async def accept(self, inbound: Inbound) -> Accepted:
        if inbound.dedupe == f"{ANA}:1":
            self.asked += 1
            raise KeyError("words of a person")
        return await super().accept(inbound)


async def test_a_fault_of_ours_is_tried_three_times_and_stops_nothing_behind_it(
    rig: Rig, http: TestClient[Any, Any]
) -> None:
    broken = Broken()
    rig.telegram._ports = Ports(broken, rig.media, once=broken.once)
    before = parked("fault")
    told = [await post(rig, http, update(1)) for _ in range(3)]
    assert told == [(503, "1"), (503, "1"), (200, None)]
    assert (broken.asked, parked("fault")) == (3, before + 1)
    assert await post(rig, http, update(2)) == (200, None)


async def test_a_tap_that_means_nothing_any_more_is_told_so(rig: Rig) -> None:
    await rig.send(Text("oi"))
    rig.api.shown[0].markup = {"inline_keyboard": [[{"text": "Sim", "callback_data": "b1"}]]}
    rig.door.refusal = NotUnderstood("an empty message")
    tap = rig.api.tap(ANA, "Sim")
    await rig.telegram.take(json.dumps(tap).encode())
    await until(lambda: len(rig.api.answered) == 1)
    assert rig.api.answered[0][1] == "Esta opção não vale mais. Escreva o que você precisa."
    await until(lambda: rig.api.shown[0].titles == [])


async def test_a_query_that_is_too_old_is_no_matter(rig: Rig) -> None:
    old = Behaviour(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
    await rig.send(Text("oi"))
    rig.api.shown[0].markup = {"inline_keyboard": [[{"text": "Sim", "callback_data": "b1"}]]}
    rig.api.next["answerCallbackQuery"].append(old)
    await rig.telegram.take(json.dumps(rig.api.tap(ANA, "Sim")).encode())
    await until(lambda: rig.api.shown[0].titles == [["✓ Sim"]])
    assert len(rig.door.accepted) == 1


async def test_a_tap_that_is_not_kept_is_not_marked(rig: Rig) -> None:
    await rig.send(Text("oi"))
    rig.api.shown[0].markup = {"inline_keyboard": [[{"text": "Sim", "callback_data": "b1"}]]}
    rig.door.refusal = TryAgain("full")
    with pytest.raises(TryAgain):
        await rig.telegram.take(json.dumps(rig.api.tap(ANA, "Sim")).encode())
    assert rig.api.answered == []


async def test_blocking_and_coming_back_are_told_to_the_door(rig: Rig) -> None:
    for yes in (True, False):
        await rig.telegram.take(json.dumps(rig.api.blocks(ANA, yes=yes)).encode())
    person = Identity("telegram:main", str(ANA))
    assert rig.door.reach == [(person, False), (person, True)]


# ── who we are ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_invitation_opens_our_chat_with_the_code(rig: Rig) -> None:
    await until(lambda: rig.telegram.invitation("x") != "")
    assert rig.telegram.invitation("a" * 22) == f"https://t.me/aurora_loja_bot?start={'a' * 22}"


async def test_our_name_is_asked_for_until_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "INTRODUCE_PAUSES", (0.01,))
    api, door = TelegramApi(), RecordingDoor()
    await api.start()
    api.next["getMe"].extend([Behaviour(502), Behaviour(401, "Unauthorized"), Behaviour(body=b"<html>")])
    settings = Settings.model_validate({"token": TOKEN, "base_url": api.url})
    try:
        async with Telegram("main", settings, Ports(door, MediaFolder(tmp_path), once=door.once)) as telegram:
            assert telegram.invitation("x") == ""
            await until(lambda: telegram.invitation("x") != "")
            await until(lambda: api.commands == {"": ["help", "language", "stop"], "en": ["help", "language", "stop"]})
    finally:
        await api.stop()


async def test_the_menu_is_set_once_a_day_by_all_processes(rig: Rig, tmp_path: Path) -> None:
    await until(lambda: len(rig.api.commands) == 2)
    rig.api.commands.clear()
    settings = Settings.model_validate({"token": TOKEN, "base_url": rig.api.url})
    async with Telegram("main", settings, Ports(rig.door, rig.media, once=rig.door.once)) as second:
        await until(lambda: second.invitation("x") != "")
    assert rig.api.commands == {}


@pytest.mark.parametrize(("hook", "told"), [("", True), ("https://shop.example/channels/telegram/main", False)])
async def test_a_webhook_that_was_never_set_is_told_in_the_log(tmp_path: Path, hook: str, told: bool) -> None:
    api, door = TelegramApi(), RecordingDoor()
    await api.start()
    api.updates.webhook = {"url": hook}
    settings = Settings.model_validate({"token": TOKEN, "base_url": api.url})
    ports = Ports(door, MediaFolder(tmp_path), public_url="https://shop.example", once=door.once)
    try:
        with capture_logs() as logs:
            async with Telegram("main", settings, ports) as telegram:
                await until(lambda: ("getWebhookInfo", {}) in api.calls)
                await until(lambda: not telegram._beside)
    finally:
        await api.stop()
    assert [one["event"] for one in logs if one["log_level"] == "error"] == ["telegram.webhook_not_set"] * told


async def test_typing_never_raises(rig: Rig) -> None:
    rig.api.next["sendChatAction"].extend([Behaviour(502), Behaviour(403, "Forbidden: bot was blocked by the user")])
    for person in (str(ANA), str(ANA), str(ANA), "ana"):
        await rig.telegram.typing(Identity("telegram:main", person))
    assert [method for method, _ in rig.api.calls].count("sendChatAction") == 3


async def test_neither_library_nor_we_log_a_word_of_an_answer(
    rig: Rig, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    rig.api.next["sendMessage"].append(Behaviour(body=b"words of a person"))
    await rig.send(Text("oi"))
    rig.api.next["answerCallbackQuery"].append(Behaviour(400, "Bad Request: words of a person"))
    await rig.telegram._courtesy(rig.telegram._bot.answer_callback_query("1"))
    told = caplog.text + capsys.readouterr().out
    assert "words of a person" not in told
    assert TOKEN.partition(":")[2] not in told
