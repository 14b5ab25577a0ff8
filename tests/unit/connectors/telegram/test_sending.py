"""What people see on Telegram of each thing that we say, and what becomes of what it does not take."""

from __future__ import annotations

import pytest
from fakes.telegram_api import Behaviour
from fakes.telegram_methods import METHODS, SPECIFICATION, against_specification
from telegram.error import BadRequest

from connectors.content import (
    Audio,
    Button,
    Buttons,
    Card,
    Carousel,
    Content,
    File,
    Image,
    Location,
    Survey,
    Text,
    Video,
)
from connectors.contract import Author, Identity, Outbound, RefusedForGood, TryAgain, Unknown, Unreachable
from connectors.media import About
from connectors.telegram.calls import complaint

from .conftest import ANA, Rig

NO_SPECIFICATION = "there is no ../shared/specs/telegram_bot_api.json beside the checkout"
BAD_HTML = Behaviour(400, "Bad Request: can't parse entities: Unsupported start tag")
TOO_LONG = Behaviour(400, "Bad Request: message is too long")
NO_FILE = Behaviour(400, "Bad Request: failed to get HTTP URL content")


def methods(rig: Rig) -> list[str]:
    return [shown.method for shown in rig.api.shown]


async def kept(rig: Rig, content: bytes, kind: str, name: str) -> str:
    async with rig.media.draft() as draft:
        draft.write_bytes(content)
        return f"media:{(await rig.media.keep(draft, kind, About('o', name))).id}"


async def test_marks_are_shown_and_the_rest_as_it_was_written(rig: Rig) -> None:
    receipt = await rig.send(Text("**Olá** <Ana> & [loja](https://l.example)"))
    [shown] = rig.api.shown
    assert shown.text == "Olá <Ana> & loja"
    assert shown.given["text"] == '<b>Olá</b> &lt;Ana&gt; &amp; <a href="https://l.example">loja</a>'
    assert receipt.vendor_id == f"{ANA}:{shown.message_id}"
    assert rig.api.complaints == []


async def test_html_that_telegram_does_not_understand_goes_once_more_as_plain_text(rig: Rig) -> None:
    rig.api.next["sendMessage"].append(BAD_HTML)
    await rig.send(Text("**Olá** <Ana>"))
    [shown] = rig.api.shown
    assert (shown.text, "parse_mode" in shown.given) == ("Olá <Ana>", False)


async def test_what_is_too_long_after_all_is_split_again_and_keeps_its_buttons(rig: Rig) -> None:
    rig.api.next["sendMessage"].append(TOO_LONG)
    await rig.send(Buttons("um dois três. quatro cinco.", (Button("b", "Sim"),)))
    assert [shown.text for shown in rig.api.shown] == ["um dois três.", "quatro cinco."]
    assert [shown.titles for shown in rig.api.shown] == [[], [["Sim"]]]


async def test_nothing_to_show_is_refused_before_it_is_sent(rig: Rig) -> None:
    with pytest.raises(RefusedForGood):
        await rig.send(Text(" \n"))
    assert rig.api.shown == []


async def test_half_a_character_is_refused(rig: Rig) -> None:
    with pytest.raises(RefusedForGood, match="half a character"):
        await rig.send(Text("oi \ud800"))


async def test_a_person_of_another_platform_is_refused(rig: Rig) -> None:
    with pytest.raises(RefusedForGood):
        await rig.telegram.send(Outbound("o", Identity("telegram:main", "ana"), (Text("oi"),), Author("bot"), 1))


@pytest.mark.parametrize(
    ("titles", "rows"),
    [
        (["Sim", "Não"], [["Sim", "Não"]]),
        (list("12345"), [list("12345")]),
        ([str(n) for n in range(11)], [list("01234"), list("56789"), ["10"]]),
        (["Entrega", "Quero falar com uma pessoa", "Troca"], [["Entrega"], ["Quero falar com uma pessoa"], ["Troca"]]),
    ],
)
async def test_short_titles_stand_side_by_side(rig: Rig, titles: list[str], rows: list[list[str]]) -> None:
    await rig.send(Survey("?", tuple(Button(f"b{n}", title) for n, title in enumerate(titles))))
    [shown] = rig.api.shown
    assert shown.titles == rows
    assert rig.api.complaints == []


