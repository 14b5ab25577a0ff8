"""What the stream tells is shown completely, in order and once, also when it skips, starts anew or says goodbye."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from e2e.shop import Chat, Shop
from playwright.sync_api import Route, expect

Visit = Callable[..., Shop]


def frame(event: str, data: dict[str, Any], cursor: str = "") -> str:
    named = f"id: {cursor}\n" if cursor else ""
    return f"event: {event}\n{named}data: {json.dumps(data)}\n\n"


def pours(*frames: str) -> Callable[[Route], None]:
    body = frame("hello", {"cursor": "", "heartbeat_ms": 15000, "ready": True}) + "".join(frames)
    return lambda route: route.fulfill(body=body, content_type="text/event-stream")


def once(shop: Shop, path: str, handle: Callable[[Route], None]) -> None:
    shop.page.route(f"**/v1/widget/{path}", handle, times=1)


def texts(chat: Chat) -> list[str]:
    return chat.frame.locator("li .bubble > p").all_inner_texts()


@pytest.fixture
def talked(visit: Visit) -> tuple[Shop, Chat]:
    """A conversation of four messages."""
    shop = visit().enter()
    chat = shop.open_chat().say("Onde está o meu pedido?").hears("número do pedido")
    return shop, chat.say("1001").hears("e-mail ou o CPF")


def test_a_gap_is_filled_before_anything_later_is_shown(talked: tuple[Shop, Chat]) -> None:
    shop, chat = talked
    said = texts(chat)
    assert len(said) == 4

    # The page comes again and knows the first message only, and its stream begins with the last one.
    tab = shop
    history: list[dict[str, Any]] = []
    journal: list[str] = []

    def first_message_only(route: Route) -> None:
        history.extend(route.fetch().json()["messages"])
        route.fulfill(json={"messages": history[:1], "more": False})

    def session_of_that_time(route: Route) -> None:
        session = route.fetch().json()
        journal.append(session["cursor"].split(".")[0])
        route.fulfill(json={**session, "cursor": f"{journal[0]}.1"})

    def last_message_only(route: Route) -> None:
        last = history[-1]
        before = history[-2]["seq"]
        pours(frame("message.created", {"prev": before, "message": last}, f"{journal[0]}.{last['seq']}"))(route)

    once(tab, "session", session_of_that_time)
    once(tab, "messages?limit=*", first_message_only)
    once(tab, "stream", last_message_only)
    again = tab.enter().open_chat()
    expect(again.frame.locator("li .bubble")).to_have_count(4)
    assert texts(again) == said


def test_a_reset_loads_the_conversation_again_and_it_goes_on(talked: tuple[Shop, Chat]) -> None:
    shop, chat = talked
    said = texts(chat)
    once(shop, "stream", pours(frame("reset", {"reason": "unknown_cursor"})))
    with shop.page.expect_request("**/v1/widget/stream"):
        chat = shop.enter().open_chat()
    expect(chat.frame.locator("li .bubble")).to_have_count(4)
    assert texts(chat) == said
    chat.say("ana@exemplo.com.br").hears("Rápido Sul")


def test_a_frame_that_comes_twice_is_shown_once(talked: tuple[Shop, Chat]) -> None:
    shop, chat = talked
    said = texts(chat)
    history: list[dict[str, Any]] = []

    def remember(route: Route) -> None:
        response = route.fetch()
        history.extend(response.json()["messages"])
        route.fulfill(response=response)

    def repeat(route: Route) -> None:
        journal = route.request.headers["last-event-id"].split(".")[0]
        frames = [frame("message.created", {"prev": 0, "message": it}, f"{journal}.{it['seq']}") for it in history]
        pours(*frames, *frames)(route)

    once(shop, "messages?limit=*", remember)
    once(shop, "stream", repeat)
    chat = shop.enter().open_chat()
    chat.say("ana@exemplo.com.br").hears("Rápido Sul")
    assert texts(chat)[:4] == said
    expect(chat.frame.locator("li .bubble")).to_have_count(6)


def test_after_a_goodbye_the_answer_to_a_message_does_not_wait_for_the_named_time(visit: Visit) -> None:
    shop = visit()
    once(shop, "stream", pours(frame("bye", {"retry_ms": 600_000})))
    chat = shop.enter().open_chat()
    expect(chat.frame.get_by_role("status").filter(has_text="Sem conexão")).to_be_visible()
    chat.say("Vocês abrem no domingo?").hears("domingo")
    expect(chat.frame.get_by_text("Sem conexão")).to_have_count(0)


def test_an_answer_to_a_closed_chat_is_counted_on_the_launcher(visit: Visit) -> None:
    shop = visit().enter()
    chat = shop.open_chat().hears("assistente")
    chat.say("Vocês abrem no domingo?")
    chat.composer.press("Escape")
    expect(chat.heard).to_have_count(2)
    assert shop.launcher_name() == "Abrir conversa, 1 mensagem não lida"
    shop.open_chat()
    expect(chat.composer).to_be_focused()
    assert shop.launcher_name() == "Fechar conversa"
