"""A stand-in for the router's web side that does as a test says: for contents, refusals and moments that the assistant
does not bring about by itself. Shapes: docs/decisions/0001 and 0003; it serves the pages by the router's own code."""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from e2e.onward import Onward

from router.web import Pages

WEB = Path(__file__).resolve().parents[2] / "web"
JOURNAL = "abcdef0123456789"
OTHER_JOURNAL = "9876543210fedcba"
AT = 1_790_000_000_000
GREETING = {
    "pt-BR": "Oi, sou a Aurora, a assistente virtual da Loja Aurora. Como posso ajudar?",
    "en": "Hi, I am Aurora, the virtual assistant of Loja Aurora. How can I help?",
}


@dataclass
class Site:
    origins: tuple[str, ...] = ()
    locale: str = "pt-BR"


@dataclass
class Conversation:
    """What the visitors of one handle and its successors see."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    frames: list[str] = field(default_factory=list)
    keys: dict[str, dict[str, Any]] = field(default_factory=dict)
    other: list[dict[str, Any]] = field(default_factory=list)
    """What was said in a conversation that became one with this: its journal grows no more."""


class Stage:
    """Start it, let browsers come, say what they shall hear. It holds one conversation at a time."""

    def __init__(self) -> None:
        self.site = Site()
        self.config: dict[str, Any] = {}
        self.sent: list[dict[str, Any]] = []
        self.uploaded: list[tuple[str, str, int]] = []
        self.sessions: list[dict[str, Any]] = []
        self.calls: list[str] = []
        self.cursors: list[str] = []
        """Where streams went on."""
        self.reads: list[int] = []
        self.onward = Onward()
        self._open: set[object] = set()
        self.upload_status = 201
        self.buffers = False
        """Whether a proxy before us holds the stream's bytes back."""
        self.restarts = False
        """Whether the next session is somebody new, for the handle is good no more."""
        self._generation = 0
        self._conversation = Conversation()
        self._tokens: set[str] = set()
        self._loop = asyncio.new_event_loop()
        self._news = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._runner = self._run(self._start())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self.reset()  # ends what waits for news
        self._run(self._runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def reset(self) -> None:
        """As it was at the start: nobody has said anything, nothing is configured."""
        self.config, self.sent, self.sessions, self.uploaded, self.calls = {}, [], [], [], []
        self.cursors, self.reads = [], []
        self.upload_status, self.buffers, self.restarts = 201, False, False
        self.onward.reset()
        self._conversation = Conversation()
        self._open = set()
        self._tokens.clear()
        self._do(self._tell)

    @property
    def streams(self) -> int:
        """How many streams of this conversation are read; what an earlier test left behind does not count."""
        return len(self._open)

    def says(
        self, content: dict[str, Any] | str, kind: str = "bot", name: str = "", at: int = 0, channel: str = "webchat"
    ) -> None:
        """The shop's side says something, or the customer elsewhere; whoever is connected sees it."""
        told = {"type": "text", "text": content} if isinstance(content, str) else content
        self._do(lambda: self._add(kind, name, told, at, channel))

    def fills(self, count: int) -> None:
        """A long past, which is in the history and in no stream."""
        for n in range(count):
            kind = "customer" if n % 2 else "bot"
            self._conversation.messages.append(
                self._message(kind, "", {"type": "text", "text": f"mensagem {n + 1}"}, 0)
            )

    def joins(self, *texts: str) -> None:
        """The conversation becomes one with another, whose newest messages are newer than ours."""
        for n, text in enumerate(texts, start=1):
            message = self._message("bot", "", {"type": "text", "text": text}, AT + 60_000 + n)
            self._conversation.other.append({**message, "seq": n, "cursor": f"{OTHER_JOURNAL}.{n}"})

    def until_watched(self) -> None:
        """Come back when a browser reads the stream."""

        async def watched() -> None:
            while not self.streams:
                await self._news.wait()

        self._run(watched())

    def eventually(self, condition: Callable[[], object]) -> None:
        """Come back when it is true; what a page shows at once may reach us later. Raises TimeoutError after 15 s."""

        async def comes_true() -> None:
            async with asyncio.timeout(15):
                while not condition():  # noqa: ASYNC110  a bounded look
                    await asyncio.sleep(0.02)

        self._run(comes_true())

    def delivers(self, seq: int, status: str) -> None:
        """A message of ours got another state."""
        count = len(self._conversation.messages)
        change = {"prev": count, "of": seq, "status": status}
        self._do(lambda: self._durable("message.updated", change, f"{JOURNAL}.{count}"))

    def rewrites(self, seq: int, content: dict[str, Any] | str) -> None:
        """A message reads otherwise now: edited on its channel, or its file was fetched."""
        count = len(self._conversation.messages)
        text, told = (content, None) if isinstance(content, str) else (content.get("text", ""), content)
        change = {"prev": count, "of": seq, "text": text, "content": told}
        self._do(lambda: self._durable("message.updated", change, f"{JOURNAL}.{count}"))

    def types(self, on: bool) -> None:
        self.until_watched()
        self._do(lambda: self._frame("typing", {"author": "bot", "on": on}))

    # ── inside ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def _do(self, work: Callable[[], object]) -> None:
        async def once() -> None:
            work()

        self._run(once())

    async def _start(self) -> web.AppRunner:
        pages = Pages(WEB, (WEB / "dist" / "widget" / "embed.html").read_text("utf-8"), {"demo": self.site})
        app = web.Application(client_max_size=20 * 2**20)
        app.add_routes(pages.routes())
        posts: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
            "session": self._session,
            "messages": self._send,
            "uploads": self._upload,
            "transcript": self._transcript,
            "signout": self._signout,
            "read": self._read,
        }
        app.add_routes([web.post(f"/v1/widget/{name}", self._guard(name, handle)) for name, handle in posts.items()])
        app.add_routes(self.onward.routes(self._guard))
        app.add_routes([web.get("/v1/widget/messages", self._guard("history", self._history))])
        app.add_routes([web.get("/v1/widget/stream", self._guard("stream", self._stream))])
        app.add_routes([web.get("/v1/widget/media/{name}", self._media), web.get("/shop", self._shop)])
        runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port: int = runner.addresses[0][1]
        self.site.origins = (f"http://127.0.0.1:{self.port}",)
        return runner

    def _guard(
        self, name: str, handle: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def guarded(request: web.Request) -> web.StreamResponse:
            self.calls.append(name)
            if name != "session" and request.headers.get("Authorization", "")[7:] not in self._tokens:
                return web.json_response({"title": "no such token", "status": 401}, status=401)
            return await handle(request)

        return guarded

    async def _session(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.sessions.append(body)
        if body.get("identity", "").startswith("wrong"):
            return web.json_response({"title": "wrong identity", "status": 401}, status=401)
        # A new session makes all before it void, as the router does once the new one is used.
        self._generation += 1
        token = f"{self._generation}-{uuid.uuid4().hex}"
        self._tokens = {token}
        locale = "en" if str(body.get("locale", "")).startswith("en") else "pt-BR"
        config = {
            "brand": "Loja Aurora",
            "assistant": "Aurora",
            "greeting": {"text": GREETING[locale]},
            "privacy_url": "https://loja.example/privacidade",
            "notice": None,
            "form": [],
            "upload": None,
            "color": "",
            "unread": 0,
            "reply_time": "",
            **self.config,
        }
        restarted, self.restarts = self.restarts, False
        if restarted:
            self._conversation = Conversation()
            self._tell()
        answer = {"token": token, "exp": 0, "handle": token, "cursor": self._cursor(), "locale": locale, "ready": True}
        return web.json_response({**answer, "visitor": {"verified": False}, "restarted": restarted, "config": config})

    async def _send(self, request: web.Request) -> web.Response:
        body = await request.json()
        key = request.headers["Idempotency-Key"]
        known = self._conversation.keys.get(key)
        if known:
            return web.json_response(known)
        self.sent.append(body)
        content: dict[str, Any] = {"type": "text", "text": body.get("text", "")}
        if "upload" in body:
            content = {"type": "file", "url": "/v1/widget/media/f", "name": "nota.pdf", "text": body.get("text", "")}
        message = self._add("customer", "", content, 0)
        answer = {"id": message["id"], "seq": message["seq"], "cursor": message["cursor"]}
        self._conversation.keys[key] = answer
        return web.json_response(answer, status=201)

    async def _history(self, request: web.Request) -> web.Response:
        messages, query = self._conversation.messages, request.query
        limit = int(query.get("limit", "50"))
        if "after" in query:
            rest = messages[int(query["after"].split(".")[-1]) :]
            return web.json_response({"messages": rest[:limit], "more": len(rest) > limit})
        if "before" in query:
            messages = messages[: int(query["before"].split(".")[-1]) - 1]
        page = {"messages": messages[-limit:], "more": len(messages) > limit}
        if "before" in query:
            return web.json_response(page)
        page["messages"] = [*messages[-limit:], *self._conversation.other]
        return web.json_response({**page, "cursor": self._cursor()})

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        conversation = self._conversation
        self.cursors.append(request.headers["Last-Event-ID"])
        journal, last = request.headers["Last-Event-ID"].split(".")
        seen = int(last) if journal == JOURNAL else 0
        if "wait" in request.query:
            while len(conversation.messages) <= seen and self._conversation is conversation:
                await self._news.wait()
            frames = [
                {"event": "message.created", "id": m["cursor"], "data": {"prev": m["seq"] - 1, "message": m}}
                for m in conversation.messages[seen:]
            ]
            return web.json_response({"frames": frames, "cursor": f"{JOURNAL}.{len(conversation.messages)}"})
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        await response.prepare(request)
        mine, opened = object(), self._open
        opened.add(mine)
        self._tell()
        try:
            if self.buffers:
                await asyncio.Event().wait()
            await response.write(_frame("hello", {"cursor": "", "heartbeat_ms": 15000, "ready": True}))
            for message in conversation.messages[seen:]:
                await response.write(_created(message))
            at = len(conversation.frames)
            while self._conversation is conversation:
                for frame in conversation.frames[at:]:
                    await response.write(frame.encode())
                at = len(conversation.frames)
                await self._news.wait()
        except ConnectionError:
            pass  # the browser has left
        finally:
            opened.discard(mine)
        return response

    async def _upload(self, request: web.Request) -> web.Response:
        if self.upload_status != 201:
            return web.json_response({"title": "planted"}, status=self.upload_status)
        form = await request.post()
        file = form["file"]
        assert isinstance(file, web.FileField)
        self.uploaded.append((file.filename, file.content_type, len(file.file.read())))
        kind = "image" if file.content_type.startswith("image/") else "file"
        url = "/v1/widget/media/picture" if kind == "image" else "/v1/widget/media/f"
        content = {"type": kind, "url": url, "name": file.filename, "alt": file.filename}
        return web.json_response({"id": uuid.uuid4().hex, "content": content}, status=201)

    async def _transcript(self, request: web.Request) -> web.Response:
        body = await request.json()
        headers = {"Content-Disposition": f'attachment; filename="conversa.{body["format"]}"'}
        return web.Response(text="Aurora: oi", headers=headers)

    async def _signout(self, request: web.Request) -> web.Response:
        self._tokens.clear()
        self._conversation = Conversation()
        self._tell()
        return web.Response(status=204)

    async def _read(self, request: web.Request) -> web.Response:
        self.reads.append((await request.json())["seq"])
        return web.Response(status=204)

    async def _media(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["name"] != "picture":
            raise web.HTTPNotFound
        return web.FileResponse(WEB / "pages" / "assets" / "sneaker.svg")

    async def _shop(self, request: web.Request) -> web.Response:
        """A page with nothing but the chat, which other sites can be made of."""
        script = f'<script src="{self.url}/widget/loader.js" data-site="demo" data-locale="page" async></script>'
        lang = request.query.get("lang", "pt-BR")
        direction = request.query.get("dir", "ltr")
        head = f'<!doctype html><html lang="{lang}" dir="{direction}"><title>Loja</title>'
        head += f'<meta name="viewport" content="width=device-width, initial-scale=1">{script}'
        page = f"{head}<main><h1>Loja</h1></main></html>"
        return web.Response(text=page, content_type="text/html")

    def _message(
        self, kind: str, name: str, content: dict[str, Any], at: int, channel: str = "webchat"
    ) -> dict[str, Any]:
        seq = len(self._conversation.messages) + 1
        return {
            "id": str(uuid.uuid4()),
            "seq": seq,
            "cursor": f"{JOURNAL}.{seq}",
            "author": {"kind": kind, "name": name},
            "channel": channel,
            "text": content.get("text", ""),
            "content": None if content["type"] == "text" else content,
            "at": at or AT + seq * 1000,
            "status": "sent",
        }

    def _add(self, kind: str, name: str, content: dict[str, Any], at: int, channel: str = "webchat") -> dict[str, Any]:
        message = self._message(kind, name, content, at, channel)
        self._conversation.messages.append(message)
        self._conversation.frames.append(_created(message).decode())
        self._tell()
        return message

    def _cursor(self) -> str:
        """The newest one."""
        said = len(self._conversation.messages)
        return f"{JOURNAL}.{said}" if said else "0.0"

    def _frame(self, event: str, data: dict[str, Any]) -> None:
        self._durable(event, data, "")

    def _durable(self, event: str, data: dict[str, Any], cursor: str) -> None:
        self._conversation.frames.append(_frame(event, data, cursor).decode())
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


def _frame(event: str, data: dict[str, Any], cursor: str = "") -> bytes:
    named = f"id: {cursor}\n" if cursor else ""
    return f"event: {event}\n{named}data: {json.dumps(data)}\n\n".encode()


def _created(message: dict[str, Any]) -> bytes:
    return _frame("message.created", {"prev": message["seq"] - 1, "message": message}, message["cursor"])