async def test_a_card_is_one_message_with_its_picture_its_buttons_and_its_address(rig: Rig) -> None:
    card = Card("Tênis", "Azul", "https://l.example/1.jpg", "https://l.example/p/1", (Button("c", "Comprar"),))
    await rig.send(Carousel((card,)))
    [shown] = rig.api.shown
    assert (shown.method, shown.text) == ("sendPhoto", "Tênis\nAzul")
    assert shown.titles == [["Comprar"], ["l.example"]]
    assert shown.markup["inline_keyboard"][1][0]["url"] == "https://l.example/p/1"


@pytest.mark.parametrize(
    ("content", "method"),
    [
        (Image("https://l.example/1.jpg", "x", "Veja"), "sendPhoto"),
        (Image("https://l.example/1.gif", "x", "Veja"), "sendAnimation"),
        (File("https://l.example/n.pdf", "n.pdf", "Veja"), "sendDocument"),
        (Audio("https://l.example/a.ogg", "Veja"), "sendVoice"),
        (Audio("https://l.example/a.mp3", "Veja"), "sendAudio"),
        (Video("https://l.example/v.mp4", "Veja"), "sendVideo"),
        (Image("telegram:AgADBAAD", text="Veja"), "sendPhoto"),
    ],
)
async def test_a_file_at_an_address_is_shown_as_what_it_is(rig: Rig, content: Content, method: str) -> None:
    await rig.send(content)
    [shown] = rig.api.shown
    assert (shown.method, shown.text) == (method, "Veja")


async def test_a_file_of_ours_is_uploaded_with_its_name(rig: Rig) -> None:
    url = await kept(rig, b"%PDF-1.4 x", "application/pdf", "nota.pdf")
    await rig.send(File(url, "nota.pdf", "Sua nota"))
    [shown] = rig.api.shown
    assert (shown.method, shown.text, shown.given["document"]) == ("sendDocument", "Sua nota", b"%PDF-1.4 x")
    assert rig.api.complaints == []


async def test_a_voice_of_ours_is_a_voice(rig: Rig) -> None:
    await rig.send(Audio(await kept(rig, b"OggS..", "audio/ogg", "a.ogg")))
    assert methods(rig) == ["sendVoice"]


async def test_a_picture_that_telegram_does_not_take_goes_as_a_document(rig: Rig) -> None:
    url = await kept(rig, b"\x89PNG", "image/png", "a.png")
    rig.api.next["sendPhoto"].append(Behaviour(400, "Bad Request: PHOTO_INVALID_DIMENSIONS"))
    await rig.send(Image(url, "a", "Veja"))
    assert methods(rig) == ["sendDocument"]


async def test_an_address_that_telegram_cannot_fetch_is_told_in_words(rig: Rig) -> None:
    for method in ("sendPhoto", "sendDocument"):
        rig.api.next[method].append(NO_FILE)
    await rig.send(Image("https://l.example/1.jpg", "x", "Veja"))
    [shown] = rig.api.shown
    assert (shown.method, shown.text) == ("sendMessage", "Veja\nhttps://l.example/1.jpg")


@pytest.mark.parametrize("url", ["/etc/passwd", "file:///etc/passwd", "telegram:../../etc/passwd", "pyproject.toml"])
async def test_a_path_is_never_opened(rig: Rig, url: str) -> None:
    await rig.send(File(url, "x"))
    [shown] = rig.api.shown
    assert (shown.method, shown.text) == ("sendMessage", f"x\n{url}")


async def test_a_file_that_is_gone_is_refused(rig: Rig) -> None:
    with pytest.raises(RefusedForGood, match="not here any more"):
        await rig.send(File("media:" + "0" * 32))


async def test_a_place_is_shown_as_one(rig: Rig) -> None:
    await rig.send(Location(-23.5, -46.6))
    await rig.send(Location(-23.5, -46.6, "Loja Sé", "Estamos aqui"))
    assert methods(rig) == ["sendLocation", "sendVenue"]
    assert (rig.api.shown[1].given["title"], rig.api.shown[1].given["address"]) == ("Loja Sé", "Estamos aqui")


