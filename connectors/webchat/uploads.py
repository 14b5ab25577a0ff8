"""Files of visitors: taken in pieces to a hard stop, known by their content alone, given back by a signed address."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec
from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from connectors.content import Audio, Content, File, Image, Video
from connectors.contract import Message, NotUnderstood, TryAgain
from connectors.media import About, Intake, Kept, Media, NotTaken, plain_name
from connectors.sealing import Seals
from connectors.webchat.limits import Turnstile
from connectors.webchat.ports import Refused
from connectors.webchat.visitors import Token, Visitor, now

LARGEST = 10 * 1024 * 1024
MOST_FILES = 5
SHOWN_TYPES = (
    "image/png",
    "image/jpeg",
    "image/webp",
    "image/gif",
    "application/pdf",
    "text/plain",
    "audio/ogg",
    "audio/mpeg",
    "audio/mp4",
    "video/mp4",
)
SIGNED_FOR = 600
AT_ONCE = 8
"""Uploads that one process takes at the same time."""

_WITHIN = 120.0
_CHUNK = 64 * 1024
_SCHEME = "media:"
_Shown = TypeVar("_Shown", bound=Image | File | Audio | Video)


class Uploads:
    def __init__(self, media: Media, seals: Seals, turnstile: Turnstile, say: Callable[[str, str], str]) -> None:
        self._media = media
        self._seals = seals
        self._turnstile = turnstile
        self._say = say
        self._under_way = 0
        self._intake = Intake(media)

    # ── in ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def take(self, request: web.Request, holder: Token) -> dict[str, Any]:
        visitor, locale = holder.visitor, holder.locale
        if not request.content_type == "multipart/form-data":
            raise NotUnderstood("a file is sent as multipart/form-data")
        await self._turnstile.upload(visitor.visitor, locale)
        if (request.content_length or 0) > LARGEST + _CHUNK:
            raise Refused(413, self._say("upload_too_large", locale))
        if self._under_way >= AT_ONCE:
            raise TryAgain("too many files at once", after=5)
        self._under_way += 1
        try:
            async with asyncio.timeout(_WITHIN), self._media.draft() as draft:
                name, size = await self._received(request, draft, locale)
                await self._turnstile.uploaded(visitor.visitor, size, locale)
                kept = await self._kept(draft, About(owner=self._owner(visitor), name=name), locale)
        except TimeoutError:
            raise Refused(408, self._say("upload_broken", locale)) from None
        finally:
            self._under_way -= 1
        return {"id": kept.id, "content": self._shown(_content(kept, ""))}

    async def _received(self, request: web.Request, draft: Path, locale: str) -> tuple[str, int]:
        """The first part that is a file, on disk: its name and size."""
        try:
            reader = await request.multipart()
            async for part in reader:
                if isinstance(part, BodyPartReader) and part.filename is not None:
                    return plain_name(part.filename), await self._written(part, draft, locale)
        except (
            ValueError,
            AssertionError,
            RuntimeError,
            LookupError,
            EOFError,
            HttpProcessingError,
            web.HTTPBadRequest,
        ):
            raise NotUnderstood("the body is no multipart/form-data") from None
        raise NotUnderstood("there is no file in the body")

    async def _written(self, part: BodyPartReader, draft: Path, locale: str) -> int:
        size = 0
        while chunk := await part.read_chunk(_CHUNK):
            size += len(chunk)
            if size > LARGEST:
                raise Refused(413, self._say("upload_too_large", locale))
            await asyncio.to_thread(_append, draft, bytes(chunk))
        return size

    async def _kept(self, draft: Path, about: About, locale: str) -> Kept:
        try:
            return await self._intake.keep(draft, about)
        except NotTaken as error:
            if error.why == "pixels":
                raise Refused(422, self._say("upload_too_many_pixels", locale)) from None
            raise Refused(415, self._say("upload_kind", locale)) from None

    async def content(self, visitor: Visitor, upload: str, text: str) -> Image | File:
        """What a message with this file says. Somebody else's file is no file at all."""
        kept = await self._media.find(upload)
        if kept is None or not self._seals.is_digest("owner", str(visitor.identity), kept.owner):
            raise NotUnderstood("there is no such upload")
        return _content(kept, text)

    def _owner(self, visitor: Visitor) -> str:
        return self._seals.digest("owner", str(visitor.identity))

    # ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def shown(self, message: Message) -> Message:
        """The message with an address that works for ten minutes in place of our own name of a file."""
        return msgspec.structs.replace(message, content=self.worked(message.content))

    def worked(self, content: Content | None) -> Content | None:
        if not isinstance(content, Image | File | Audio | Video):
            return content
        if content.url.startswith(_SCHEME):
            return self._shown(content)
        # What still lies with another platform has no address that a browser could open.
        return (
            content
            if content.url.startswith(("https://", "http://", "/"))
            else msgspec.structs.replace(content, url="")
        )

    def _shown(self, content: _Shown) -> _Shown:
        media = content.url.removeprefix(_SCHEME)
        until = (now() // 60_000) * 60 + SIGNED_FOR
        signature = f"{until}.{self._seals.digest('media', f'{media} {until}')}"
        return msgspec.structs.replace(content, url=f"/v1/widget/media/{media}?s={signature}")

    async def give(self, request: web.Request) -> web.StreamResponse:
        media = request.match_info["id"]
        until, _, signature = request.query.get("s", "").partition(".")
        if not (until.isascii() and until.isdigit() and len(until) <= 12) or not self._seals.is_digest(
            "media", f"{media} {until}", signature
        ):
            raise Refused(404, "no such file")
        if int(until) * 1000 < now():
            raise Refused(410, "this address has expired; load the conversation again")
        kept = await self._media.find(media)
        if kept is None:
            raise Refused(404, "no such file")
        inline = kept.kind.startswith("image/")
        name = quote(kept.name, safe="")
        response = web.StreamResponse(
            headers={
                "Content-Type": f"{kept.kind}; charset=utf-8" if kept.kind == "text/plain" else kept.kind,
                "Content-Length": str(kept.size),
                "Content-Disposition": f"{'inline' if inline else 'attachment'}; filename*=UTF-8''{name}",
                "Content-Security-Policy": "sandbox; default-src 'none'",
                "Cross-Origin-Resource-Policy": "same-site",
                "X-Content-Type-Options": "nosniff",
                "Referrer-Policy": "no-referrer",
                "Cache-Control": "private, max-age=300",
            }
        )
        await response.prepare(request)
        async with contextlib.aclosing(self._media.read(kept)) as chunks:
            await _poured(chunks, response)
        return response


def _append(draft: Path, chunk: bytes) -> None:
    # Opened for each piece: a sender that goes away in the middle leaves no file open.
    with draft.open("ab") as file:
        file.write(chunk)


async def _poured(chunks: AsyncIterator[bytes], response: web.StreamResponse) -> None:
    async for chunk in chunks:
        await response.write(chunk)
    await response.write_eof()


def _content(kept: Kept, text: str) -> Image | File:
    url = f"{_SCHEME}{kept.id}"
    if kept.kind.startswith("image/"):
        return Image(url=url, alt=kept.name, text=text)
    return File(url=url, name=kept.name, text=text)
