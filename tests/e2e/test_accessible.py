"""axe finds nothing, in any state of the chat, light and dark; and keyboard and ears are enough."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Literal

import pytest
from e2e.onward import IDENTITIES, LINKS
from e2e.parts import CAROUSEL, EVERYTHING, FORM, LIST, REPLIES, SURVEY, UPLOAD
from e2e.shop import Chat, Shop
from e2e.stage import Stage
from playwright.sync_api import FilePayload, Frame, expect

from tools.npm_package import NotAvailable, tool

Browse = Callable[..., Shop]
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="session")
def axe() -> str:
    try:
        return tool("axe-core").read_text("utf-8")
    except NotAvailable as missing:
        sentence = f"accessibility was not checked. {missing}"
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)


def findings(axe: str, frame: Frame, without: str = ".none") -> list[str]:
    """What axe holds to be wrong, and each contrast that it could not judge."""
    frame.evaluate(axe)
    found: dict[str, Any] = frame.evaluate(
        "([tags, without]) => axe.run({exclude: without}, {runOnly: tags})", [TAGS, without]
    )
    unsure = [rule for rule in found["incomplete"] if rule["id"] == "color-contrast"]
    return [f"{rule['id']}: {node['html'][:200]}" for rule in found["violations"] + unsure for node in rule["nodes"]]


def _nothing_said(stage: Stage, chat: Chat) -> None:
    expect(chat.heard).to_have_count(1)


def _every_content(stage: Stage, chat: Chat) -> None:
    for content in EVERYTHING:
        stage.says(content)
    expect(chat.log).to_contain_text("Foto do vestido azul")


def _own_words_and_replies(stage: Stage, chat: Chat) -> None:
    chat.say("Oi")
    stage.says("Oi, aqui é o Bruno.", kind="agent", name="Bruno")
    stage.says(REPLIES)
    expect(chat.button("Entrega")).to_be_visible()


def _list(stage: Stage, chat: Chat) -> None:
    stage.says(LIST)
    expect(chat.frame.get_by_role("button", name="Pedido 1001")).to_be_visible()


def _cards_and_survey(stage: Stage, chat: Chat) -> None:
    stage.says(CAROUSEL)
    stage.says(SURVEY)
    expect(chat.button("5")).to_be_visible()


def _menu(stage: Stage, chat: Chat) -> None:
    chat.button("Mais opções").click()
    expect(chat.button("Baixar como texto")).to_be_focused()


def _leaving(stage: Stage, chat: Chat) -> None:
    _menu(stage, chat)
    chat.button("Sair e apagar daqui").click()
    expect(chat.button("Ficar")).to_be_focused()
    # Wide, so that no bubble lies under one of its lines alone: axe gives up on such a background.
    chat.page.set_viewport_size({"width": 1300, "height": 2200})


def _typing(stage: Stage, chat: Chat) -> None:
    stage.types(on=True)
    expect(chat.frame.locator(".dots")).to_be_visible()


def _offline(stage: Stage, chat: Chat) -> None:
    chat.page.context.set_offline(True)
    chat.say("Você me ouve?")
    expect(chat.frame.get_by_text("Na fila, será enviada")).to_be_visible()


def _uploads(stage: Stage, chat: Chat) -> None:
    chat.frame.locator("input[type=file]").set_input_files(
        [
            FilePayload(name="nota.pdf", mimeType="application/pdf", buffer=b"%PDF"),
            FilePayload(name="virus.exe", mimeType="application/x-msdownload", buffer=b"MZ"),
        ]
    )
    expect(chat.frame.get_by_text("Este tipo de arquivo não é aceito.")).to_be_visible()
    expect(chat.frame.get_by_text("Pronto para enviar")).to_be_visible()


def _notice(stage: Stage, chat: Chat) -> None:
    expect(chat.button("Aceitar e começar")).to_be_visible()


def _form_with_errors(stage: Stage, chat: Chat) -> None:
    chat.button("Começar").click()
    expect(chat.frame.get_by_text("Preencha este campo.").first).to_be_visible()


def _menu_with_elsewhere(stage: Stage, chat: Chat) -> None:
    chat.knows_elsewhere().button("Mais opções").click()
    expect(chat.button("Continuar em outro canal")).to_be_focused()


def _elsewhere(stage: Stage, chat: Chat) -> None:
    stage.onward.identities = IDENTITIES
    _menu_with_elsewhere(stage, chat)
    chat.button("Continuar em outro canal").click()
    expect(chat.frame.get_by_role("radio", name="Telegram")).to_be_visible()


def _disconnecting(stage: Stage, chat: Chat) -> None:
    _elsewhere(stage, chat)
    chat.button("Desconectar Telegram").click()
    expect(chat.button("Manter")).to_be_focused()


def _code(stage: Stage, chat: Chat) -> None:
    _elsewhere(stage, chat)
    chat.button("Telegram").click()
    expect(chat.frame.get_by_role("img")).to_be_visible()


def _code_expired(stage: Stage, chat: Chat) -> None:
    stage.onward.life = 0
    _elsewhere(stage, chat)
    chat.button("Slack").click()
    expect(chat.frame.get_by_text("Este código venceu.")).to_be_visible()


def _code_refused(stage: Stage, chat: Chat) -> None:
    _elsewhere(stage, chat)
    stage.onward.status = 429
    chat.button("Slack").click()
    expect(chat.frame.get_by_role("alert")).to_be_visible()


def _typed_wrong(stage: Stage, chat: Chat) -> None:
    _elsewhere(stage, chat)
    chat.button("Tenho um código").click()
    chat.button("Continuar aqui").click()
    expect(chat.frame.get_by_role("alert")).to_be_visible()


def _moved(stage: Stage, chat: Chat) -> None:
    chat.say("Oi")
    stage.says(
        {"type": "continue", "text": "Posso continuar em outro canal.", "accounts": ["telegram:main"]}, kind="system"
    )
    stage.says("A conversa continua no Telegram.", kind="system")
    stage.says("1001", kind="customer", channel="telegram")
    stage.says("Qual é o e-mail?", channel="telegram")
    expect(chat.button("Continuar no Telegram")).to_be_visible()
    expect(chat.log).to_contain_text("Qual é o e-mail?")


STATES: dict[str, tuple[Callable[[Stage, Chat], None], dict[str, Any]]] = {
    "nothing said": (_nothing_said, {}),
    "every content": (_every_content, {}),
    "own words and replies": (_own_words_and_replies, {}),
    "list": (_list, {}),
    "cards and survey": (_cards_and_survey, {}),
    "menu": (_menu, {}),
    "leaving": (_leaving, {}),
    "typing": (_typing, {}),
    "offline": (_offline, {}),
    "uploads": (_uploads, {"upload": UPLOAD}),
    "notice": (_notice, {"notice": {"text": "Guardamos a conversa por 30 dias.", "url": "", "must_accept": True}}),
    "form": (_form_with_errors, {"form": FORM}),
    "menu with other channels": (_menu_with_elsewhere, {"links": LINKS}),
    "elsewhere": (_elsewhere, {"links": LINKS}),
    "disconnecting": (_disconnecting, {"links": LINKS}),
    "a code": (_code, {"links": LINKS}),
    "a code that expired": (_code_expired, {"links": LINKS}),
    "a code that was refused": (_code_refused, {"links": LINKS}),
    "a wrong code": (_typed_wrong, {"links": LINKS}),
    "gone on elsewhere": (_moved, {"links": LINKS}),
    "a bright brand colour": (_own_words_and_replies, {"color": "#ffd400"}),
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing(
    browse: Browse, stage: Stage, axe: str, state: str, scheme: Literal["light", "dark"]
) -> None:
    reach, stage.config = STATES[state][0], STATES[state][1]
    # As a page of its own and tall, so that nothing is scrolled away: axe cannot judge what is half covered.
    shop = browse(
        color_scheme=scheme, bypass_csp=True, reduced_motion="reduce", viewport={"width": 800, "height": 2200}
    )
    chat = Chat(shop.enter("/embed/demo").page, shop.page.main_frame)
    expect(chat.heard.first).to_be_visible()
    reach(stage, chat)
    # What the open menu covers was judged in the other states.
    assert (
        findings(axe, chat.frame, without=".log" if reach in {_menu, _leaving, _menu_with_elsewhere} else ".none") == []
    )


def test_axe_finds_nothing_on_the_page_around_it(browse: Browse, axe: str) -> None:
    shop = browse(bypass_csp=True)
    expect(shop.open_chat().heard.first).to_be_visible()
    frame = shop.page.main_frame
    assert [line for line in findings(axe, frame) if "segue-chat" in line or "iframe" in line] == []


def test_axe_sees_a_planted_violation_and_a_planted_contrast(browse: Browse, axe: str) -> None:
    chat = browse(bypass_csp=True).open_chat()
    expect(chat.heard.first).to_be_visible()
    chat.frame.evaluate(
        """() => {
            const text = document.createElement("p");
            text.textContent = "hardly there";
            text.style.color = "#ccc";
            document.querySelector("main").append(document.createElement("button"), text);
        }"""
    )
    found = " ".join(findings(axe, chat.frame))
    assert "button-name" in found
    assert "color-contrast" in found


def test_each_incoming_message_is_said_once_and_own_ones_never(browse: Browse, stage: Stage) -> None:
    chat = browse().open_chat()
    expect(chat.heard).to_have_count(1)
    chat.frame.evaluate(
        """() => {
            window.said = [];
            const node = document.querySelector("[role=log]");
            new MutationObserver(() => window.said.push(node.textContent)).observe(
                node, {childList: true, characterData: true, subtree: true});
        }"""
    )
    chat.say("Oi")
    stage.says("Primeira resposta.")
    expect(chat.frame.locator("[role=log]")).to_have_text("Aurora, assistente: Primeira resposta.")
    stage.says("Segunda resposta.")
    expect(chat.frame.locator("[role=log]")).to_have_text("Aurora, assistente: Segunda resposta.")
    assert chat.frame.evaluate("window.said.filter(text => text)") == [
        "Aurora, assistente: Primeira resposta.",
        "Aurora, assistente: Segunda resposta.",
    ]


def test_a_choice_from_cards_and_signing_out_need_the_keyboard_alone(browse: Browse, stage: Stage) -> None:
    chat = browse().open_chat()
    expect(chat.composer).to_be_focused()
    stage.says(CAROUSEL)
    keys = chat.page.keyboard
    expect(chat.frame.get_by_role("button", name="Quero este : Tênis branco")).to_be_visible()
    for _ in range(20):
        if chat.frame.evaluate("document.activeElement.textContent").startswith("Quero este"):
            break
        keys.press("Shift+Tab")
    keys.press("Enter")
    expect(chat.own("Quero este")).to_be_visible()
    expect(chat.composer).to_be_focused()
    stage.eventually(lambda: stage.sent and stage.sent[-1]["button"] in {"b1", "b2"})

    chat.button("Mais opções").focus()
    keys.press("Enter")
    expect(chat.button("Baixar como texto")).to_be_focused()
    keys.press("Escape")
    expect(chat.button("Mais opções")).to_be_focused()
    keys.press("Enter")
    expect(chat.button("Baixar como texto")).to_be_focused()
    for key in ("Tab", "Tab", "Enter", "Tab", "Enter"):
        keys.press(key)
    expect(chat.frame.get_by_text("Você saiu.")).to_be_visible()
    expect(chat.own("Quero este")).to_have_count(0)
