"""The web widget's HTTP API: sessions, messages, the stream. Shapes: docs/decisions/0001.

A live channel: it delivers nothing by itself, it shows the journal to whoever holds a visitor's token.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast
from uuid import UUID

import msgspec
import uuid_utils
from aiohttp import web

from connectors.contract import (
    Choice,
    Created,
    CustomerId,
    Door,
    Feed,
    Frame,
    Identity,
    Inbound,
    Milliseconds,
    NotAuthentic,
    NotUnderstood,
    Reset,
    Text,
    TryAgain,
    Typing,
    Updated,
)
from connectors.http import trace_of
from connectors.sealing import SealBroken, Seals

_Body = TypeVar("_Body", bound=msgspec.Struct)

CHANNEL = "webchat"
HEARTBEAT = 15.0
TOKEN_LIFE = 24 * 3600
LONGEST_BODY = 64 * 1024
_ORIGIN_KEYS = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")


class Refused(Exception):
    """An answer other than 2xx that is not one of the contract's errors."""

    def __init__(self, status: int, title: str) -> None:
        super().__init__(title)
        self.status = status


class Site(Protocol):
    @property
    def origins(self) -> tuple[str, ...]: ...
    @property
    def locale(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Brand:
    """What the widget shows of the shop. `greeting` gives the sentence in a language."""

    name: str
    assistant: str
    privacy_url: str
    greeting: Callable[[str], str]


class Visitor(msgspec.Struct, frozen=True):
    """Who holds the token or handle: a visitor of a site, and the customer id that its first message will make."""

    site: str
    visitor: str
    customer: str
    made: int

    @property
    def identity(self) -> Identity:
        return Identity(f"{CHANNEL}:{self.site}", self.visitor)


class SessionBody(msgspec.Struct, forbid_unknown_fields=False):
    site: str
    handle: str | None = None
    locale: str | None = None
    page: str | None = None
    referrer: str | None = None


class MessageBody(msgspec.Struct, forbid_unknown_fields=True):
    text: str | None = None
    button: str | None = None


class ReadBody(msgspec.Struct, forbid_unknown_fields=True):
    seq: int


class TypingBody(msgspec.Struct, forbid_unknown_fields=True):
    on: bool = True


class _Token(msgspec.Struct, frozen=True):
    visitor: Visitor
    exp: int
    locale: str
    origin: dict[str, str]


class Webchat:
    """The routes under /v1/widget/."""

    def __init__(self, door: Door, feed: Feed, seals: Seals, sites: Mapping[str, Site], brand: Brand) -> None:
        self._door = door
        self._feed = feed
        self._seals = seals
        self._sites = sites
        self._brand = brand
        self._streams: set[asyncio.Task[Any]] = set()
        self._closing = asyncio.Event()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/widget/session", self.session),
            web.post("/v1/widget/messages", self.send),
            web.get("/v1/widget/messages", self.history),
            web.get("/v1/widget/stream", self.stream),
            web.post("/v1/widget/read", self.read),
            web.post("/v1/widget/typing", self.typing),
        ]

    async def close(self) -> None:
        """Says goodbye to every stream, with a time to come back that spreads them."""
        self._closing.set()
        for task in self._streams:
            task.cancel()
        await asyncio.gather(*self._streams, return_exceptions=True)

    # ── who ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def session(self, request: web.Request) -> web.Response:
        body = await _body(request, SessionBody)
        site = self._sites.get(body.site)
        if site is None:
            raise Refused(404, "no such site")
        visitor = self._returning(body) or _new_visitor(body.site)
        locale = _locale(body.locale or site.locale)
        token = _Token(visitor, _now() + TOKEN_LIFE * 1000, locale, _origin(body))
        cursor = await self._feed.cursor(visitor.identity, CustomerId(visitor.customer))
        return _json(
            {
                "token": self._seals.seal("token", token),
                "exp": token.exp,
                "handle": self._seals.seal("handle", visitor),
                "cursor": cursor,
                "locale": locale,
                "ready": await self._door.ready(),
                "config": {
                    "brand": self._brand.name,
                    "assistant": self._brand.assistant,
                    "greeting": {"text": self._brand.greeting(locale)},
                    "privacy_url": self._brand.privacy_url,
                    "upload": False,
                },
            }
        )

    def _returning(self, body: SessionBody) -> Visitor | None:
        """The visitor of a handle; a handle that we cannot open is a new visitor, never an error."""
        if not body.handle:
            return None
        try:
            visitor = self._seals.unseal("handle", body.handle, Visitor)
        except SealBroken:
            return None
        return visitor if visitor.site == body.site else None

    def _holder(self, request: web.Request) -> _Token:
        scheme, _, sealed = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise NotAuthentic("a token is needed")
        try:
            token = self._seals.unseal("token", sealed.strip(), _Token)
        except SealBroken as error:
            raise NotAuthentic("the token is not ours") from error
        if token.exp < _now() or token.visitor.site not in self._sites:
            raise NotAuthentic("the token has expired")
        return token

    # ── messages ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def send(self, request: web.Request) -> web.Response:
        holder = self._holder(request)
        key = _idempotency_key(request)
        body = await _body(request, MessageBody)
        accepted = await self._door.accept(
            Inbound(
                identity=holder.visitor.identity,
                content=_content(body),
                dedupe=key,
                at=Milliseconds(_now()),
                locale=holder.locale,
                origin=holder.origin,
                customer=CustomerId(holder.visitor.customer),
                trace=trace_of(request),
            )
        )
        answer = {"id": accepted.id, "seq": accepted.seq, "cursor": accepted.cursor}
        return _json(answer, status=200 if accepted.repeated else 201)

    async def history(self, request: web.Request) -> web.Response:
        holder = self._holder(request)
        after, before = request.query.get("after"), request.query.get("before")
        if after is not None and before is not None:
            raise NotUnderstood("after and before exclude each other")
        limit = _limit(request.query.get("limit", "50"))
        page = await self._feed.page(
            holder.visitor.identity, CustomerId(holder.visitor.customer), after=after, before=before, limit=limit
        )
        return _json({"messages": page.messages, "more": page.more})

    async def read(self, request: web.Request) -> web.Response:
        holder = self._holder(request)
        body = await _body(request, ReadBody)
        await self._feed.read(holder.visitor.identity, CustomerId(holder.visitor.customer), body.seq)
        return web.Response(status=204)

    async def typing(self, request: web.Request) -> web.Response:
        """Accepted and shown to nobody while no person has the conversation."""
        self._holder(request)
        await _body(request, TypingBody)
        return web.Response(status=204)

    # ── stream ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def stream(self, request: web.Request) -> web.StreamResponse:
        holder = self._holder(request)
        if self._closing.is_set():
            raise TryAgain("shutting down", after=2)
        identity, known = holder.visitor.identity, CustomerId(holder.visitor.customer)
        cursor = request.headers.get("Last-Event-ID") or await self._feed.cursor(identity, known)
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-cache, no-transform",
                "X-Accel-Buffering": "no",
            }
        )
        await response.prepare(request)
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._streams.add(task)
        try:
            await self._pour(response, self._feed.follow(identity, known, cursor), cursor)
        except (ConnectionError, TryAgain):
            pass  # the reader is gone, or comes back with its cursor
        except asyncio.CancelledError:
            if not self._closing.is_set():
                raise
            with contextlib.suppress(ConnectionError):
                await response.write(_frame("bye", {"retry_ms": random.randint(1000, 10_000)}))  # noqa: S311  no secret
        finally:
            self._streams.discard(task)
        return response

    async def _pour(self, response: web.StreamResponse, frames: AsyncIterator[Frame], cursor: str) -> None:
        ready = await self._door.ready()
        hello = {
            "cursor": cursor,
            "heartbeat_ms": int(HEARTBEAT * 1000),
            "retry_ms": 1000,
            "server_time": _now(),
            "ready": ready,
        }
        await response.write(_frame("hello", hello))
        upcoming = asyncio.ensure_future(anext(frames, None))
        silent = 0.0
        try:
            while True:
                pause = HEARTBEAT if ready else 1.0
                done, _ = await asyncio.wait((upcoming,), timeout=pause)
                if not done:
                    silent += pause
                    if not ready and (ready := await self._door.ready()):
                        await response.write(_frame("state", {"ready": True}))
                    if silent >= HEARTBEAT:
                        silent = 0.0
                        await response.write(b": heartbeat\n\n")
                    continue
                frame = upcoming.result()
                if frame is None:
                    return
                silent = 0.0
                await response.write(_shown(frame))
                upcoming = asyncio.ensure_future(anext(frames, None))
        finally:
            upcoming.cancel()
            await asyncio.gather(upcoming, return_exceptions=True)


