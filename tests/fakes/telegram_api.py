"""Telegram at the other end: a small Bot API server that checks each call, keeps chats, and fails on demand.

How it brings what people say stands in telegram_updates.py, what it asks of each call in telegram_methods.py.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Literal
from urllib.parse import urlsplit

from aiohttp import web

from fakes.telegram_methods import METHODS, against_specification, keyboard_complaint, read, words_of
from fakes.telegram_updates import Refused, Updates

TOKEN = "424242:AAF-a-token-for-tests_0123456789abcdef"
USERNAME = "aurora_loja_bot"
QUOTED = "words of a person"
"""Stands in every refusal that is asked for: no reason of ours may repeat it."""

Fault = Literal["", "hang", "drop", "before"]


@dataclass
class Behaviour:
    """How it answers. With `hang` and `drop` the call has been executed before nothing comes back."""

    status: int = 200
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    fault: Fault = ""


@dataclass
class Shown:
    """A message as the chat shows it."""

    message_id: int
    chat: int
    method: str
    text: str = ""
    markup: dict[str, Any] = field(default_factory=dict)
    given: dict[str, Any] = field(default_factory=dict)

    @property
    def titles(self) -> list[list[str]]:
        return [[button["text"] for button in row] for row in self.markup.get("inline_keyboard", [])]


class TelegramApi:
    """`shown` holds what people see, in order; `calls` every call; `complaints` what Telegram would not have taken."""

    def __init__(self, token: str = TOKEN) -> None:
        self.token = token
        self.behaviour = Behaviour()
        self.next: dict[str, deque[Behaviour]] = defaultdict(deque)
        """By method: how the next calls of it are answered."""
        self.shown: list[Shown] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.complaints: list[str] = []
        self.answered: list[tuple[str, str]] = []
        """Callback queries and what the person was told."""
        self.chats: set[int] = set()
        self.blocked: set[int] = set()
        self.files: dict[str, bytes] = {}
        self.commands: dict[str, list[str]] = {}
        self.updates = Updates()
        self.url = ""
        self._numbers = itertools.count(1)
        self._over = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/bot{token}/{method}", self._call)
        app.router.add_get("/file/bot{token}/{path:.*}", self._download)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def stop(self) -> None:
        self._over.set()
        await self.updates.stop()
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    # ── what people see and do ──────────────────────────────────────────────────────────────────────────────────────

    def texts(self, chat: int) -> list[str]:
        return [message.text for message in self.shown if message.chat == chat]

    def says(self, chat: int, text: str = "", **more: Any) -> dict[str, Any]:
        """A person writes. Answers the update."""
        return self.updates.make(message=self.message(chat, **({"text": text} if text else {}), **more))

    def message(self, chat: int, **content: Any) -> dict[str, Any]:
        self.chats.add(chat)
        person = {"id": chat, "is_bot": False, "first_name": "Ana", "username": "ana", "language_code": "pt-br"}
        return {
            "message_id": next(self._numbers),
            "from": person,
            "chat": {"id": chat, "type": "private", "first_name": "Ana"},
            "date": int(time.time()),
            **content,
        }

    def tap(self, chat: int, title: str) -> dict[str, Any]:
        """A person taps the newest button of that title."""
        for shown in reversed(self.shown):
            for button in itertools.chain(*shown.markup.get("inline_keyboard", [])):
                if shown.chat == chat and button["text"] == title:
                    message = {
                        "message_id": shown.message_id,
                        "chat": {"id": chat, "type": "private"},
                        "date": int(time.time()),
                        "text": shown.text,
                        "reply_markup": shown.markup,
                    }
                    query = {
                        "id": str(next(self._numbers)),
                        "from": self.message(chat)["from"],
                        "message": message,
                        "chat_instance": "1",
                        "data": button["callback_data"],
                    }
                    return self.updates.make(callback_query=query)
        raise AssertionError(f"nothing to tap: {title}")

    def blocks(self, chat: int, *, yes: bool = True) -> dict[str, Any]:
        (self.blocked.add if yes else self.blocked.discard)(chat)
        person = self.message(chat)
        bot = {"user": {"id": 424242, "is_bot": True, "first_name": "Aurora"}}
        return self.updates.make(
            my_chat_member={
                **{name: person[name] for name in ("chat", "from", "date")},
                "old_chat_member": {**bot, "status": "member" if yes else "kicked"},
                "new_chat_member": {**bot, "status": "kicked" if yes else "member", "until_date": 0},
            }
        )

    # ── calls ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _call(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        how = self.next[method].popleft() if self.next[method] else self.behaviour
        if how.fault == "before":
            assert request.transport
            request.transport.abort()
            return web.Response()
        try:
            parameters = await self._parameters(method, request, how)
            result = await self._execute(method, parameters) if how.status < 300 else None
        except Refused as refusal:
            told = {"ok": False, "error_code": refusal.code, "description": str(refusal)}
            if refusal.parameters:
                told["parameters"] = refusal.parameters
            return web.json_response(told, status=refusal.code, headers=how.headers)
        if how.fault == "hang":
            await self._over.wait()
        if how.fault == "drop":
            assert request.transport
            request.transport.abort()
        body = how.body if how.body is not None else json.dumps({"ok": True, "result": result}).encode()
        return web.Response(status=how.status, body=body, headers=how.headers, content_type="application/json")

    async def _parameters(self, method: str, request: web.Request, how: Behaviour) -> dict[str, Any]:
        """Raises `Refused`, also where that was asked for."""
        if request.match_info["token"] != self.token:
            raise Refused(401, "Unauthorized")
        if method not in METHODS:
            self.complaints.append(f"no method {method}")
            raise Refused(404, "Not Found")
        form = request.content_type != "application/json"
        try:
            raw = await self._raw(request, form=form)
            parameters = read(method, raw, form=form)
        except (ValueError, UnicodeDecodeError) as error:
            self.complaints.append(str(error))
            raise Refused(400, f"Bad Request: {error}") from error
        self.complaints += against_specification(method, parameters)
        self.calls.append((method, parameters))
        if how.status >= 300 and how.body is None:
            raise Refused(how.status, how.description or f"Bad Request: {QUOTED}", **how.parameters)
        return parameters

    async def _raw(self, request: web.Request, *, form: bool) -> dict[str, Any]:
        if not form:
            raw = json.loads(await request.read() or b"{}")
            if not isinstance(raw, dict):
                raise ValueError("no object")
            return raw
        fields = await request.post()
        return {
            name: value.file.read() if isinstance(value, web.FileField) else value for name, value in fields.items()
        }

    async def _execute(self, method: str, given: dict[str, Any]) -> Any:
        if method.startswith("send"):
            return self._sent(method, given)
        match method:
            case "getMe":
                return {"id": 424242, "is_bot": True, "first_name": "Aurora", "username": USERNAME}
            case "answerCallbackQuery":
                self.answered.append((given["callback_query_id"], given.get("text", "")))
            case "editMessageReplyMarkup":
                return self._edited(given)
            case "getFile":
                return self._file(given["file_id"])
            case "getUpdates":
                return await self.updates.fetched(given)
            case "setWebhook" | "deleteWebhook":
                self.updates.set_webhook(given)
            case "getWebhookInfo":
                return self.updates.webhook_info()
            case "setMyCommands":
                self.commands[given.get("language_code", "")] = [one["command"] for one in given["commands"]]
            case _:
                raise AssertionError(method)
        return True

    def _sent(self, method: str, given: dict[str, Any]) -> Any:
        chat = given["chat_id"]
        if chat in self.blocked:
            raise Refused(403, "Forbidden: bot was blocked by the user")
        if chat not in self.chats:
            raise Refused(400, "Bad Request: chat not found")
        if method == "sendChatAction":
            return True
        text = self._worded(method, given)
        if (markup := given.get("reply_markup", {})) and (wrong := keyboard_complaint(markup)):
            raise self._wrong(wrong)
        self._check_file(given.get(method.removeprefix("send").lower()))
        shown = Shown(next(self._numbers), chat, method, text, markup, given)
        self.shown.append(shown)
        return self._told(shown)

    def _worded(self, method: str, given: dict[str, Any]) -> str:
        name, most = ("text", 4096) if method == "sendMessage" else ("caption", 1024)
        text = given.get(name, "")
        if given.get("parse_mode") == "HTML":
            try:
                text = words_of(text)
            except ValueError as error:
                raise self._wrong(str(error)) from error
        if name == "text" and not text.strip():
            raise self._wrong("message text is empty")
        if len(text) > most:
            raise self._wrong("message is too long" if name == "text" else "message caption is too long")
        return str(text)

    def _check_file(self, file: str | bytes | None) -> None:
        if isinstance(file, str) and file.startswith("http") and _is_ours(urlsplit(file).hostname or ""):
            raise Refused(400, "Bad Request: wrong file identifier/HTTP URL specified")

    def _wrong(self, why: str) -> Refused:
        """Refused as Telegram would, and kept: we could have known."""
        self.complaints.append(why)
        return Refused(400, f"Bad Request: {why}")

    def _told(self, shown: Shown) -> dict[str, Any]:
        told: dict[str, Any] = {
            "message_id": shown.message_id,
            "date": int(time.time()),
            "chat": {"id": shown.chat, "type": "private"},
            "text": shown.text,
        }
        return {**told, "reply_markup": shown.markup} if shown.markup else told

    def _edited(self, given: dict[str, Any]) -> Any:
        for shown in self.shown:
            if (shown.chat, shown.message_id) == (given["chat_id"], given["message_id"]):
                markup = given.get("reply_markup", {})
                if markup == shown.markup:
                    raise Refused(400, "Bad Request: message is not modified")
                if markup and (wrong := keyboard_complaint(markup)):
                    raise self._wrong(wrong)
                shown.markup = markup
                return self._told(shown)
        raise Refused(400, "Bad Request: message to edit not found")

    # ── files, polling, webhook ─────────────────────────────────────────────────────────────────────────────────────

    def _file(self, file_id: str) -> Any:
        if file_id not in self.files:
            raise Refused(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        size = len(self.files[file_id])
        if size > 20 * 1024 * 1024:
            raise Refused(400, "Bad Request: file is too big")
        return {"file_id": file_id, "file_unique_id": file_id, "file_size": size, "file_path": f"docs/{file_id}"}

    async def _download(self, request: web.Request) -> web.StreamResponse:
        how = self.next["download"].popleft() if self.next["download"] else Behaviour()
        found = self.files.get(request.match_info["path"].removeprefix("docs/"))
        if request.match_info["token"] != self.token or found is None:
            return web.Response(status=404)
        if how.fault:
            assert request.transport
            request.transport.abort()
        return web.Response(status=how.status, body=found if how.body is None else how.body, headers=how.headers)


def _is_ours(host: str) -> bool:
    try:
        return not ip_address(host).is_global
    except ValueError:
        return host == "localhost"
