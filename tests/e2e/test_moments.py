"""Moments of a visit: nobody looks, the line is cut, a file falls in, somebody new comes back, the page is enlarged."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from e2e.parts import CAROUSEL, EVERYTHING, FORM, LIST, REPLIES, UPLOAD
from e2e.shop import Chat, Shop
from e2e.stage import Stage
from playwright.sync_api import FilePayload, Route, expect

Browse = Callable[..., Shop]

PDF: FilePayload = {"name": "nota.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7"}
AWAY = "Object.defineProperty(Document.prototype, 'hidden', {get: () => globalThis.away ?? false, configurable: true});"
HEARTBEAT = 15_000
"""Milliseconds. A stream that nobody looks at is given back after four; one that is silent for three is cut."""


def look(shop: Shop, *, away: bool) -> None:
    """The tab goes to the background, or comes back: for the page and for the frame in it."""
    for frame in shop.page.frames:
        frame.evaluate(
            "away => { globalThis.away = away; document.dispatchEvent(new Event('visibilitychange')); }", away
        )


def watched_with_a_clock(browse: Browse, stage: Stage) -> tuple[Shop, Chat]:
    shop = browse()
    shop.page.context.add_init_script(AWAY)
    shop.page.clock.install()
    chat = shop.enter("/shop").open_chat()
    expect(chat.heard.first).to_be_visible()
    stage.until_watched()
    return shop, chat


def pass_heartbeats(shop: Shop, chat: Chat, stage: Stage, count: int) -> None:
    """So much time, in which the stream is not silent."""
    for _ in range(count):
        shop.page.clock.fast_forward(HEARTBEAT)
        for on in (True, False):
            stage.types(on=on)
            expect(chat.frame.locator(".dots")).to_have_count(int(on))


def test_a_tab_that_nobody_looks_at_gives_its_stream_back_and_misses_nothing(browse: Browse, stage: Stage) -> None:
    shop, chat = watched_with_a_clock(browse, stage)
    look(shop, away=True)
    pass_heartbeats(shop, chat, stage, 3)
    shop.page.clock.fast_forward(HEARTBEAT)
    stage.eventually(lambda: stage.streams == 0)
    stage.says("enquanto isso")
    look(shop, away=False)
    chat.hears("enquanto isso")
    stage.eventually(lambda: stage.streams == 1)
    expect(chat.frame.get_by_text("Sem conexão")).to_have_count(0)


def test_a_glance_at_another_tab_costs_no_stream(browse: Browse, stage: Stage) -> None:
    shop, chat = watched_with_a_clock(browse, stage)
    calls = stage.calls.count("stream")
    look(shop, away=True)
    pass_heartbeats(shop, chat, stage, 2)
    look(shop, away=False)
    pass_heartbeats(shop, chat, stage, 3)
    stage.says("logo depois")
    chat.hears("logo depois")
    assert stage.calls.count("stream") == calls


def test_who_goes_offline_reads_it_at_once_and_what_was_written_goes_out_later(browse: Browse, stage: Stage) -> None:
    shop = browse()
    chat = shop.open_chat()
    expect(chat.heard.first).to_be_visible()
    stage.until_watched()
    shop.page.context.set_offline(True)
    expect(chat.frame.get_by_role("status").filter(has_text="Sem conexão")).to_be_visible()
    chat.say("Você me ouve?")
    expect(chat.frame.get_by_text("Na fila, será enviada")).to_be_visible()
    shop.page.context.set_offline(False)
    stage.eventually(lambda: stage.sent)
    expect(chat.frame.get_by_text("Sem conexão")).to_have_count(0)
    stage.says("Ouço sim.")
    chat.hears("Ouço sim.")


FILE = """async kind => {
    const data = new DataTransfer();
    data.items.add(new File(["%PDF-1.7"], "nota.pdf", {type: "application/pdf"}));
    const box = document.getElementById("text");
    if (kind === "paste") box.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true}));
    else return !box.dispatchEvent(new DragEvent(kind, {dataTransfer: data, bubbles: true, cancelable: true}));
}"""


def test_a_file_is_pasted(browse: Browse, stage: Stage) -> None:
    stage.config = {"upload": UPLOAD}
    chat = browse().open_chat()
    expect(chat.button("Anexar arquivo")).to_be_visible()
    chat.frame.evaluate(FILE, "paste")
    expect(chat.frame.get_by_text("Pronto para enviar")).to_be_visible()
    chat.composer.press("Enter")
    expect(chat.own("nota.pdf")).to_be_visible()
    assert stage.uploaded == [("nota.pdf", "application/pdf", 8)]


def test_a_file_is_dropped_where_the_place_for_it_shows_and_the_page_does_not_leave(
    browse: Browse, stage: Stage
) -> None:
    stage.config = {"upload": UPLOAD}
    chat = browse().open_chat()
    expect(chat.button("Anexar arquivo")).to_be_visible()
    assert chat.frame.evaluate(FILE, "dragover"), "a file dragged over the chat would be opened in its place"
    expect(chat.frame.get_by_text("Solte para anexar")).to_be_visible()
    assert chat.frame.evaluate(FILE, "dragleave")
    expect(chat.frame.get_by_text("Solte para anexar")).to_have_count(0)
    assert chat.frame.evaluate(FILE, "dragover")
    assert chat.frame.evaluate(FILE, "drop")
    expect(chat.frame.get_by_text("Solte para anexar")).to_have_count(0)
    expect(chat.frame.get_by_text("Pronto para enviar")).to_be_visible()
    assert stage.uploaded == [("nota.pdf", "application/pdf", 8)]


def test_text_that_is_pasted_or_dragged_is_no_file(browse: Browse, stage: Stage) -> None:
    stage.config = {"upload": UPLOAD}
    chat = browse().open_chat()
    expect(chat.button("Anexar arquivo")).to_be_visible()
    refused = chat.frame.evaluate(
        """() => {
            const data = new DataTransfer();
            data.setData("text/plain", "1001");
            const box = document.getElementById("text");
            box.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true}));
            return !box.dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true}));
        }"""
    )
    assert not refused, "the text itself must fall into the field"
    expect(chat.frame.locator(".files li")).to_have_count(0)
    assert stage.uploaded == []


def test_who_comes_back_as_somebody_new_sees_and_sends_nothing_of_before(browse: Browse, stage: Stage) -> None:
    """The handle was used elsewhere or signed out: the server says `restarted`."""
    shop = browse()
    chat = shop.open_chat().say("meu segredo")
    stage.eventually(lambda: stage.sent)
    busy = "**/v1/widget/messages"
    shop.page.route(
        busy,
        lambda route: route.fulfill(status=503, headers={"retry-after": "60"}) if _posts(route) else route.continue_(),
    )
    chat.say("e mais um")
    expect(chat.frame.get_by_text("Na fila, será enviada")).to_be_visible()
    chat.composer.fill("um rascunho")
    shop.page.unroute(busy)
    stage.restarts = True
    again = shop.enter("/shop").open_chat()
    expect(again.heard).to_have_count(1)
    for words in ("meu segredo", "e mais um"):
        expect(again.own(words)).to_have_count(0)
    again.say("sou outra pessoa")
    stage.eventually(lambda: len(stage.sent) == 2)
    assert [sent["text"] for sent in stage.sent] == ["meu segredo", "sou outra pessoa"]
    stored = again.frame.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert "segredo" not in stored
    assert "mais um" not in stored
    assert "rascunho" not in stored


def _posts(route: Route) -> bool:
    return route.request.method == "POST"


def _shown(stage: Stage) -> None:
    for content in (*EVERYTHING, LIST, CAROUSEL, REPLIES):
        stage.says(content)


@pytest.mark.parametrize(
    ("width", "height"), [(640, 400), (320, 256)], ids=["1280 pixels at 200 %", "1280 pixels at 400 %"]
)
@pytest.mark.parametrize("asks", ["nothing", "a form"])
def test_enlarged_nothing_runs_out_sideways_and_one_can_still_write(
    browse: Browse, stage: Stage, width: int, height: int, asks: str
) -> None:
    """WCAG 1.4.4 and 1.4.10. Cards are read sideways by intention, in a strip of their own."""
    stage.config = {"form": FORM} if asks == "a form" else {"upload": UPLOAD}
    chat = browse(viewport={"width": width, "height": height}).open_chat()
    if asks == "a form":
        chat.button("Começar").click()
        expect(chat.frame.get_by_text("Preencha este campo.").first).to_be_visible()
        expect(chat.frame.get_by_label("Seu nome")).to_be_in_viewport(ratio=1)
    else:
        expect(chat.heard.first).to_be_visible()
        _shown(stage)
        expect(chat.button("Entrega")).to_be_visible()
        expect(chat.composer).to_be_in_viewport(ratio=1)
        expect(chat.button("Enviar")).to_be_in_viewport(ratio=1)
        assert chat.log.evaluate("log => log.clientHeight") >= height / 4, "too little is left of the conversation"
        chat.frame.locator("input[type=file]").set_input_files([PDF, PDF])
        expect(chat.frame.get_by_text("Pronto para enviar")).to_have_count(2)
        expect(chat.composer).to_be_in_viewport(ratio=1)
    beyond = chat.frame.evaluate(
        """() => [...document.querySelectorAll("*")]
            .filter(it => !it.closest(".carousel ul, .sr, svg") && it.getBoundingClientRect().width
                && (it.getBoundingClientRect().right > innerWidth + 1 || it.getBoundingClientRect().left < -1))
            .map(it => `${it.tagName} ${it.className}`)"""
    )
    assert beyond == []
