"""The conversation to take away, as plain text or as a page without a script; nothing in it can run."""

from __future__ import annotations

import html
from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from aiohttp import web

from connectors.content import Audio, File, Image, Location, Placeholder, Video
from connectors.contract import CustomerId, Feed, Identity, Message
from connectors.webchat.ports import Brand

MOST_MESSAGES = 10_000
_PAGE = 100
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:2rem auto;padding:0 1rem}"
    "dt{font-weight:600;margin-top:1rem}time{font-weight:400;color:#555}dd{margin:0;white-space:pre-wrap}"
)


async def everything(feed: Feed, identity: Identity, known: CustomerId) -> list[Message]:
    """The messages from the first on; the last `MOST_MESSAGES` of a very long conversation."""
    found: list[Message] = []
    before: str | None = None
    while len(found) < MOST_MESSAGES:
        page = await feed.page(identity, known, after=None, before=before, limit=_PAGE)
        found = [*page.messages, *found]
        if not page.more or not page.messages:
            break
        before = page.messages[0].cursor
    return found


def download(messages: Sequence[Message], kind: Literal["text", "html"], locale: str, brand: Brand) -> web.Response:
    rows = [(_when(message, brand), _author(message, locale, brand), _words(message)) for message in messages]
    title = f"{brand.say('transcript_title', locale)} – {brand.name}"
    made = text(title, rows) if kind == "text" else page(title, rows, locale)
    name = "conversa" if locale == "pt-BR" else "conversation"
    return web.Response(
        text=made,
        content_type="text/plain" if kind == "text" else "text/html",
        charset="utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}.{"txt" if kind == "text" else "html"}"',
            "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
            "Cache-Control": "no-store",
        },
    )


def text(title: str, rows: Sequence[tuple[str, str, str]]) -> str:
    lines = [title, ""]
    for when, author, words in rows:
        # A line that a person wrote is always indented: none can pass for somebody else's.
        lines += [f"[{when}] {author}:", *(f"    {line}" for line in words.splitlines()), ""]
    return "\n".join(lines)


def page(title: str, rows: Sequence[tuple[str, str, str]], locale: str) -> str:
    shown = "\n".join(
        f"<dt>{html.escape(author)} <time>{html.escape(when)}</time></dt><dd>{html.escape(words)}</dd>"
        for when, author, words in rows
    )
    name = html.escape(title)
    return (
        f'<!doctype html>\n<html lang="{html.escape(locale)}"><meta charset="utf-8"><title>{name}</title>'
        f"<style>{_STYLE}</style>\n<h1>{name}</h1>\n<dl>\n{shown}\n</dl>\n</html>\n"
    )


def _when(message: Message, brand: Brand) -> str:
    return datetime.fromtimestamp(message.at / 1000, ZoneInfo(brand.time_zone)).strftime("%Y-%m-%d %H:%M")


def _author(message: Message, locale: str, brand: Brand) -> str:
    if message.author.kind == "customer":
        return brand.say("transcript_you", locale)
    return " ".join((message.author.name or brand.name).split())


def _words(message: Message) -> str:
    match message.content:
        case Image(alt=name) | File(name=name):
            return f"[{name or '…'}]\n{message.text}".strip()
        case Audio() | Video() | Location() | Placeholder():
            # Something was sent that words cannot show.
            return f"[…]\n{message.text}".strip()
        case _:
            return message.text
