"""The second form's calls with the page, the router and the bot all real: files, transcript, two tabs, sign-out."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

from e2e.shop import Shop
from PIL import Image
from playwright.sync_api import FilePayload, expect

Visit = Callable[..., Shop]


def photograph() -> FilePayload:
    """A picture with a place in its metadata, as a phone makes it."""
    exif = Image.Exif()
    exif[0x010E] = "casa da Ana"
    drawn = io.BytesIO()
    Image.new("RGB", (64, 48), "#2f5d50").save(drawn, "JPEG", exif=exif)
    return FilePayload(name="foto.jpg", mimeType="image/jpeg", buffer=drawn.getvalue())


def test_a_photograph_is_sent_shown_without_its_metadata_and_answered(visit: Visit) -> None:
    shop = visit().enter()
    chat = shop.open_chat()
    chat.hears("assistente")
    chat.frame.locator("input[type=file]").set_input_files([photograph()])
    expect(chat.frame.get_by_text("Pronto para enviar")).to_be_visible()
    with shop.page.expect_response(re.compile("/v1/widget/media/")) as shown:
        chat.composer.press("Enter")
    assert shown.value.status == 200
    assert b"casa da Ana" not in shown.value.body()
    expect(chat.log.get_by_text("Recebi o arquivo")).to_be_visible()


def test_a_drawing_with_script_in_it_is_refused_with_a_sentence(visit: Visit) -> None:
    chat = visit().enter().open_chat()
    chat.hears("assistente")
    drawing = FilePayload(name="x.png", mimeType="image/png", buffer=b"<svg onload=alert(1)></svg>")
    chat.frame.locator("input[type=file]").set_input_files([drawing])
    expect(chat.frame.locator(".files li")).to_contain_text(re.compile("não"))


def test_two_tabs_share_one_conversation_and_signing_out_leaves_nothing_in_either(visit: Visit) -> None:
    shop = visit().enter()
    first = shop.open_chat()
    first.hears("assistente")
    first.say("Quais são as formas de pagamento?").hears(re.compile("cartão|Pix"))
    other = Shop(shop.page.context.new_page(), shop.url).enter()
    second = other.open_chat()
    expect(second.own("formas de pagamento")).to_be_visible()
    second.say("E o frete?").hears(re.compile("frete", re.IGNORECASE))
    expect(first.own("E o frete?")).to_be_visible()
    shop.page.evaluate("Segue.signout()")
    for chat in (first, second):
        expect(chat.own("formas de pagamento")).to_have_count(0)
    again = shop.enter().open_chat()
    again.hears("assistente")
    expect(again.own("formas de pagamento")).to_have_count(0)


def test_the_conversation_is_downloaded_as_it_was(visit: Visit, tmp_path: Path) -> None:
    shop = visit().enter()
    chat = shop.open_chat()
    chat.hears("assistente")
    chat.say("Qual o horário de vocês?").hears(re.compile("segunda|10h"))
    chat.button("Mais opções").click()
    with shop.page.expect_download() as download:
        chat.button("Baixar como texto").click()
    saved = tmp_path / "conversa"
    download.value.save_as(saved)
    assert "Qual o horário de vocês?" in saved.read_text(encoding="utf-8")