# ── what goes wrong ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_retry_goes_on_behind_what_was_taken(rig: Rig) -> None:
    rig.api.next["sendMessage"].extend([Behaviour(), Behaviour(429, "slow", {"retry_after": 3})])
    with pytest.raises(TryAgain) as again:
        await rig.send(Text("um"), Text("dois"), Text("três"))
    assert (again.value.after, again.value.taken) == (3, 1)
    await rig.send(Text("um"), Text("dois"), Text("três"), taken=again.value.taken)
    assert rig.api.texts(ANA) == ["um", "dois", "três"]


async def test_a_connection_that_was_never_made_is_tried_again(rig: Rig) -> None:
    await rig.api.stop()
    with pytest.raises(TryAgain):
        await rig.send()


@pytest.mark.parametrize("fault", ["hang", "drop"])
async def test_an_answer_that_is_lost_may_have_been_taken(rig: Rig, fault: str) -> None:
    rig.api.next["sendMessage"].append(Behaviour(fault=fault))  # type: ignore[arg-type]
    with pytest.raises(Unknown):
        await rig.send()
    assert rig.api.texts(ANA) == ["oi"]


@pytest.mark.parametrize(
    ("status", "words", "reason"),
    [
        (403, "Forbidden: bot was blocked by the user", "blocked"),
        (403, "Forbidden: user is deactivated", "gone"),
        (403, "Forbidden: bot can't initiate conversation with a user", "blocked"),
        (400, "Bad Request: chat not found", "gone"),
    ],
)
async def test_who_cannot_be_written_to_is_named_by_a_reason(rig: Rig, status: int, words: str, reason: str) -> None:
    rig.api.next["sendMessage"].append(Behaviour(status, words))
    with pytest.raises(Unreachable) as error:
        await rig.send()
    assert str(error.value) == reason


async def test_a_chat_that_moved_is_written_to_where_it_went(rig: Rig) -> None:
    rig.api.chats.add(-100500)
    moved = Behaviour(400, "Bad Request: group chat was upgraded", {"migrate_to_chat_id": -100500})
    rig.api.next["sendMessage"].append(moved)
    receipt = await rig.send(Text("um"), Text("dois"))
    assert rig.api.texts(-100500) == ["um", "dois"]
    assert receipt.vendor_id.startswith("-100500:")


async def test_an_answer_that_cannot_be_read_was_taken_all_the_same(rig: Rig) -> None:
    rig.api.next["sendMessage"].append(Behaviour(body=b"<html>"))
    assert (await rig.send()).vendor_id == ""


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("Bad Request: can't parse entities: x", "markup"),
        ("Bad Request: message is too long", "long"),
        ("Bad Request: message caption is too long", "long"),
        ("Bad Request: reply markup is too long", "other"),
    ],
)
def test_what_can_be_mended_is_told_by_telegrams_words(words: str, found: str) -> None:
    assert complaint(BadRequest(words)) == found


# ── the fake itself ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.skipif(SPECIFICATION is None, reason=NO_SPECIFICATION)
def test_our_table_of_methods_agrees_with_the_published_specification() -> None:
    values = {
        "int": 1, "str": "x", "float": 1.5, "bool": True, "array": [], "object": None, "keyboard": None, "file": b"x",
    }  # fmt: skip
    for method, parameters in METHODS.items():
        given = {name: values[kind.rstrip("!")] for name, kind in parameters.items()}
        told = against_specification(method, {name: value for name, value in given.items() if value is not None})
        assert told == [], method


@pytest.mark.skipif(SPECIFICATION is None, reason=NO_SPECIFICATION)
def test_the_published_specification_catches_a_wrong_call() -> None:
    assert against_specification("sendMessage", {"chat_id": 1}) == ["sendMessage: text is missing"]
    assert against_specification("sendMessage", {"chat_id": 1, "text": 5}) != []
    assert against_specification("sendMessage", {"chat_id": 1, "text": "x", "colour": "red"}) != []
    assert against_specification("sendTelegram", {}) != []


async def test_the_fake_refuses_what_telegram_would(rig: Rig) -> None:
    with pytest.raises(RefusedForGood):
        await rig.send(Buttons("?", (Button("x" * 65, "Sim"),)))
    assert rig.api.complaints == ["BUTTON_DATA_INVALID"]
