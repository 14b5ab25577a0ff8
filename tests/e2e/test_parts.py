"""What the chat shows, asks, takes and keeps, each against a stand-in that says exactly what the test needs."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from functools import partial

import pytest
from e2e.parts import CAROUSEL, EVERYTHING, FORM, LIST, REPLIES, SURVEY, UPLOAD
from e2e.shop import Shop
from e2e.stage import Stage
from playwright.sync_api import Error, FilePayload, expect

Browse = Callable[..., Shop]
PDF: FilePayload = {"name": "nota.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7"}
NOTICE = {"text": "Guardamos a conversa por 30 dias.", "url": "https://loja.example/p", "must_accept": True}


def test_every_kind_of_content_is_shown_and_an_unknown_one_by_its_text(browse: Browse, stage: Stage) -> None:
    chat = browse().open_chat()
    for content in EVERYTHING:
        stage.says(content)
    expect(chat.frame.get_by_role("img", name="Tênis branco")).to_be_visible()
    expect(chat.frame.locator(".gone")).to_have_text("Foto do vestido azul")
    expect(chat.frame.get_by_role("link", name="Foto de longe")).to_have_attribute(
        "href", "https://cdn.example/foto.png"
    )
    expect(chat.frame.get_by_role("link", name="nota-fiscal.pdf")).to_be_visible()
    expect(chat.frame.get_by_role("link", name="Loja São Paulo")).to_have_attribute("href", re.compile("openstreetmap"))
    chat.hears("Um tipo novo mostra o seu texto.")


def test_a_choice_is_sent_by_its_id_and_can_be_made_once(browse: Browse, stage: Stage) -> None:
    chat = browse().open_chat()
    for content, name, identifier in (
        (REPLIES, "Entrega", "e"),
        (LIST, "Pedido 1001 Camisa de linho, a caminho", "r1"),
        (CAROUSEL, "Quero este : Bolsa", "b2"),
        (SURVEY, "4", "s4"),
    ):
        stage.says(content)
        button = chat.frame.get_by_role("button", name=name, exact=True)
        button.click()
        expect(button).to_have_count(0)
        expect(chat.composer).to_be_focused()
        stage.eventually(partial(_tapped, stage, identifier))


def _tapped(stage: Stage, identifier: str) -> bool:
    return bool(stage.sent) and stage.sent[-1].get("button") == identifier


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_cards_run_to_the_edges_of_the_panel(browse: Browse, stage: Stage, direction: str) -> None:
    chat = browse(viewport={"width": 390, "height": 780}).open_chat()
    chat.frame.evaluate("direction => { document.documentElement.dir = direction }", direction)
    stage.says(CAROUSEL)
    track = chat.frame.locator(".carousel ul")
    expect(track).to_be_visible()
    box, log = track.bounding_box(), chat.log.bounding_box()
    assert box is not None
    assert log is not None
    assert abs(box["x"] - log["x"]) <= 1
    assert abs(box["width"] - log["width"]) <= 16
    # Words for the ear alone stand beside cards out of sight: they must not make the page wider than the phone.
    assert chat.frame.evaluate("document.scrollingElement.scrollWidth - innerWidth") == 0


def test_what_is_only_colour_is_seen_with_forced_colours(browse: Browse, stage: Stage) -> None:
    chat = browse(forced_colors="active").open_chat()
    stage.until_watched()
    stage.types(on=True)
    dot = chat.frame.locator(".dots i").first
    expect(dot).to_be_visible()
    ground, paint = dot.evaluate(
        "i => [getComputedStyle(document.body), getComputedStyle(i)].map(s => s.backgroundColor)"
    )
    assert ground != paint


def test_words_read_in_their_own_direction(browse: Browse, stage: Stage) -> None:
    chat = browse().open_chat()
    chat.frame.evaluate("document.documentElement.dir = 'rtl'")
    stage.says("Vamos lá?")
    bubble = chat.heard.last
    expect(bubble).to_contain_text("Vamos lá?")
    mark, word = bubble.evaluate(
        """item => {
            const text = document.createTreeWalker(item, NodeFilter.SHOW_TEXT);
            while (text.nextNode() && !text.currentNode.data.includes("Vamos lá?"));
            const left = (from, to) => {
                const range = document.createRange();
                range.setStart(text.currentNode, from);
                range.setEnd(text.currentNode, to);
                return range.getBoundingClientRect().left;
            };
            const end = text.currentNode.data.lastIndexOf("?");
            return [left(end, end + 1), left(0, 1)];
        }"""
    )
    assert mark > word


def test_a_file_is_taken_sent_up_and_sent_with_the_text(browse: Browse, stage: Stage) -> None:
    stage.config = {"upload": UPLOAD}
    chat = browse().open_chat()
    expect(chat.button("Anexar arquivo")).to_be_visible()
    chat.frame.locator("input[type=file]").set_input_files([PDF])
    expect(chat.frame.get_by_text("Pronto para enviar")).to_be_visible()
    chat.composer.fill("Aqui está")
    chat.composer.press("Enter")
    expect(chat.own("nota.pdf")).to_be_visible()
    assert stage.uploaded == [("nota.pdf", "application/pdf", 8)]
    stage.eventually(lambda: stage.sent)
    assert stage.sent[-1]["text"] == "Aqui está"
    assert stage.sent[-1]["upload"]
    expect(chat.frame.locator(".files li")).to_have_count(0)


def test_files_that_cannot_be_taken_say_why(browse: Browse, stage: Stage) -> None:
    stage.config = {"upload": UPLOAD}
    chat = browse().open_chat()
    files = chat.frame.locator("input[type=file]")
    files.set_input_files(
        [
            FilePayload(name="nota.pdf", mimeType="application/pdf", buffer=b"x" * 2000),
            FilePayload(name="x.svg", mimeType="image/svg+xml", buffer=b"x"),
        ]
    )
    expect(chat.frame.get_by_text("Grande demais")).to_be_visible()
    expect(chat.frame.get_by_text("Este tipo de arquivo não é aceito.")).to_be_visible()
    assert stage.uploaded == []
    for name in ("nota.pdf", "x.svg"):
        chat.button(f"Remover {name}").click()
    stage.upload_status = 500
    files.set_input_files([PDF])
    expect(chat.frame.get_by_text("Não foi possível enviar o arquivo.")).to_be_visible()
    stage.upload_status = 201
    chat.button("Tentar de novo").click()
    expect(chat.frame.get_by_text("Pronto para enviar")).to_be_visible()


def test_nothing_of_the_person_leaves_before_the_notice_is_accepted(browse: Browse, stage: Stage) -> None:
    stage.config = {"notice": NOTICE}
    shop = browse()
    chat = shop.open_chat()
    expect(chat.button("Aceitar e começar")).to_be_visible()
    expect(chat.composer).to_have_count(0)
    assert set(stage.calls) == {"session", "history"}
    chat.button("Aceitar e começar").click()
    expect(chat.composer).to_be_focused()
    chat.say("Oi")
    again = shop.enter("/shop").open_chat()
    expect(again.own("Oi")).to_be_visible()
    expect(again.composer).to_be_visible()


def test_the_form_asks_before_the_first_message_and_only_then(browse: Browse, stage: Stage) -> None:
    stage.config = {"form": FORM}
    shop = browse()
    chat = shop.open_chat()
    chat.button("Começar").click()
    expect(chat.frame.get_by_label("Seu nome")).to_be_focused()
    chat.frame.get_by_label("Seu nome").fill("Ana")
    chat.frame.get_by_label("E-mail").fill("ana")
    chat.button("Começar").click()
    expect(chat.frame.get_by_text("Confira o e-mail")).to_be_visible()
    chat.frame.get_by_label("E-mail").fill("ana@exemplo.com.br")
    chat.button("Começar").click()
    expect(chat.composer).to_be_focused()
    assert stage.sessions[-1]["answers"] == {"name": "Ana", "email": "ana@exemplo.com.br"}
    expect(shop.enter("/shop").open_chat().composer).to_be_visible()


def test_the_page_opens_listens_and_hears_no_words(browse: Browse, stage: Stage) -> None:
    shop = browse()
    shop.page.wait_for_function("window.Segue")
    shop.page.evaluate(
        """() => {
            window.heard = [];
            for (const name of ["ready", "open", "close", "message", "unread"])
                Segue.on(name, (detail) => heard.push([name, detail]));
            const off = Segue.on("open", () => heard.push(["never"]));
            off();
            Segue.open("Onde está o meu pedido?");
        }"""
    )
    chat = shop.chat()
    expect(chat.composer).to_have_value("Onde está o meu pedido?")
    stage.until_watched()
    shop.page.evaluate("Segue.close()")
    shop.page.wait_for_function("heard.some(([name]) => name === 'close')")
    # Closing reaches the frame by its port a moment later: a message before that counts as read.
    for _ in range(5):
        stage.says("segredo")
        with contextlib.suppress(Error):
            shop.page.wait_for_function("heard.some(([name]) => name === 'unread')", timeout=3000)
            break
    shop.page.wait_for_function("heard.some(([name]) => name === 'message')")
    heard = shop.page.evaluate("heard")
    names = [name for name, *_ in heard]
    assert {"ready", "open", "close", "message", "unread"} == set(names)
    assert "segredo" not in str(heard)
    message = next(detail for name, detail in heard if name == "message")
    assert set(message) == {"id", "author", "at"}


def test_the_page_says_who_it_is_and_a_wrong_identity_is_a_warning(browse: Browse, stage: Stage) -> None:
    shop = browse()
    shop.page.wait_for_function("window.Segue")
    shop.page.evaluate("Segue.identify('right.jwt'); Segue.open()")
    expect(shop.chat().composer).to_be_visible()
    stage.until_watched()
    assert stage.sessions[0]["identity"] == "right.jwt"
    with shop.page.expect_event("console", lambda message: "identity was refused" in message.text):
        shop.page.evaluate("Segue.identify('wrong.jwt')")
    expect(shop.chat().say("Oi").own("Oi")).to_be_visible()


def test_tabs_share_one_session_and_one_stream_and_the_next_takes_over(browse: Browse, stage: Stage) -> None:
    shop = browse()
    first = shop.open_chat()
    stage.until_watched()
    other = Shop(shop.page.context.new_page(), shop.url).enter("/shop")
    second = other.open_chat()
    second.say("de outra aba")
    expect(first.own("de outra aba")).to_be_visible()
    stage.says("resposta")
    for chat in (first, second):
        expect(chat.heard.last).to_contain_text("resposta")
    stage.eventually(lambda: stage.streams == 1)
    assert len(stage.sessions) == 1
    shop.page.close()
    stage.says("depois")
    second.hears("depois")
    assert len(stage.sessions) == 1


def test_signing_out_leaves_nothing_in_any_tab(browse: Browse, stage: Stage) -> None:
    shop = browse()
    first = shop.open_chat().say("meu segredo")
    other = Shop(shop.page.context.new_page(), shop.url).enter("/shop")
    second = other.open_chat()
    expect(second.own("meu segredo")).to_be_visible()
    second.composer.fill("rascunho")
    shop.page.evaluate("Segue.signout()")
    for chat in (first, second):
        expect(chat.own("meu segredo")).to_have_count(0)
        expect(chat.composer).to_have_value("")
    stage.eventually(lambda: "signout" in stage.calls)
    stored = second.frame.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert "segredo" not in stored
    assert "rascunho" not in stored


def test_the_conversation_can_be_taken_along(browse: Browse, stage: Stage) -> None:
    shop = browse()
    chat = shop.open_chat()
    chat.button("Mais opções").click()
    with shop.page.expect_download() as download:
        chat.button("Baixar como texto").click()
    assert download.value.suggested_filename == "conversa.text"


def test_behind_a_proxy_that_holds_the_stream_back_answers_come_by_long_poll(browse: Browse, stage: Stage) -> None:
    stage.buffers = True
    shop = browse()
    chat = shop.open_chat()
    with shop.page.expect_request(re.compile(r"stream\?wait=25"), timeout=15_000):
        chat.say("Oi")
    stage.says("uma resposta")
    chat.hears("uma resposta")
    stage.says("e outra")
    chat.hears("e outra")
    with shop.page.expect_request(re.compile("/stream")) as request:
        shop.enter("/shop").open_chat()
    assert request.value.url.endswith("wait=25")


def test_of_a_long_conversation_only_what_is_looked_at_is_drawn(browse: Browse, stage: Stage) -> None:
    stage.fills(10_000)
    shop = browse()
    everything = re.compile(r"messages\?limit=")
    shop.page.route(everything, lambda route: route.continue_(url=f"{stage.url}/v1/widget/messages?limit=10000"))
    chat = shop.open_chat()
    expect(chat.log).to_contain_text("mensagem 10000")
    rows = chat.frame.locator("li.row")
    assert rows.count() == 150
    chat.log.evaluate("log => log.scrollTop = 0")
    expect(rows).to_have_count(300)
    assert chat.log.evaluate("log => log.scrollTop") > 1000
    chat.log.evaluate("log => log.scrollTop = log.scrollHeight")
    expect(rows).to_have_count(150)
    stage.says("a mais nova")
    chat.hears("a mais nova")


@pytest.mark.parametrize("color", ["#ffd400", "#000000", "#ffffff", "#7a3fa3", "#e4002b", "#0af"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_any_brand_colour_can_be_read(browse: Browse, stage: Stage, color: str, scheme: str) -> None:
    stage.config = {"color": color}
    chat = browse(color_scheme=scheme).open_chat()
    style = chat.frame.locator("html")
    expect(style).to_have_attribute("style", re.compile("--accent"))
    accent, on = (
        chat.frame.evaluate("name => document.documentElement.style.getPropertyValue(name)", name)
        for name in ("--accent", "--on-accent")
    )
    surface = "#ffffff" if scheme == "light" else "#161a18"
    assert contrast(accent, on) >= 4.5
    assert contrast(accent, surface) >= 4.5


def contrast(one: str, other: str) -> float:
    def light(color: str) -> float:
        parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        r, g, b = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


def test_what_was_changed_elsewhere_reads_so_here(browse: Browse, stage: Stage) -> None:
    chat = browse().open_chat()
    said = chat.frame.locator(".out .bubble")
    stage.until_watched()
    stage.says("quero 2", kind="customer", channel="telegram")
    stage.says({"type": "image", "url": "", "text": ""}, kind="customer", channel="telegram")
    expect(said.nth(1)).to_contain_text("Imagem")
    stage.rewrites(1, "quero 3")
    expect(said.nth(0)).to_contain_text("quero 3")
    stage.rewrites(2, {"type": "placeholder", "kind": "image", "text": "o tênis"})
    expect(said.nth(1)).to_contain_text("Algo que não pode ser mostrado aqui")
    expect(said.nth(1)).to_contain_text("o tênis")
