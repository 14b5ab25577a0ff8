"""The parts of a message become calls, one after the other.

Telegram takes no key by which it would drop a repeat: what was taken is counted, so that a later try goes on behind it.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Literal

from msgspec.structs import replace
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, InputFile, LinkPreviewOptions, Message
from telegram.constants import ParseMode
from telegram.error import BadRequest, ChatMigrated

from connectors.content import (
    Audio,
    Button,
    Buttons,
    Card,
    Carousel,
    Content,
    File,
    Image,
    List,
    Location,
    Survey,
    Video,
    choices,
)
from connectors.contract import Capabilities, Outbound, Receipt, RefusedForGood, TryAgain, Unreachable
from connectors.cutting import plain, split
from connectors.media import Kept, Media
from connectors.telegram.calls import called, complaint, refused
from connectors.telegram.formatting import html
from connectors.telegram.updates import CHANNEL

CAPABILITIES = Capabilities(
    shows=frozenset({"text", "buttons", "image", "file", "audio", "video", "location", "carousel"}),
    longest_text=4096,
    longest_caption=1024,
    most_buttons=40,
    longest_button=60,
    most_cards=1,  # one message each, so that each is taken or not
    markdown=True,
)

WITHIN = 18.0
"""Seconds of one try after which no further part is begun: the outbox ends a try that takes too long."""

SHORT = 12
"""Characters of a button's title up to which several stand in one row."""
MOST_IN_ROW = 5
LARGEST_PHOTO = 10 * 1024 * 1024
LARGEST = 50 * 1024 * 1024
"""Bytes that Telegram takes."""

OURS = "media:"
Way = Literal["photo", "animation", "voice", "audio", "video", "document"]
Markup = InlineKeyboardMarkup | None

_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)

Sent = Awaitable[Message]