# ── translating ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _content(body: MessageBody) -> Text | Choice:
    if body.button is not None:
        return Choice(text=body.text or "", button=body.button)
    if body.text is None:
        raise NotUnderstood("text or button is needed")
    return Text(body.text)


def _shown(frame: Frame) -> bytes:
    match frame:
        case Created(cursor, prev, message):
            return _frame("message.created", {"prev": prev, "message": message}, cursor)
        case Updated(cursor, prev, of, status):
            return _frame("message.updated", {"prev": prev, "of": of, "status": status}, cursor)
        case Typing(on):
            return _frame("typing", {"author": "bot", "on": on})
        case Reset(reason):
            return _frame("reset", {"reason": reason})


def _frame(event: str, data: dict[str, Any], cursor: str = "") -> bytes:
    named = f"id: {cursor}\n" if cursor else ""
    return f"event: {event}\n{named}data: ".encode() + msgspec.json.encode(data) + b"\n\n"


def _new_visitor(site: str) -> Visitor:
    return Visitor(site=site, visitor=str(uuid_utils.uuid7()), customer=str(uuid_utils.uuid7()), made=_now())


def _locale(wanted: str) -> str:
    return "en" if wanted.lower().startswith("en") else "pt-BR"


def _origin(body: SessionBody) -> dict[str, str]:
    """Page and referrer without their query, and of the query the utm_* alone: the rest may hold personal data."""
    page, _, query = (body.page or "").partition("#")[0].partition("?")
    pairs = dict(part.partition("=")[::2] for part in query.split("&") if part)
    referrer = (body.referrer or "").partition("#")[0].partition("?")[0]
    found = {"page": page, "referrer": referrer} | {key: pairs[key] for key in _ORIGIN_KEYS if key in pairs}
    return {key: value[:200] for key, value in found.items() if value}


async def _body(request: web.Request, kind: type[_Body]) -> _Body:
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except msgspec.ValidationError as error:
        raise NotUnderstood(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotUnderstood("the body is no JSON") from error


def _idempotency_key(request: web.Request) -> str:
    try:
        return str(UUID(request.headers.get("Idempotency-Key", "")))
    except ValueError as error:
        raise NotUnderstood("the header Idempotency-Key must be a UUID") from error


def _limit(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 100:
        raise NotUnderstood("limit is a number from 1 to 100")
    return int(text)


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


def _now() -> int:
    return int(time.time() * 1000)
