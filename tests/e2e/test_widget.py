"""What a customer does in the chat, in a real browser, with the real assistant."""

from __future__ import annotations

import re
from collections.abc import Callable

from e2e.shop import ANSWERS_WITHIN, Chat, Shop
from playwright.sync_api import expect

Visit = Callable[..., Shop]
ON_ITS_WAY = "Rápido Sul"


def test_a_customer_asks_for_an_order_in_portuguese(visit: Visit) -> None:
    chat = visit().enter().open_chat()
    chat.hears("assistente")
    chat.say("Onde está o meu pedido?").hears("número do pedido")
    chat.say("1001").hears("e-mail ou o CPF")
    chat.say("ana@exemplo.com.br").hears(ON_ITS_WAY)


def test_a_customer_asks_for_an_order_in_english(visit: Visit) -> None:
    chat = visit(locale="en-US").enter().open_chat()
    chat.hears("assistant")
    chat.say("Where is my order?").hears("order number")
    chat.say("1001").hears("e-mail or the CPF")
    chat.say("ana@exemplo.com.br").hears(re.compile(f"on its way with {ON_ITS_WAY}"))


def test_a_reload_keeps_what_was_said_and_the_pending_question(visit: Visit) -> None:
    shop = visit().enter()
    chat = shop.open_chat().say("Onde está o meu pedido?").hears("número do pedido")
    said = chat.heard.count()

    chat = shop.enter().open_chat()
    expect(chat.own("Onde está o meu pedido?")).to_have_count(1)
    expect(chat.heard).to_have_count(said)
    chat.say("1001").hears("e-mail ou o CPF")


def test_a_button_is_used_once_and_says_its_title(visit: Visit) -> None:
    chat = visit().enter().open_chat()
    chat.say("Oi")
    chat.button("Meu pedido").click(timeout=ANSWERS_WITHIN)
    expect(chat.own("Meu pedido")).to_have_count(1)
    chat.hears("número do pedido")
    expect(chat.button("Meu pedido")).to_have_count(0)
    expect(chat.composer).to_be_focused()


def test_two_customers_do_not_hear_each_other(visit: Visit) -> None:
    ana, bruno = visit().enter().open_chat(), visit().enter().open_chat()
    ana.say("Onde está o meu pedido?").hears("número do pedido")
    bruno.say("Vocês abrem no domingo?").hears("domingo")
    expect(ana.log).not_to_contain_text("domingo")
    expect(bruno.log).not_to_contain_text("número do pedido")


def test_two_tabs_show_the_same_conversation(visit: Visit) -> None:
    shop = visit().enter()
    chat = shop.open_chat().say("Onde está o meu pedido?").hears("número do pedido")
    other = Shop(shop.page.context.new_page(), shop.url).enter().open_chat().hears("número do pedido")
    chat.say("1001").hears("e-mail ou o CPF")
    other.hears("e-mail ou o CPF")
    expect(other.own("1001")).to_have_count(1)


def test_a_page_of_another_site_keeps_the_conversation_though_the_frame_may_store_nothing(visit: Visit) -> None:
    """A page of localhost with a frame of 127.0.0.1: for the browser two sites, so it refuses the frame any storage."""
    shop = visit(host="localhost", bypass_csp=True)
    ours = shop.url.replace("localhost", "127.0.0.1")
    shop.page.route(f"{shop.url}/widget/loader.js", lambda route: route.abort())

    def enter() -> Chat:
        shop.enter().page.evaluate(
            """ours => {
                const script = document.createElement("script");
                script.dataset.site = "demo";
                script.src = ours + "/widget/loader.js";
                document.head.append(script);
            }""",
            ours,
        )
        return shop.open_chat()

    chat = enter().say("Onde está o meu pedido?").hears("número do pedido")
    assert chat.frame.url.startswith(ours)
    assert chat.frame.evaluate("() => { try { return typeof localStorage } catch { return 'refused' } }") == "refused"

    chat = enter()
    expect(chat.own("Onde está o meu pedido?")).to_have_count(1)
    chat.say("1001").hears("e-mail ou o CPF")


def test_the_chat_opens_and_closes_by_keyboard_alone(visit: Visit) -> None:
    shop = visit().enter()
    shop.page.locator("segue-chat").wait_for(state="attached")
    shop.page.get_by_role("button", name="Quero falar com uma pessoa").focus()
    shop.page.keyboard.press("Tab")
    shop.page.keyboard.press("Enter")
    chat = shop.chat()
    expect(chat.composer).to_be_focused()
    shop.page.keyboard.type("Oi")
    shop.page.keyboard.press("Shift+Enter")
    shop.page.keyboard.type("tudo bem?")
    expect(chat.composer).to_have_value("Oi\ntudo bem?")
    shop.page.keyboard.press("Enter")
    expect(chat.own("tudo bem?")).to_be_visible()
    shop.page.keyboard.press("Escape")
    expect(chat.composer).not_to_be_focused()
    assert shop.page.evaluate("document.activeElement.localName") == "segue-chat"


def test_a_sentence_to_try_is_put_into_the_composer_and_not_sent(visit: Visit) -> None:
    shop = visit().enter()
    shop.page.locator("segue-chat").wait_for(state="attached")
    shop.page.get_by_role("button", name="Vocês abrem no domingo?").click()
    chat = shop.chat()
    expect(chat.composer).to_have_value("Vocês abrem no domingo?")
    expect(chat.own("domingo")).to_have_count(0)


def test_the_shop_and_the_chat_follow_the_switch_of_language(visit: Visit) -> None:
    shop = visit(locale="pt-BR").enter("/?lang=en")
    expect(shop.page.get_by_role("heading", name="Everyday clothes, made to last.")).to_be_visible()
    expect(shop.page.get_by_role("heading", name="Roupas")).to_have_count(0)
    expect(shop.open_chat().button("Send")).to_be_visible()


def test_an_attack_in_a_message_stays_text(visit: Visit) -> None:
    chat = visit().enter().open_chat()
    chat.say("<img src=x onerror=alert(1)> [x](javascript:alert(1))")
    expect(chat.own("<img src=x onerror=alert(1)>")).to_be_visible()
    expect(chat.log.locator("img")).to_have_count(0)
    expect(chat.log.locator("a[href^=javascript]")).to_have_count(0)
