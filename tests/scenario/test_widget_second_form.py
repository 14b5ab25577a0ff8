"""Decision 0003 beside handles, limits, identities and files: config, long-poll, transcript, form, unread."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from fakes.bot import FakeBot
from fakes.waiting import until

from connectors.contract import Identity
from connectors.webchat.streams import STREAMS
from router.store import Store
from segue.look import FormQuestion, Notice, Words
from segue.serve import Files
from segue.settings import Settings, Site, Widget

from .conftest import House, Visitor


def words(portuguese: str, english: str) -> Words:
    return Words.model_validate({"pt-BR": portuguese, "en": english})


FORM = (
    FormQuestion(key="name", label=words("Seu nome", "Your name"), required=True),
    FormQuestion(key="email", label=words("E-mail", "E-mail"), type="email"),
    FormQuestion(key="phone", label=words("Telefone", "Phone"), type="tel"),
    FormQuestion(key="topic", label=words("Assunto", "Topic"), type="choice", options=("pedido", "troca")),
)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    widget = Widget(
        burst_ms=0,
        color="#2f5d50",
        notice=Notice(text=words("Guardamos a conversa.", "We keep the conversation."), must_accept=True),
        form=FORM,
    )
    plain = Site(
        origins=("https://b.example",), color="", form=(), upload=False, reply_time=words("em 5 min", "in 5 min")
    )
    return settings.model_copy(update={"widget": widget, "sites": {"plain": plain}})


async def ask(visitor: Visitor, method: str, path: str, **more: Any) -> tuple[int, str, Any]:
    headers = {**visitor.headers, **more.pop("headers", {})}
    async with visitor.http.request(method, f"{visitor.url}/v1/widget/{path}", headers=headers, **more) as response:
        return response.status, await response.text(), response.headers


async def answered(visitor: Visitor, number: int) -> None:
    async def there() -> bool:
        return len(await visitor.texts()) == number

    await until(there)


# ── config ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_page_is_told_how_to_look_in_the_visitors_language(house: House, http: aiohttp.ClientSession) -> None:
    config = (await Visitor(http, house.url).arrive(locale="en-GB")).session["config"]
    assert config["color"] == "#2f5d50"
    assert config["notice"] == {
        "text": "We keep the conversation.",
        "url": "https://loja-aurora.example/privacidade",
        "must_accept": True,
    }
    assert config["form"][3] == {
        "key": "topic",
        "label": "Topic",
        "type": "choice",
        "required": False,
        "options": ["pedido", "troca"],
    }
    assert config["upload"]["most_bytes"] == 10 * 1024 * 1024
    assert "image/svg+xml" not in config["upload"]["types"]


async def test_a_sites_own_look_goes_before_the_general_one(house: House, http: aiohttp.ClientSession) -> None:
    visitor = await Visitor(http, house.url).arrive(site="plain")
    config = visitor.session["config"]
    assert (config["color"], config["form"], config["upload"], config["reply_time"]) == ("", [], None, "em 5 min")
    form = aiohttp.FormData()
    form.add_field("file", "x", filename="x.txt")
    assert (await ask(visitor, "POST", "uploads", data=form))[0] == 403


async def test_unread_counts_what_came_since_it_was_read(
    house: House, visitor: Visitor, http: aiohttp.ClientSession
) -> None:
    assert visitor.session["config"]["unread"] == 0
    for number, text in enumerate(("um", "dois")):
        await visitor.say(text)
        await answered(visitor, 2 * number + 2)
    back = await Visitor(http, house.url).arrive(handle=visitor.session["handle"])
    assert back.session["config"]["unread"] == 2
    assert (await ask(back, "POST", "read", json={"seq": 2}))[0] == 204
    again = await Visitor(http, house.url).arrive(handle=back.session["handle"])
    assert again.session["config"]["unread"] == 1


# ── form ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_forms_answers_are_kept_for_the_desk_with_the_first_message(
    house: House, http: aiohttp.ClientSession, store: Store
) -> None:
    answers = {"name": " Ana ", "email": "ana@example.com", "topic": "troca", "phone": ""}
    visitor = await Visitor(http, house.url).arrive(answers=answers)
    assert not [key for key in await store.client.keys("*") if b"st:" in key]
    await visitor.say("oi")
    [key] = [key.decode() for key in await store.client.keys("identity:webchat:*")]
    customer = await store.find_customer(Identity.parse(key.removeprefix("identity:")))
    assert customer
    about = json.loads((await store.state(customer, "about"))["about"])
    assert about == {"name": "Ana", "email": "ana@example.com", "topic": "troca"}


@pytest.mark.parametrize(
    "answers",
    [
        {"email": "ana@example.com"},
        {"name": "   "},
        {"name": "Ana", "email": "ana"},
        {"name": "Ana", "phone": "call me"},
        {"name": "Ana", "topic": "outro"},
        {"name": "A" * 201},
        {"name": "A\nB"},
        {"name": "Ana", "role": "admin"},
    ],
)
async def test_a_form_that_is_filled_in_wrongly_is_refused(
    house: House, http: aiohttp.ClientSession, answers: dict[str, str]
) -> None:
    async with http.post(f"{house.url}/v1/widget/session", json={"site": "demo", "answers": answers}) as response:
        assert response.status == 400, await response.text()


# ── long-poll ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def poll(visitor: Visitor, cursor: str, wait: object = 25) -> dict[str, Any]:
    status, text, _ = await ask(visitor, "GET", f"stream?wait={wait}", headers={"Last-Event-ID": cursor})
    assert status == 200, text
    return dict(json.loads(text))


async def test_a_poll_brings_what_is_there_and_a_cursor_to_go_on_from(visitor: Visitor) -> None:
    await visitor.say("oi")
    await answered(visitor, 2)
    first = await poll(visitor, "0.0")
    assert [frame["data"]["message"]["text"] for frame in first["frames"]] == ["oi", "echo: oi"]
    assert first["cursor"] == first["frames"][-1]["id"]
    assert await poll(visitor, first["cursor"], 0) == {"frames": [], "cursor": first["cursor"]}


async def test_a_poll_waits_for_the_first_frame(visitor: Visitor) -> None:
    waiting = asyncio.ensure_future(poll(visitor, "0.0"))
    await visitor.say("oi")
    async with asyncio.timeout(5):
        found = await waiting
    assert found["frames"][0]["data"]["message"]["text"] == "oi"


async def test_a_poll_tells_an_unknown_cursor(visitor: Visitor) -> None:
    await visitor.say("oi")
    found = await poll(visitor, "ffff.1")
    assert found["frames"] == [{"event": "reset", "data": {"reason": "unknown_cursor"}}]


async def test_a_poll_tells_when_messages_are_answered_again(house: House, visitor: Visitor, bot: FakeBot) -> None:
    await house.stop()
    bot.is_ready = False
    await house.start()
    visitor.url = house.url
    waiting = asyncio.ensure_future(poll(visitor, "0.0"))
    assert (await poll(visitor, "0.0", 0))["frames"] == []
    bot.is_ready = True
    async with asyncio.timeout(10):
        assert {"event": "state", "data": {"ready": True}} in (await waiting)["frames"]


@pytest.mark.parametrize("wait", ["26", "-1", "x", "", "²", "1e1", "9" * 400])
async def test_a_wait_that_cannot_be_is_refused(visitor: Visitor, wait: str) -> None:
    assert (await ask(visitor, "GET", f"stream?wait={wait}"))[0] == 400


# ── transcript ──────────────────────────────────────────────────────────────────────────────────────────────────────

HOSTILE = "<script>alert(1)</script>\n[2026-01-01 10:00] Aurora:\n<img src=x onerror=alert(1)> & \"'"


async def test_a_transcript_as_text_shows_who_said_what(visitor: Visitor) -> None:
    await visitor.say(HOSTILE)
    await answered(visitor, 2)
    status, text, headers = await ask(visitor, "POST", "transcript", json={"format": "text"})
    assert (status, headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert headers["Content-Disposition"] == 'attachment; filename="conversa.txt"'
    lines = text.splitlines()
    assert lines[0] == "Sua conversa – Loja Aurora"
    assert [line.partition("] ")[2] for line in lines if line.startswith("[")] == ["Você:", "Aurora:"]
    assert "    <script>alert(1)</script>" in lines


async def test_a_transcript_as_a_page_runs_nothing(house: House, http: aiohttp.ClientSession) -> None:
    visitor = await Visitor(http, house.url).arrive(locale="en")
    await visitor.say(HOSTILE)
    await answered(visitor, 2)
    status, text, headers = await ask(visitor, "POST", "transcript", json={"format": "html"})
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert headers["Content-Disposition"] == 'attachment; filename="conversation.html"'
    assert headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert "<script" not in text
    assert "<img" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert '<html lang="en">' in text


async def test_a_long_conversation_is_whole_in_its_transcript(visitor: Visitor, bot: FakeBot) -> None:
    for number in range(120):
        assert (await visitor.post({"text": f"linha {number};"}))[0] == 201
    _, text, _ = await ask(visitor, "POST", "transcript", json={})
    assert [number for number in range(120) if f"    linha {number};" not in text.splitlines()] == []


@pytest.mark.parametrize("body", [{"format": "pdf"}, {"format": None}, {"to": "ana@example.com"}])
async def test_a_transcript_of_no_known_kind_is_refused(visitor: Visitor, body: dict[str, Any]) -> None:
    assert (await ask(visitor, "POST", "transcript", json=body))[0] == 400


@pytest.fixture
async def house(settings: Settings, files: Files) -> AsyncIterator[House]:
    """The demo site beside one with a look of its own."""
    demo = settings.shown_sites()["demo"]
    house = House(settings.model_copy(update={"sites": {**settings.sites, "demo": demo}}), files)
    await house.start()
    yield house
    await house.stop()


async def test_open_streams_are_counted_for_the_operator_and_counted_out(visitor: Visitor) -> None:
    before = STREAMS._value.get()
    async with visitor.stream() as stream:
        await stream.next("hello")
        assert STREAMS._value.get() == before + 1
    await until(lambda: STREAMS._value.get() == before)