class Sending:
    def __init__(self, bot: Bot, media: Media, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._bot = bot
        self._media = media
        self._clock = clock

    async def send(self, outbound: Outbound) -> Receipt:
        """Raises the contract's errors; `TryAgain` says how many parts were taken."""
        try:
            chat = int(outbound.to.id)
        except ValueError:
            raise RefusedForGood("this is no chat of Telegram") from None
        began, vendor_id = self._clock(), ""
        for number, part in enumerate(outbound.parts):
            if number < outbound.taken:
                continue
            if vendor_id and self._clock() > began + WITHIN:
                raise TryAgain("the parts before took long", after=0.1, taken=number)
            try:
                message = await self._moved_after(chat, part)
            except TryAgain as error:
                raise TryAgain(str(error), after=error.after, taken=number) from error
            if message:
                chat, vendor_id = message.chat.id, f"{message.chat.id}:{message.message_id}"
        return Receipt(vendor_id)

    async def _moved_after(self, chat: int, part: Content) -> Message | None:
        try:
            return await self._part(chat, part)
        except ChatMigrated as moved:
            return await self._part(moved.new_chat_id, part)
        except BadRequest as error:
            raise refused(error) from error

    async def _part(self, chat: int, part: Content) -> Message | None:
        match part:
            case Buttons() | Survey() | List():
                return await self._text(chat, part.text, keyboard(choices(part)))
            case Carousel():
                return await self._card(chat, part.cards[0])
            case Image() | File() | Audio() | Video():
                return await self._file(chat, part, None)
            case Location():
                return await self._place(chat, part)
            case _:
                return await self._text(chat, part.text, None)

    # ── words ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _text(self, chat: int, text: str, markup: Markup) -> Message | None:
        if not text.strip():
            raise RefusedForGood("there is nothing to show")
        try:
            return await _worded(text, lambda words, mode: self._message(chat, words, mode, markup))
        except BadRequest as error:
            if complaint(error) != "long" or len(text) < 2:
                raise
        *first, last = split(text, (len(text) + 1) // 2)
        for piece in first:
            await self._text(chat, piece, None)
        return await self._text(chat, last, markup)

    def _message(self, chat: int, text: str, mode: str | None, markup: Markup) -> Sent:
        return self._bot.send_message(
            chat, text, parse_mode=mode, reply_markup=markup, link_preview_options=_NO_PREVIEW
        )

    # ── cards and places ────────────────────────────────────────────────────────────────────────────────────────────

    async def _card(self, chat: int, card: Card) -> Message | None:
        words = "\n".join(line for line in (f"**{card.title}**" if card.title else "", card.text) if line)
        markup = keyboard(card.buttons, card.url)
        if card.image:
            return await self._file(chat, Image(card.image, card.title, words), markup)
        return await self._text(chat, words or card.url, markup)

    async def _place(self, chat: int, place: Location) -> Message | None:
        north, east = place.latitude, place.longitude
        name, told = plain(place.name), plain(place.text)
        if not name and not told:
            return await called(self._bot.send_location(chat, north, east))
        title, address = (name, told or f"{north:.5f}, {east:.5f}") if name else (told, "-")
        return await called(self._bot.send_venue(chat, north, east, title, address))

    # ── files ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _file(self, chat: int, part: Image | File | Audio | Video, markup: Markup) -> Message | None:
        """As what it is; where Telegram does not take it as that, as a document; else words with its address."""
        kept = await self._kept(part.url)
        source = InputFile(await self._bytes(kept), filename=kept.name) if kept else _address(part.url)
        for way in _ways(part, kept) if source else ():
            try:
                return await _worded(part.text, partial(self._given, way, chat, source, markup))
            except BadRequest as error:
                if isinstance(refused(error), Unreachable):
                    raise
                if complaint(error) == "long":
                    await self._file(chat, replace(part, text=""), None)
                    return await self._text(chat, part.text, markup)
        if kept:
            raise RefusedForGood("Telegram does not take this file")
        told = (part.text, getattr(part, "name", ""), part.url)
        return await self._text(chat, "\n".join(line for line in told if line), markup)

    def _given(self, way: Way, chat: int, source: Any, markup: Markup, words: str, mode: str | None) -> Sent:
        beside: dict[str, Any] = {"caption": words or None, "parse_mode": mode, "reply_markup": markup}
        match way:
            case "photo":
                return self._bot.send_photo(chat, source, **beside)
            case "animation":
                return self._bot.send_animation(chat, source, **beside)
            case "voice":
                return self._bot.send_voice(chat, source, **beside)
            case "audio":
                return self._bot.send_audio(chat, source, **beside)
            case "video":
                return self._bot.send_video(chat, source, **beside)
            case "document":
                return self._bot.send_document(chat, source, **beside)

    async def _kept(self, url: str) -> Kept | None:
        if not url.startswith(OURS):
            return None
        kept = await self._media.find(url.removeprefix(OURS))
        if kept is None:
            raise RefusedForGood("the file is not here any more")
        return kept

    async def _bytes(self, kept: Kept) -> bytes:
        if kept.size > LARGEST:
            raise RefusedForGood("the file is larger than Telegram takes")
        return b"".join([chunk async for chunk in self._media.read(kept)])


def _ways(part: Image | File | Audio | Video, kept: Kept | None) -> tuple[Way, ...]:
    """How it is shown, best first."""
    end = part.url.rpartition(".")[2].lower()
    match part:
        case Image() if kept.kind == "image/gif" if kept else end == "gif":
            return "animation", "document"
        case Image() if kept is None or kept.size <= LARGEST_PHOTO:
            return "photo", "document"
        case Audio() if kept.kind == "audio/ogg" if kept else end in ("ogg", "oga", "opus"):
            return "voice", "audio", "document"
        case Audio():
            return "audio", "document"
        case Video():
            return "video", "document"
        case _:
            return ("document",)


def _address(url: str) -> str:
    """What Telegram can fetch or holds itself. Anything else is never given to the library: it would open a path."""
    if url.startswith(("https://", "http://")):
        return url
    return url.removeprefix(f"{CHANNEL}:") if url.startswith(f"{CHANNEL}:") and "/" not in url else ""


async def _worded(text: str, call: Callable[[str, str | None], Sent]) -> Message | None:
    """With its marks; where Telegram does not understand our HTML, once more without any."""
    try:
        return await called(call(html(text), ParseMode.HTML))
    except BadRequest as error:
        if complaint(error) != "markup":
            raise
    return await called(call(plain(text), None))


def keyboard(buttons: Sequence[Button], url: str = "") -> InlineKeyboardMarkup | None:
    """Short titles side by side, all others below each other."""
    rows: list[list[InlineKeyboardButton]] = []
    room = 0
    for button in buttons:
        short = len(button.title) <= SHORT
        if not (short and room):
            rows.append([])
            room = MOST_IN_ROW if max(len(other.title) for other in buttons) <= 3 else 2 if short else 1
        rows[-1].append(InlineKeyboardButton(button.title, callback_data=button.id))
        room = room - 1 if short else 0
    if url.startswith(("https://", "http://")):
        rows.append([InlineKeyboardButton(url.split("/")[2], url=url)])
    return InlineKeyboardMarkup(rows) if rows else None
