"""What Telegram sends becomes what we say of it; python-telegram-bot's own reading is asked beside ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from telegram import Update

from connectors.content import Audio, Choice, Command, Content, File, Image, Location, Placeholder, Text, Video
from connectors.contract import Edited, Identity, Inbound, Milliseconds, NotSupported, NotUnderstood
from connectors.telegram import updates
from connectors.telegram.updates import Group, Reach, Tap, parsed

FIXTURES = Path(__file__).parents[3] / "fixtures" / "telegram"
ACCOUNT = "telegram:main"
NOW = Milliseconds(1_800_000_000_000)
ANA = Identity(ACCOUNT, "42")


def read(kind: str = "message", **content: Any) -> updates.Found:
    return parsed(encoded(kind, **content), ACCOUNT, NOW)


def encoded(kind: str = "message", **content: Any) -> bytes:
    said = {
        "message_id": 7,
        "from": {"id": 42, "is_bot": False, "first_name": "Ana", "username": "ana_s", "language_code": "pt-br"},
        "chat": {"id": 42, "type": "private"},
        "date": 1_700_000_000,
        **content,
    }
    return json.dumps({"update_id": 100, kind: said}).encode()


FOUND = {
    "audio_message": Audio,
    "callback_query": Tap,
    "channel_post": None,
    "contact_message": Placeholder,
    "document_message": File,
    "edited_message": Edited,
    "group_callback_query": None,
    "group_message": Group,
    "inline_query": None,
    "location_message": Location,
    "my_chat_member_blocked": Reach,
    "photo_message": Image,
    "reply_to_text_message": Text,
    "start_deep_link": Command,
    "sticker_message": Placeholder,
    "text_message": Text,
    "tlx_effect_text": Text,
    "tlx_empty_message": None,
    "tlx_message_reaction": None,
    "tlx_migrate_from": Group,
    "tlx_migrate_to": Group,
    "tlx_photo": Image,
    "tlx_photo_caption_entities": Image,
    "tlx_private_text": Text,
    "tlx_sticker": Placeholder,
    "tlx_text": Text,
    "tlx_topic_message": Group,
    "tlx_topic_reply_command": Group,
    "tlx_unknown_update_kind": None,
    "tlx_venue": Location,
    "tlx_video_forwarded": Video,
    "venue_message": Location,
    "video_message": Video,
    "voice_message": Audio,
}
"""What each published update is for us; None: nothing, and counted."""


def test_every_published_update_has_its_line() -> None:
    assert sorted(FOUND) == sorted(path.stem for path in FIXTURES.glob("*.json"))


@pytest.mark.parametrize("name", FOUND)
def test_a_published_update_is_understood(name: str) -> None:
    body = (FIXTURES / f"{name}.json").read_bytes()
    wanted = FOUND[name]
    if wanted is None:
        with pytest.raises(NotSupported):
            parsed(body, ACCOUNT, NOW)
        return
    found = parsed(body, ACCOUNT, NOW)
    assert isinstance(found.content if isinstance(found, Inbound) else found, wanted)


@pytest.mark.parametrize("name", sorted(name for name, kind in FOUND.items() if kind not in (None, Group, Reach)))
def test_python_telegram_bot_reads_the_same_of_it(name: str) -> None:
    body = (FIXTURES / f"{name}.json").read_bytes()
    ours, theirs = parsed(body, ACCOUNT, NOW), Update.de_json(json.loads(body), None)
    message = theirs.effective_message
    assert message is not None
    match ours:
        case Inbound():
            assert ours.identity.id == str(message.chat.id)
            assert ours.dedupe == f"{message.chat.id}:{message.message_id}"
            assert ours.at == (int(message.date.timestamp() * 1000) or NOW)
            if isinstance(ours.content, Text):
                assert ours.content.text == message.text
        case Edited():
            assert ours.of == f"{message.chat.id}:{message.message_id}"
        case Tap():
            assert theirs.callback_query is not None
            assert (ours.query, ours.message) == (theirs.callback_query.id, message.message_id)
        case _:
            raise AssertionError(ours)


# ── what is said ────────────────────────────────────────────────────────────────────────────────────────────────────

SAID: dict[str, tuple[dict[str, Any], Content]] = {
    "text": ({"text": " oi *você* "}, Text(" oi *você* ")),
    "another command": ({"text": "/pedido 123"}, Text("/pedido 123")),
    "a command in a sentence": ({"text": "diga /help"}, Text("diga /help")),
    "help": ({"text": "/help"}, Command("/help", "help")),
    "help to us by name": ({"text": "/help@aurora_loja_bot"}, Command("/help@aurora_loja_bot", "help")),
    "language": ({"text": "/language  en "}, Command("/language  en", "language", "en")),
    "a photo": (
        {"photo": [{"file_id": "s"}, {"file_id": "L"}], "caption": "o tênis"},
        Image("telegram:L", text="o tênis"),
    ),
    "a moving picture": ({"animation": {"file_id": "a"}, "document": {"file_id": "a"}}, Video("telegram:a")),
    "a round video": ({"video_note": {"file_id": "v"}}, Video("telegram:v")),
    "a voice": ({"voice": {"file_id": "o"}, "caption": "ouça"}, Audio("telegram:o", "ouça")),
    "a document": ({"document": {"file_id": "d", "file_name": "nota.pdf"}}, File("telegram:d", "nota.pdf")),
    "a place": ({"location": {"latitude": -23, "longitude": -46.5}}, Location(-23.0, -46.5)),
    "a venue": (
        {"venue": {"location": {"latitude": 1, "longitude": 2}, "title": "Sé", "address": "Rua A"}},
        Location(1.0, 2.0, "Sé, Rua A"),
    ),
    "a poll": ({"poll": {"id": "1"}}, Placeholder("poll")),
    "a dice": ({"dice": {"emoji": "🎲", "value": 3}}, Placeholder("dice")),
    "something new": ({"hologram": {"id": 1}, "caption": "veja"}, Placeholder("hologram", "veja")),
    "something odd": ({"<b>": 1}, Placeholder("unknown")),
}


@pytest.mark.parametrize("name", SAID)
def test_what_a_person_sends_becomes_content(name: str) -> None:
    content, wanted = SAID[name]
    found = read(**content)
    assert isinstance(found, Inbound)
    assert found.content == wanted
    assert (found.identity, found.dedupe, found.at, found.locale) == (ANA, "42:7", 1_700_000_000_000, "pt-br")
    assert found.about == {"name": "Ana", "username": "ana_s"}


def test_a_link_code_stands_beside_the_words_and_not_in_them() -> None:
    found = read(text="/start Abc_-0123456789abcdefg")
    assert isinstance(found, Inbound)
    assert (found.content, found.link) == (Command("/start", "start"), "Abc_-0123456789abcdefg")


@pytest.mark.parametrize("text", ["/start", "/start  ", "/start <b>", "/start " + "a" * 65])
def test_what_is_no_code_is_a_plain_start(text: str) -> None:
    found = read(text=text)
    assert isinstance(found, Inbound)
    assert (found.content, found.link) == (Command("/start", "start"), "")


def test_a_message_of_the_future_came_now() -> None:
    found = read(text="oi", date=NOW // 1000 + 60)
    assert isinstance(found, Inbound)
    assert found.at == NOW


@pytest.mark.parametrize(
    "content",
    [
        {"pinned_message": {"message_id": 1}},
        {"chat": {"id": -5, "type": "channel"}, "text": "oi"},
        {"from": {"id": 1, "is_bot": True}, "text": "oi"},
        {"new_chat_title": "x"},
        {},
    ],
)
def test_what_nobody_said_to_us_is_not_supported(content: dict[str, Any]) -> None:
    with pytest.raises(NotSupported):
        read(**content)


def test_an_edit_names_the_message_by_its_key() -> None:
    edited = read("edited_message", text="/help", edit_date=1_700_000_060)
    assert edited == Edited(ANA, "42:7", Text("/help"), "e100", Milliseconds(1_700_000_060_000))


def test_a_place_that_moves_is_no_edit() -> None:
    with pytest.raises(NotSupported):
        read("edited_message", location={"latitude": 1, "longitude": 2})


# ── taps ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def tap(data: str, *rows: list[dict[str, str]], date: int = 1_700_000_000, kind: str = "private") -> updates.Found:
    shown = {"message_id": 9, "chat": {"id": 42, "type": kind}, "date": date}
    if rows:
        shown["reply_markup"] = {"inline_keyboard": rows}
    query = {"id": "q1", "from": {"id": 42, "language_code": "en"}, "message": shown, "data": data}
    return parsed(json.dumps({"update_id": 5, "callback_query": query}).encode(), ACCOUNT, NOW)


def test_a_tap_is_a_choice_with_the_title_that_was_seen() -> None:
    found = tap("b2", [{"text": "Sim", "callback_data": "b1"}, {"text": "Não", "callback_data": "b2"}])
    assert isinstance(found, Tap)
    assert (found.chat, found.message, found.title, found.language) == (42, 9, "Não", "en")
    assert found.inbound is not None
    assert (found.inbound.content, found.inbound.dedupe) == (Choice("Não", "b2"), "tq1")


def test_a_tap_on_a_message_that_telegram_forgot_is_still_a_choice() -> None:
    found = tap("b2", date=0)
    assert isinstance(found, Tap)
    assert (found.message, found.title) == (0, "")
    assert found.inbound is not None


def test_a_tap_on_what_was_chosen_says_nothing() -> None:
    found = tap("-", [{"text": "✓ Sim", "callback_data": "-"}])
    assert isinstance(found, Tap)
    assert found.inbound is None


def test_a_tap_in_a_group_is_not_supported() -> None:
    with pytest.raises(NotSupported):
        tap("b2", kind="group")


# ── any bytes ───────────────────────────────────────────────────────────────────────────────────────────────────────

_KEYS = st.sampled_from(
    "message edited_message callback_query my_chat_member chat from id type text date photo file_id venue location "
    "data new_chat_member status reply_markup inline_keyboard update_id message_id is_bot caption voice".split()
)
_LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just("private"))
_VALUES = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=6), max_leaves=20
)


@given(st.one_of(st.binary(max_size=200), st.dictionaries(_KEYS, _VALUES).map(lambda made: json.dumps(made).encode())))
def test_any_bytes_are_understood_or_refused(body: bytes) -> None:
    try:
        found = parsed(body, ACCOUNT, NOW)
    except (NotUnderstood, NotSupported):
        return
    if isinstance(found, Inbound | Edited):
        # What leaves here can be written down and read again as what it is.
        again = msgspec.json.decode(msgspec.json.encode(found.content), type=type(found.content))
        assert again == found.content
    updates.number(body), updates.chat(body)


@given(st.dictionaries(_KEYS, _VALUES, max_size=6))
def test_a_message_with_anything_beside_its_words_is_understood_or_refused(beside: dict[str, Any]) -> None:
    with_us = {key: value for key, value in beside.items() if key not in ("chat", "message_id", "from")}
    try:
        found = read(**with_us)
    except (NotUnderstood, NotSupported):
        return
    assert isinstance(found, Inbound)
    assert found.identity == ANA
