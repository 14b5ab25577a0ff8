"""The customer carries the conversation from the widget elsewhere and back, each step against a stand-in."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from e2e.onward import IDENTITIES, LINKS, TOKEN
from e2e.shop import Chat, Shop
from e2e.stage import JOURNAL, Stage
from playwright.sync_api import expect

Browse = Callable[..., Shop]
PHONE = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}
OFFER = {"type": "continue", "text": "Posso continuar em outro canal.", "accounts": ["telegram:main", "slack:main"]}


@pytest.fixture(autouse=True)
def _links(stage: Stage) -> None:
    stage.config = {"links": LINKS}


def elsewhere(chat: Chat) -> Chat:
    chat.button("Mais opções").click()
    chat.button("Continuar em outro canal").click()
    expect(chat.frame.get_by_role("dialog", name="Continuar em outro canal")).to_be_visible()
    return chat


def order(chat: Chat, *selectors: str) -> list[str]:
    """The selectors in the order in which they stand on the screen."""
    boxes = [(chat.frame.locator(selector).bounding_box(), selector) for selector in selectors]
    return [selector for box, selector in sorted((box["y"], selector) for box, selector in boxes if box)]


def test_where_nothing_is_offered_the_menu_says_nothing_of_it(browse: Browse, stage: Stage) -> None:
    stage.config = {"links": []}
    chat = browse().open_chat()
    chat.button("Mais opções").click()
    expect(chat.button("Baixar como texto")).to_be_visible()
    expect(chat.button("Continuar em outro canal")).to_have_count(0)


def test_a_channel_shows_picture_link_code_time_and_warning(browse: Browse, stage: Stage) -> None:
    chat = elsewhere(browse().open_chat())
    chat.button("Telegram").click()
    dialog = chat.frame.get_by_role("dialog", name="Telegram")
    expect(dialog.get_by_role("heading", name="Telegram")).to_be_focused()
    link = dialog.get_by_role("link", name="Abrir Telegram (abre em nova aba)")
    expect(link).to_have_attribute("href", f"https://t.me/segue_bot?start={TOKEN}")
    expect(link).to_have_attribute("rel", "noopener noreferrer")
    picture = dialog.get_by_role("img", name="Código QR para Telegram")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.complete && image.naturalWidth > 0")
    expect(dialog.locator(".code [aria-hidden]")).to_have_text("ABCD-2345")
    expect(dialog.locator(".code .sr")).to_have_text("A B C D - 2 3 4 5")
    expect(dialog.get_by_role("timer")).to_have_text(re.compile(r"^Vale por (9:\d\d|10:00)$"))
    expect(dialog).to_contain_text("Ninguém da loja vai pedir que você o diga ou encaminhe.")
    assert stage.onward.invited == ["telegram:main"]
    assert order(chat, ".qr", "a.second", ".code") == [".qr", "a.second", ".code"]


def test_on_a_phone_the_link_comes_first_and_the_picture_last(browse: Browse, stage: Stage) -> None:
    chat = elsewhere(browse(**PHONE).open_chat())
    chat.button("Telegram").click()
    expect(chat.frame.locator(".qr")).to_be_visible()
    assert order(chat, ".qr", "a.main", ".code") == ["a.main", ".code", ".qr"]


def test_a_channel_without_an_address_shows_the_code_alone(browse: Browse, stage: Stage) -> None:
    chat = elsewhere(browse().open_chat())
    chat.button("Slack").click()
    expect(chat.frame.get_by_text("Mande este código à loja, no Slack:")).to_be_visible()
    expect(chat.frame.get_by_role("dialog").get_by_role("link")).to_have_count(0)


def test_the_code_is_copied_and_that_is_said(browse: Browse, stage: Stage) -> None:
    shop = browse(permissions=["clipboard-read", "clipboard-write"])
    chat = elsewhere(shop.open_chat())
    chat.button("Slack").click()
    chat.button("Copiar código").click()
    expect(chat.button("Código copiado")).to_be_visible()
    expect(chat.frame.get_by_role("dialog").get_by_role("status")).to_have_text("Código copiado")
    assert chat.frame.evaluate("navigator.clipboard.readText()") == "ABCD-2345"


def test_a_code_runs_out_and_a_new_one_is_made(browse: Browse, stage: Stage) -> None:
    stage.onward.life = 3
    chat = elsewhere(browse().open_chat())
    chat.button("Telegram").click()
    chat.button("Copiar código").focus()
    expect(chat.frame.get_by_role("dialog").get_by_role("status")).to_have_text("Este código venceu.")
    expect(chat.frame.locator(".qr, .code, .page a")).to_have_count(0)
    expect(chat.frame.get_by_role("heading", name="Telegram")).to_be_focused()
    stage.onward.life = 600
    chat.button("Novo código").click()
    expect(chat.frame.locator(".code [aria-hidden]")).to_have_text("ABCD-2346")
    expect(chat.frame.get_by_role("dialog").get_by_role("status")).to_have_text("O novo código está pronto.")


def test_time_is_counted_by_the_servers_clock(browse: Browse, stage: Stage) -> None:
    shop = browse()
    shop.page.add_init_script("const real = Date.now; Date.now = () => real() + 3600e3;")
    chat = elsewhere(shop.enter("/shop").open_chat())
    chat.button("Telegram").click()
    expect(chat.frame.get_by_role("timer")).to_have_text(re.compile(r"^Vale por (9:\d\d|10:00)$"))


@pytest.mark.parametrize(
    ("status", "sentence"),
    [(429, "Foram muitos pedidos."), (404, "Isto não está disponível agora."), (500, "Não foi possível agora.")],
)
def test_a_code_that_cannot_be_made_says_why_and_can_be_tried_again(
    browse: Browse, stage: Stage, status: int, sentence: str
) -> None:
    chat = elsewhere(browse().open_chat())
    stage.onward.status = status
    chat.button("Telegram").click()
    expect(chat.frame.get_by_role("alert")).to_contain_text(sentence)
    stage.onward.status = 200
    chat.button("Tentar de novo").click()
    expect(chat.frame.locator(".code")).to_be_visible()


@pytest.mark.parametrize("kind", ["bot", "system"])
def test_the_offer_in_the_conversation_leads_to_the_channel_and_back(browse: Browse, stage: Stage, kind: str) -> None:
    chat = browse().open_chat()
    expect(chat.composer).to_be_focused()
    stage.says(OFFER, kind=kind)
    button = chat.button("Continuar no Telegram")
    expect(chat.button("Continuar no Slack")).to_be_visible()
    button.focus()
    chat.page.keyboard.press("Enter")
    expect(chat.frame.locator(".code")).to_be_visible()
    chat.page.keyboard.press("Escape")
    expect(chat.frame.get_by_role("dialog")).to_have_count(0)
    expect(button).to_be_focused()
    expect(chat.composer).to_be_visible()
    assert stage.sent == []


def test_once_the_customer_has_gone_on_elsewhere_the_code_makes_way_for_the_conversation(
    browse: Browse, stage: Stage
) -> None:
    chat = elsewhere(browse().open_chat())
    chat.button("Telegram").click()
    expect(chat.frame.locator(".code")).to_be_visible()
    stage.says("Só um lembrete.")
    expect(chat.log.get_by_text("Só um lembrete.")).to_be_attached()
    expect(chat.frame.locator(".code")).to_be_visible()
    stage.says("A conversa continua no Telegram.", kind="system")
    expect(chat.frame.get_by_role("dialog")).to_have_count(0)
    expect(chat.frame.locator(".system")).to_have_text("A conversa continua no Telegram.")
    stage.says("1001", kind="customer", channel="telegram")
    expect(chat.frame.locator(".out .meta")).to_contain_text("Telegram")
    # A notice that was said elsewhere is shown with its place.
    stage.says("A conversa continua no site.", kind="system", channel="telegram")
    expect(chat.frame.locator(".system").last).to_have_text("A conversa continua no site.Telegram")


def test_all_of_it_needs_the_keyboard_alone(browse: Browse, stage: Stage) -> None:
    stage.onward.identities = IDENTITIES
    chat = browse().open_chat()
    expect(chat.composer).to_be_focused()
    keys = chat.page.keyboard
    chat.knows_elsewhere().button("Mais opções").focus()
    keys.press("Enter")
    expect(chat.button("Continuar em outro canal")).to_be_focused()
    keys.press("Enter")
    expect(chat.frame.get_by_role("heading", name="Continuar em outro canal")).to_be_focused()
    expect(chat.frame.get_by_role("radio", name="Telegram")).to_be_visible()
    for _ in range(2):
        keys.press("Tab")
    expect(chat.button("Telegram")).to_be_focused()
    keys.press("Enter")
    expect(chat.frame.get_by_role("heading", name="Telegram")).to_be_focused()
    keys.press("Shift+Tab")
    expect(chat.button("Voltar")).to_be_focused()
    keys.press("Enter")
    expect(chat.frame.get_by_role("heading", name="Continuar em outro canal")).to_be_focused()
    keys.press("Escape")
    expect(chat.frame.get_by_role("dialog")).to_have_count(0)
    expect(chat.button("Mais opções")).to_be_focused()
    expect(chat.composer).to_be_visible()


def test_channels_are_listed_disconnected_and_asked_about_first(browse: Browse, stage: Stage) -> None:
    stage.onward.identities = [*IDENTITIES[1:], IDENTITIES[0]]
    chat = elsewhere(browse().open_chat())
    known = chat.frame.locator(".known li")
    expect(known).to_have_count(3)
    expect(known.nth(0)).to_contain_text("Este navegador")
    expect(known.nth(0).get_by_role("button")).to_have_count(0)
    chat.button("Desconectar Telegram").click()
    expect(known.nth(1)).to_contain_text("O que você escrever no Telegram será outra conversa.")
    expect(chat.button("Manter")).to_be_focused()
    chat.button("Manter").click()
    expect(chat.button("Desconectar Telegram")).to_be_focused()
    assert "identities/unlink" not in stage.calls
    chat.button("Desconectar Telegram").click()
    chat.button("Desconectar").click()
    expect(known).to_have_count(2)
    expect(chat.frame.locator(".news")).to_have_text("Desconectado.")
    stage.eventually(lambda: [one["id"] for one in stage.onward.identities] == ["v", "w"])
    expect(chat.frame.get_by_role("heading", name="Continuar em outro canal")).to_be_focused()


def test_a_channel_that_could_not_be_disconnected_stays_in_the_list(browse: Browse, stage: Stage) -> None:
    stage.onward.identities = IDENTITIES
    chat = elsewhere(browse().open_chat())
    chat.button("Desconectar Telegram").click()
    stage.onward.status = 503
    chat.button("Desconectar").click()
    expect(chat.frame.get_by_role("alert")).to_contain_text("Não foi possível agora.")
    expect(chat.frame.locator(".known li")).to_have_count(3)


def test_where_replies_go_is_chosen_and_a_refused_choice_goes_back(browse: Browse, stage: Stage) -> None:
    stage.onward.identities = IDENTITIES
    chat = elsewhere(browse().open_chat())
    group = chat.frame.get_by_role("group", name="Onde você recebe as respostas")
    expect(group.get_by_role("radio", name="Onde escrevi por último")).to_be_checked()
    group.get_by_role("radio", name="Telegram").click()
    expect(chat.frame.locator(".news")).to_have_text("Salvo.")
    assert [one["id"] for one in stage.onward.identities if one["chosen"]] == ["t"]
    stage.onward.status = 503
    group.get_by_role("radio", name="Outro navegador").click()
    expect(chat.frame.get_by_role("alert")).to_be_visible()
    expect(group.get_by_role("radio", name="Telegram")).to_be_checked()
    stage.onward.status = 200
    group.get_by_role("radio", name="Onde escrevi por último").click()
    expect(chat.frame.locator(".news")).to_have_text("Salvo.")
    assert not [one for one in stage.onward.identities if one["chosen"]]


def test_one_channel_alone_is_no_list(browse: Browse, stage: Stage) -> None:
    stage.onward.identities = IDENTITIES[:1]
    chat = elsewhere(browse().open_chat())
    stage.eventually(lambda: "identities" in stage.calls)
    expect(chat.button("Tenho um código")).to_be_visible()
    expect(chat.frame.get_by_role("radio")).to_have_count(0)


def test_a_code_of_another_channel_is_typed(browse: Browse, stage: Stage) -> None:
    chat = elsewhere(browse().open_chat())
    chat.button("Tenho um código").click()
    box = chat.frame.get_by_label("Código de oito letras e números")
    box.fill("ABCD-23")
    box.press("Enter")
    expect(box).to_be_focused()
    expect(chat.frame.get_by_role("alert")).to_contain_text("ABCD-2345")
    assert stage.onward.redeemed == []
    stage.onward.status = 422
    box.fill("abcd 0000")
    box.press("Enter")
    expect(chat.button("Continuar aqui")).to_be_enabled()
    expect(box).to_have_attribute("aria-invalid", "true")
    stage.onward.status = 200
    box.fill("abcd 2345")
    box.press("Enter")
    expect(chat.frame.get_by_role("dialog")).to_have_count(0)
    [(_, body)] = stage.onward.redeemed
    assert body == {"code": "abcd 2345"}


# ── magic links ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_magic_link_opens_the_chat_leaves_the_address_and_waits_for_a_yes(browse: Browse, stage: Stage) -> None:
    shop = browse().enter(f"/shop?from=x#segue={TOKEN}")
    chat = shop.chat()
    expect(chat.frame.get_by_role("heading", name="Continuar sua conversa aqui?")).to_be_focused()
    assert shop.page.url == f"{stage.url}/shop?from=x"
    assert stage.onward.redeemed == []
    assert not [session for session in stage.sessions if TOKEN in str(session)]
    chat.button("Continuar aqui").click()
    expect(chat.frame.get_by_role("dialog")).to_have_count(0)
    [(_, body)] = stage.onward.redeemed
    assert body == {"token": TOKEN}
    # It is gone with the page: a reload asks nothing.
    again = shop.enter("/shop?from=x").open_chat()
    expect(again.composer).to_be_focused()
    expect(again.frame.get_by_role("dialog")).to_have_count(0)


def test_a_magic_link_that_nobody_says_yes_to_does_nothing(browse: Browse, stage: Stage) -> None:
    chat = browse().enter(f"/shop#segue={TOKEN}").chat()
    chat.button("Agora não").click()
    expect(chat.composer).to_be_focused()
    chat.say("Oi")
    assert stage.onward.redeemed == []
    assert "links/redeem" not in stage.calls


def test_a_yes_that_did_not_arrive_is_said_again_with_the_same_key(browse: Browse, stage: Stage) -> None:
    shop = browse().enter(f"/shop#segue={TOKEN}")
    chat = shop.chat()
    keys: list[str] = []
    shop.page.on(
        "request",
        lambda request: keys.append(request.headers["idempotency-key"]) if "redeem" in request.url else None,
    )
    stage.onward.status = 503
    chat.button("Continuar aqui").click()
    expect(chat.frame.get_by_role("alert")).to_contain_text("Não foi possível agora.")
    stage.onward.status = 200
    chat.button("Continuar aqui").click()
    expect(chat.frame.get_by_role("dialog")).to_have_count(0)
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_a_magic_link_waits_until_the_notice_is_accepted(browse: Browse, stage: Stage) -> None:
    stage.config = {"links": LINKS, "notice": {"text": "Guardamos a conversa.", "url": "", "must_accept": True}}
    chat = browse().enter(f"/shop#segue={TOKEN}").chat()
    chat.button("Aceitar e começar").click()
    expect(chat.frame.get_by_role("dialog", name="Continuar sua conversa aqui?")).to_be_visible()


@pytest.mark.parametrize("fragment", ["novidades", "segue=", "xsegue=abc"])
def test_any_other_fragment_is_the_shops_own(browse: Browse, stage: Stage, fragment: str) -> None:
    shop = browse().enter(f"/shop#{fragment}")
    shop.page.wait_for_function("window.Segue")
    assert shop.page.url.partition("#")[2].replace("%20", " ") == fragment
    assert len(shop.page.frames) == 1


def test_signing_out_elsewhere_closes_what_shows_a_code(browse: Browse, stage: Stage) -> None:
    shop = browse()
    chat = elsewhere(shop.open_chat())
    chat.button("Telegram").click()
    expect(chat.frame.locator(".code")).to_be_visible()
    other = Shop(shop.page.context.new_page(), shop.url).enter("/shop")
    other.page.wait_for_function("window.Segue")
    other.open_chat()
    other.page.evaluate("Segue.signout()")
    expect(chat.frame.get_by_role("dialog")).to_have_count(0)


def test_a_conversation_of_two_journals_goes_on_in_the_live_one(browse: Browse, stage: Stage) -> None:
    shop = browse()
    shop.open_chat().say("Oi")
    stage.joins("um", "dois", "três")
    chat = shop.enter("/shop").open_chat()
    chat.hears("três")
    stage.eventually(lambda: stage.cursors[-1].endswith(".1"))
    assert stage.cursors[-1].startswith(JOURNAL)
    stage.until_watched()
    stage.says("resposta")
    chat.hears("resposta")
    expect(chat.frame.locator("li.row")).to_have_count(5)
    # Only what is of the live journal is counted as read there, and changed by it.
    stage.eventually(lambda: stage.reads == [2])
    stage.delivers(2, "failed")
    expect(chat.heard.last.locator("xpath=..")).to_contain_text("Não enviada.")
    expect(chat.frame.get_by_text("Não enviada.")).to_have_count(1)


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_nothing_is_cut_off_on_the_narrowest_phone(browse: Browse, stage: Stage, direction: str) -> None:
    stage.onward.identities = IDENTITIES
    chat = elsewhere(browse(**{**PHONE, "viewport": {"width": 320, "height": 640}}).open_chat())
    chat.frame.evaluate("direction => { document.documentElement.dir = direction }", direction)
    chat.button("Desconectar Telegram").click()
    assert wider(chat) == []
    chat.button("Slack").click()
    expect(chat.frame.locator(".code")).to_be_visible()
    assert wider(chat) == []


def wider(chat: Chat) -> list[str]:
    """What stands beyond the edges of the frame, or is cut off by what holds it."""
    found: list[str] = chat.frame.evaluate(
        """() => [...document.querySelectorAll(".over *:not(.sr)")].filter((element) => {
            const box = element.getBoundingClientRect();
            const cut = element.matches("ul") && element.scrollHeight > element.clientHeight + 1;
            return cut || box.left < 0 || box.right > innerWidth;
        }).map((element) => element.outerHTML.slice(0, 80))"""
    )
    return found
