"""Nothing that a customer wrote is lost or doubled when the system goes away and comes back."""

from __future__ import annotations

from collections.abc import Callable

from e2e.conftest import System
from e2e.shop import RETURNS_WITHIN, Shop
from playwright.sync_api import expect

Visit = Callable[..., Shop]


def test_a_conversation_goes_on_in_the_middle_of_the_form_after_a_full_restart(visit: Visit, system: System) -> None:
    shop = visit().enter()
    chat = shop.open_chat()
    chat.say("Onde está o meu pedido?").hears("número do pedido")
    chat.say("1001").hears("e-mail ou o CPF")

    system.stop()
    system.start()

    # The page that stayed open …
    chat.say("ana@exemplo.com.br").hears("Rápido Sul", within=RETURNS_WITHIN)
    # … and the same browser coming back later.
    chat = shop.enter().open_chat().hears("Rápido Sul")
    for text in ("Onde está o meu pedido?", "1001", "ana@exemplo.com.br"):
        expect(chat.own(text)).to_have_count(1)


def test_what_is_written_while_the_system_is_down_arrives_once_and_in_order(visit: Visit, system: System) -> None:
    shop = visit().enter()
    chat = shop.open_chat()
    chat.say("Onde está o meu pedido?").hears("número do pedido")

    system.stop()
    chat.say("1001").say("ana@exemplo.com.br")
    expect(chat.frame.get_by_role("status").filter(has_text="Sem conexão")).to_be_visible()
    expect(chat.frame.get_by_text("Na fila, será enviada")).to_have_count(2)
    system.start()

    chat.hears("Rápido Sul", within=RETURNS_WITHIN)
    chat = shop.enter().open_chat().hears("Rápido Sul")
    assert chat.frame.locator(".out .bubble > p").all_inner_texts() == [
        "Onde está o meu pedido?",
        "1001",
        "ana@exemplo.com.br",
    ]


def test_a_visitor_who_arrives_before_the_assistant_is_told_so_and_answered_later(visit: Visit, system: System) -> None:
    shop = visit()
    system.stop()
    system.launch()
    system.until("/healthz")
    shop.enter()
    chat = shop.open_chat().say("Vocês abrem no domingo?")
    system.until("/readyz")
    chat.hears("domingo", within=RETURNS_WITHIN)
    expect(chat.own("Vocês abrem no domingo?")).to_have_count(1)
