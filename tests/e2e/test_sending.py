"""A message is sent until it is answered, once, in order; what the server refuses can be tried again by hand."""

from __future__ import annotations

import re
from collections.abc import Callable

from e2e.shop import Chat, Shop
from playwright.sync_api import Request, Route, expect

Visit = Callable[..., Shop]
Answer = Callable[[Route], None]
MESSAGES = re.compile(r"/v1/widget/messages$")


class Door:
    """Stands before POST /messages: the first calls get these answers, the others go through. Keeps every key."""

    def __init__(self, shop: Shop, *answers: Answer) -> None:
        self.keys: list[str] = []
        self._answers = list(answers)
        shop.page.route(MESSAGES, self._handle)

    def _handle(self, route: Route, request: Request) -> None:
        if request.method != "POST":
            route.continue_()
            return
        self.keys.append(request.headers["idempotency-key"])
        if self._answers:
            self._answers.pop(0)(route)
        else:
            route.continue_()


def answered(status: int, **headers: str) -> Answer:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda route: route.fulfill(status=status, headers=fields, json={"title": "planted", "status": status})


def accepted_but_the_answer_is_lost(route: Route) -> None:
    route.fetch()
    route.abort("connectionreset")


def arrived_once(shop: Shop, chat: Chat, text: str) -> None:
    chat.hears("domingo")
    expect(chat.own(text)).to_have_count(1)
    again = shop.enter().open_chat().hears("domingo")
    expect(again.own(text)).to_have_count(1)


QUESTION = "Vocês abrem no domingo?"


def test_a_lost_answer_is_asked_again_with_the_same_key_and_arrives_once(visit: Visit) -> None:
    shop = visit()
    door = Door(shop, accepted_but_the_answer_is_lost, accepted_but_the_answer_is_lost)
    chat = shop.enter().open_chat().say(QUESTION)
    arrived_once(shop, chat, QUESTION)
    assert len(door.keys) == 3
    assert len(set(door.keys)) == 1


def test_a_server_that_is_busy_gets_the_time_that_it_asks_for(visit: Visit) -> None:
    shop = visit()
    door = Door(shop, answered(503, retry_after="1"), answered(429, retry_after="1"))
    chat = shop.enter().open_chat().say(QUESTION)
    arrived_once(shop, chat, QUESTION)
    assert len(door.keys) == 3
    assert len(set(door.keys)) == 1


def test_an_ended_session_is_renewed_and_the_message_goes_on(visit: Visit) -> None:
    shop = visit()
    sessions: list[str] = []
    shop.page.on("request", lambda request: sessions.append(request.url) if "/session" in request.url else None)
    door = Door(shop, answered(401))
    chat = shop.enter().open_chat().say(QUESTION).hears("domingo")
    expect(chat.own(QUESTION)).to_have_count(1)
    assert len(set(door.keys)) == 1
    assert len(sessions) == 2


def test_a_refused_message_says_why_and_is_sent_again_by_hand(visit: Visit) -> None:
    shop = visit()
    door = Door(shop, answered(422))
    chat = shop.enter().open_chat().say(QUESTION)
    expect(chat.log).to_contain_text("Não enviada: não entendemos esta mensagem.")
    chat.button("Tentar de novo").click()
    arrived_once(shop, chat, QUESTION)
    assert len(set(door.keys)) == len(door.keys) == 2


def test_a_reload_while_the_server_is_busy_loses_nothing(visit: Visit) -> None:
    shop = visit()
    door = Door(shop, answered(503, retry_after="60"))
    chat = shop.enter().open_chat().say(QUESTION)
    expect(chat.log).to_contain_text("Na fila, será enviada")
    chat = shop.enter().open_chat()
    arrived_once(shop, chat, QUESTION)
    assert len(set(door.keys)) == 1


def test_messages_keep_their_order_though_the_first_one_is_late(visit: Visit) -> None:
    shop = visit()
    Door(shop, answered(503, retry_after="1"))
    chat = shop.enter().open_chat().say("primeira").say("segunda").say("terceira")
    expect(chat.frame.get_by_text("Na fila, será enviada")).to_have_count(0)
    assert chat.frame.locator(".out .bubble > p").all_inner_texts() == ["primeira", "segunda", "terceira"]
